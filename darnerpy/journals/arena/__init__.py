"""The engine `arena`: a queue in memory-mapped segment files, appended to without a system call."""
