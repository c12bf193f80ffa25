"""Power cuts under load: images of a disk at random instants, each recovered and held to the books."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from darnerpy.journals.engines import DISK_ENGINES
from tests.crash import power
from tests.crash.disks import Disk
from tests.crash.load import Load
from tests.servers import ServerProcess
from tests.soak.rounds import Round, Setting

__all__ = ["cuts"]

SYNCS = ("always", "always", "20ms", "100ms", "never", "never")
CUTS = 4
ROOM = 20 << 20


def cuts(setting: Setting) -> Iterator[Round]:
    number = 0
    while time.monotonic() < setting.until:
        number += 1
        yield _life(setting, number)


def _life(setting: Setting, number: int) -> Round:
    """One life on a disk image, cut off a few times."""
    chance = setting.chance
    sync = chance.choice(SYNCS)
    settings: dict[str, Any] = {
        "engine": chance.choice(list(DISK_ENGINES)),
        "max_open_journals": chance.choice((1, 3, 64)),
        "window_memory": chance.choice(("64KiB", "16MiB")),
    }
    result = Round(Counter())
    disk = Disk(setting.home / f"disk-{number}")
    server = ServerProcess(
        disk.mounted, environ=setting.environ, sync=sync, min_free_disk="off", **settings
    )
    try:
        server.start()
        seed = chance.randrange(1 << 30)
        largest, patience = power.largest(sync), power.PATIENCE_S
        load = Load(server.address, seed, f"r{number}", largest, tolerant=True, patience=patience)
        load.start()
        for _ in range(CUTS):
            time.sleep(chance.uniform(0.05, 1.0))
            if disk.free < ROOM:
                break  # a full disk is another matter
            writing = chance if chance.random() < 0.7 else None
            found = power.cut(
                disk, server, load, sync, writing, environ=setting.environ, **settings
            )
            result.counts.update(
                {
                    "images": 1,
                    f"images of {sync}": 1,
                    f"images of {settings['engine']}": 1,
                    "acknowledged": found.acknowledged,
                    f"unsynced and missing under {sync}": found.missing,
                    "gaps reported": found.gaps,
                }
            )
            if found.oldest:
                result.note += f" {sync}: the oldest missing was {found.oldest * 1000:.0f} ms old"
            result.wrong += [f"{each} ({sync}, {settings})" for each in found.wrong]
        server.kill()
        load.join()
    except (AssertionError, OSError) as error:
        result.wrong.append(f"{type(error).__name__}: {error} ({sync}, {settings})")
    finally:
        server.kill()
        disk.remove()
    return result
