"""`make screenshots`: pictures of the dashboard for README and docs, of a server with load.

python -m tests.browser.screenshots [--minutes 10] [--into docs/images]

The pictures of the phone and of the other pages are to be looked at, and are made beside `--into` only with
`--all`. How letters look depends on the fonts of the machine.
"""

import argparse
import math
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from tests.browser.chromium import CHROMIUM, Browser, Page, expect, sync_playwright
from tests.servers import ServerProcess

# Items that are put a second, by how much that goes up and down, in how many seconds; how many of a
# hundred are taken.
QUEUES = {
    "billing": (6, 0.5, 120, 100),
    "mail-out": (90, 0.5, 150, 96),
    "orders": (40, 0.3, 90, 100),
    "search-index": (160, 0.6, 210, 99),
    "thumbnails": (25, 0.8, 60, 80),
    "webhooks": (55, 0.4, 100, 92),
    "analytics-events": (220, 0.4, 180, 100),
    "sms-out": (4, 0.9, 75, 100),
}
TOML = """
[queues."*"]
dead_letter = "dead-letters"
max_attempts = 1

[queues.mail-out]
max_items = 1_000_000
max_age = "2d"
open_timeout = "5m"
"""
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")
PAGES = {
    "queues": "#/",
    "queue": "#/q/mail-out",
    "items": "#/q/mail-out/items",
    "consumers": "#/q/mail-out/consumers",
    "settings": "#/q/mail-out/settings",
    "server": "#/server",
}
PICTURES: tuple[tuple[Scheme, str, int], ...] = (("light", "queues", 750), ("dark", "queue", 590))
_TICK_S = 0.1


class Traffic:
    """Clients that put and take as `QUEUES` says, until it is told to stop."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        with self._server.connect() as wire:
            for queue, items in (("archive", 1840), ("reports-nightly", 12), ("mail-out", 3000)):
                for _ in range(items // 4):
                    wire.put(queue, *[b'{"id": 1}'] * 4)
            for _ in range(7):
                wire.put("uploads", b"x")
                wire.get("uploads/open")
                wire.get("uploads/abort")
            wire.make("idle")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        owed = dict.fromkeys(QUEUES, (0.0, 0.0))
        number = 0
        with ExitStack() as wires:
            wire, *held = [wires.enter_context(self._server.connect()) for _ in range(7)]
            wire.get("mail-out+audit")
            for waiter in held[4:]:
                waiter.send(b"get idle/t=10000000\r\n")
            began = time.monotonic()
            while not self._over.wait(_TICK_S):
                now = time.monotonic() - began
                for queue, (rate, swing, period, share) in QUEUES.items():
                    puts, gets = owed[queue]
                    puts += rate * _TICK_S * (1 + swing * math.sin(now / period * 2 * math.pi))
                    gets += rate * _TICK_S * share / 100
                    items = [_item(queue, number + each) for each in range(int(puts))]
                    number += len(items)
                    if items:
                        wire.put(queue, *items)
                    for _ in range(int(gets)):
                        wire.get(queue)
                    owed[queue] = puts % 1, gets % 1
                for at, holder in enumerate(held[:4]):
                    holder.get(
                        ("thumbnails", "mail-out", "webhooks", "webhooks")[at] + "/close/open"
                    )
                for _ in range(8):
                    wire.get("mail-out+audit")


def _item(queue: str, number: int) -> bytes:
    data = f'{{"id":{number},"to":"user{number % 977}@example.org","template":"{queue}","retry":false}}'
    return data.encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    parser.add_argument(
        "--all", action="store_true", help="every page, in both colours and on a phone"
    )
    args = parser.parse_args()
    args.into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess(Path(directory), http="127.0.0.1:0", toml=TOML, sync="50ms") as server,
        sync_playwright() as playwright,
    ):
        traffic = Traffic(server)
        traffic.start()
        try:
            time.sleep(args.minutes * 60)
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            for scheme, name, height in PICTURES:
                path = args.into / f"dashboard-{scheme}.png"
                opened(browser, server, PAGES[name], scheme, 1280, height).screenshot(path=path)
                print(f"{path}: {path.stat().st_size} bytes")
            if args.all:
                every_page(browser, server, args.into)
            browser.close()
        finally:
            traffic.stop()


def every_page(browser: Browser, server: ServerProcess, into: Path) -> None:
    for name, hash in PAGES.items():
        for scheme in SCHEMES:
            opened(browser, server, hash, scheme).screenshot(path=into / f"{name}-{scheme}.png")
        opened(browser, server, hash, "light", 360).screenshot(
            path=into / f"{name}-phone.png", full_page=True
        )


def opened(
    browser: Browser,
    server: ServerProcess,
    hash: str,
    scheme: Scheme,
    width: int = 1280,
    height: int = 760,
) -> Page:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.goto(f"http://{server.http_address}/{hash}")
    expect(page.locator(".connection")).to_have_text("Live")
    page.wait_for_timeout(6000)
    for glimpse in page.locator("button.glimpse").all()[:1]:
        glimpse.click()
    return page


if __name__ == "__main__":
    main()
