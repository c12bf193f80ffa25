"""A persistent queue server that any memcache client can use.

The version is written here and nowhere else: the package metadata and the `version` command
both read it.
"""

__version__ = "1.0.0"
