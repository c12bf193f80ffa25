"""`darnerpy resume`: have a queue that was paused take and give again."""

import argparse

from .pause import add_arguments, change

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    return change(args, "resume")
