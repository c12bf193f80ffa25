"""Which build of darnerpy runs: compiled, or pure Python. They differ in speed and in nothing else.

Knows of what is compiled only where one module of it is.
"""

import platform
from importlib.util import find_spec

__all__ = ["description", "kind"]


def kind() -> str:
    """`compiled` or `pure`."""
    module = find_spec("darnerpy.queues.queue")
    assert module is not None
    assert module.origin is not None
    return "pure" if module.origin.endswith(".py") else "compiled"


def description() -> str:
    """The same and what it runs on, for people."""
    return f"{kind()}, {platform.python_implementation()} {platform.python_version()}"
