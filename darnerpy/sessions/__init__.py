"""One client's state: what it holds, what it waits for, its replies in the order of its requests."""
