"""Telling systemd how the service is doing (the sd_notify protocol): one datagram, no library."""

import os
import socket

__all__ = ["notify"]


def notify(state: str) -> None:
    """Send a state such as READY=1 to the service manager; nothing happens without one."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.sendall(state.encode())
        except OSError:
            pass  # the manager's affair; the service does not depend on being heard
