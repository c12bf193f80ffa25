"""`darnerpy reload`: have a running server read its configuration again, all of it or nothing."""

import argparse
import json

from .arguments import add_connection_arguments
from .client import Client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as server:
        server.ask(b"reload", among=(b"Reloaded config.",))
    if args.json:
        print(json.dumps({"reloaded": True}))
    return 0
