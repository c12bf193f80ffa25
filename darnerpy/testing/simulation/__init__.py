"""The whole server but its sockets, run by a seed: the same seed, the same history, every time."""
