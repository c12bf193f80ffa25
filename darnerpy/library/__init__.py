"""The same queues without a server: `darnerpy.Queue`, `darnerpy.open` and `darnerpy.aio`."""
