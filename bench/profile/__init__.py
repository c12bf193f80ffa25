"""The instruction count of one command, by kind and by commands a turn."""
