"""`darnerpy lease`: takes an item that comes back by itself unless it is confirmed, for scripts.

    id=$(darnerpy lease work --output job) && process job && darnerpy lease --confirm "$id"

Nothing stays connected meanwhile: the server keeps a lease until it is confirmed, given back, or over.
"""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import suppress

from ..errors import DarnerError
from ..units import write_duration
from .arguments import duration, queue_name
from .items import Output
from .terminal import say
from .web import Reply, Web, split_consumer
from .web_arguments import add_web_arguments
from .web_queues import connected

_TTL = "30s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queue",
        type=queue_name,
        nargs="?",
        metavar="QUEUE",
        help="take an item of QUEUE or QUEUE+CONSUMER; what is printed is the id of its lease",
    )
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--confirm", metavar="ID", help="the item is done with")
    ending.add_argument("--abort", metavar="ID", help="give the item back, with one attempt more")
    ending.add_argument("--extend", metavar="ID", help="have it last for --ttl from now on")
    parser.add_argument(
        "--ttl",
        type=duration(least_ms=100, most_ms=43_200_000),
        metavar="DURATION",
        help=f"how long the lease lasts; default {_TTL}, at most 12h",
    )
    parser.add_argument(
        "--wait",
        type=duration(most_ms=86_400_000),
        default=0,
        metavar="DURATION",
        help="wait this long for an item, such as 500ms or 10s; at most 1d",
    )
    parser.add_argument("--output", metavar="FILE", help="where the item is written")
    add_web_arguments(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    ended = args.confirm or args.abort or args.extend
    if bool(args.queue) == bool(ended):
        args.usage_error("either a queue, or one of --confirm, --abort and --extend is expected")
    ttl = write_duration(args.ttl) if args.ttl else _TTL
    if ended:
        if args.wait or args.output or (args.ttl and not args.extend):
            args.usage_error("--ttl is for a queue or --extend, --wait and --output for a queue")
        return _end(args, ended, ttl)
    if not (args.output or args.json):
        args.usage_error("--output or --json is expected, for the item")
    queue, consumer = split_consumer(args.queue)
    query = {
        "ttl": ttl,
        "wait": write_duration(args.wait),
        "consumer": consumer,
    }
    with connected(args) as server, Output(args.output, args.json, line_ends=False) as output:
        path = ("v1", "queues", queue, "leases")
        reply = server.ask("POST", *path, query=query, accept="*/*", wait_ms=args.wait)
        if reply.status == 204:
            return 1
        lease = server.header(reply, "location").rpartition("/")[2]
        attempts = int(server.header(reply, "darnerpy-attempts"))
        until = float(server.header(reply, "darnerpy-until"))
        said: dict[str, str | float] = {"lease": lease, "until": until, "attempts": attempts}
        try:
            output.write(args.queue, _Leased(server, reply), **said)
            if not args.json:
                say(lease)
        except BaseException:
            # Nobody has been told of the lease, who could end it.
            server.close()
            with suppress(DarnerError):
                server.json("POST", "v1", "leases", lease.encode(), "abort")
            raise
    return 0


def _end(args: argparse.Namespace, lease: str, ttl: str) -> int:
    at = ("v1", "leases", os.fsencode(lease))
    with connected(args) as server:
        if args.confirm:
            said = server.json("DELETE", *at)
        elif args.abort:
            said = server.json("POST", *at, "abort")
        else:
            said = server.json("POST", *at, "extend", query={"ttl": ttl})
    if args.json:
        print(json.dumps({"lease": lease, **(said or {})}))
    return 0


class _Leased:
    def __init__(self, server: Web, reply: Reply) -> None:
        self.id = int(server.header(reply, "darnerpy-id"))
        self.flags = int(server.header(reply, "darnerpy-flags"))
        self.size = int(server.header(reply, "content-length"))
        self._pieces = server.pieces_of(reply)

    def pieces(self) -> Iterator[bytes]:
        return self._pieces

    def data(self) -> bytes:
        return b"".join(self._pieces)
