"""A data directory while no server has it: what is in it, whether it is whole, and how to mend it."""
