"""What a running server tells of itself over HTTP: health, metrics, history and events."""
