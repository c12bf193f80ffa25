"""Bytes to commands, replies to bytes: the text protocols of memcache and Kestrel, no socket, no queue."""
