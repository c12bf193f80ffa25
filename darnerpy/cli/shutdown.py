"""`darnerpy shutdown`: have a running server stop as a signal would.

Done when the server has begun: it answers what it has decided, syncs and ends.
"""

import argparse
import json

from .arguments import add_connection_arguments
from .client import Client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as server:
        server.end(b"shutdown")
    if args.json:
        print(json.dumps({"stopping": True}))
    return 0
