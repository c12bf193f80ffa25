"""The version: written here and nowhere else, since package metadata and commands read it from here.

Imports nothing, so that every layer can tell it without naming the library, which stands above most.
"""

__version__ = "1.0.0"
