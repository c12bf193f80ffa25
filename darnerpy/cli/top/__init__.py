"""`darnerpy top`: a live table of all queues, in a folder of its own since it is more than a command."""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
