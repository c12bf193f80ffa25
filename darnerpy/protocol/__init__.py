"""Bytes to commands, replies to bytes: the memcache text protocol without a socket or a queue."""
