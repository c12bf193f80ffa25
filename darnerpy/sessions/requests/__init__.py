"""What one request asks of queues, as steps, for fronts that have no stream of commands."""
