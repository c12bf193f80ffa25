"""What happens to items: pure and synchronous, without a socket, a file, an event loop or a clock."""
