"""Moving in: what other queue servers left on disk, read and written anew as darnerpy's queues."""
