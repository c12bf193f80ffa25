"""The asyncio front: it bridges to the same core, and several loops and threads share a queue."""
