"""Sockets: listening, connections, flow control; start, drain and stop."""
