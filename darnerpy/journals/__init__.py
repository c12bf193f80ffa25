"""Where items live: the contract of a journal, its engines, and the threads that write them."""
