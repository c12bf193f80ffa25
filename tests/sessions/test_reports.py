"""Reports: in which parts they are sent."""

from pathlib import Path

import pytest

from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of

pytestmark = pytest.mark.asyncio

MANY = 300


class Parts(Desk):
    """Keeps what is written apart."""

    def __init__(self, house: House) -> None:
        super().__init__(host_of(house))
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self.parts.append(data)


@pytest.mark.parametrize("report", [b"stats\r\n", b"dump_stats\r\n", b"dump_config\r\n"])
async def test_what_comes_in_parts_does_not_look_finished(tmp_path: Path, report: bytes) -> None:
    """A client (emcache) takes what ends with a line for the whole, if nothing more has come yet."""
    async with House(tmp_path) as house:
        desk = Parts(house)
        desk.say(b"".join(b"set q%03d 0 0 1\r\nx\r\n" % number for number in range(MANY)))
        await desk.hears(b"STORED\r\n" * MANY)
        desk.parts.clear()
        desk.say(report)
        await until(lambda: desk.told.endswith(b"\r\nEND\r\n"))
        assert len(desk.parts) > 1
        assert not [part for part in desk.parts[:-1] if part.endswith(b"\r\n")]
