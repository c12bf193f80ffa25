"""What a queue costs in the process that uses it: darnerpy's library beside others, and a limit in C."""
