"""What one look a second finds, and what is remembered of it."""

import math
from collections import deque
from pathlib import Path

import pytest

from darnerpy.http.monitoring.history import COARSE, FINE, History
from darnerpy.http.monitoring.watch import Place
from tests.http.watching import Watching, watching

pytestmark = pytest.mark.asyncio


def place_of(watched: Watching, name: bytes, consumer: bytes = b"") -> Place:
    return watched.monitor.watch.queues[name].places[consumer]


def known(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


async def test_rates_come_from_totals(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        watched.look()
        await watched.put(b"q", 5)
        watched.look()
        assert place_of(watched, b"q").rates == (5.0, 0.0, 0.0)
        await watched.take(b"q", 2)
        watched.look()
        assert place_of(watched, b"q").rates == (0.0, 2.0, 2.0)
        assert watched.monitor.watch.totals == [5, 2, 2]
        watched.look()
        assert place_of(watched, b"q").rates == (0.0, 0.0, 0.0)
        assert watched.monitor.watch.sums.items == 3


async def test_what_was_there_before_the_first_look_is_no_rate(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        await watched.put(b"q", 1000)
        watched.look(2)
        assert place_of(watched, b"q").rates == (0.0, 0.0, 0.0)
        assert watched.monitor.watch.totals == [0, 0, 0]


async def test_no_total_falls_when_a_queue_is_made_anew_or_a_consumer_dropped(
    tmp_path: Path,
) -> None:
    with watching(tmp_path) as watched:
        watch = watched.monitor.watch
        watched.look()
        stored = await watched.queue(b"q")
        stored.queue.consumer(b"audit")
        await watched.put(b"q", 10)
        await watched.take(b"q", 10)
        watched.look()
        before = list(watch.totals)
        assert before == [10, 10, 10]
        stored.queue.drop(stored.queue.consumers[b"audit"])
        watched.look()
        assert watch.gone == ["q+audit"]
        await watched.delete(b"q")
        await watched.put(b"q", 3)
        watched.look()
        assert watch.totals == [13, 10, 10]
        assert place_of(watched, b"q").rates == (3.0, 0.0, 0.0)
        await watched.delete(b"q")
        watched.look()
        assert watch.gone == ["q"]
        assert (watch.queues, watch.totals, watch.rates) == ({}, [13, 10, 10], [0.0] * 3)


async def test_a_history_has_each_second_and_each_minute(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        history = watched.monitor.history
        watched.look()
        for second in range(130):
            await watched.put(b"q", 2)
            if second % 2:
                await watched.take(b"q")
            watched.look()
        series = history.of(place_of(watched, b"q"), 600)
        assert (series.detail, series.step) == ("fine", 1)
        assert len(series.columns["items"]) == 600
        assert known(series.columns["puts"]) == [2.0] * 129
        assert known(series.columns["gets"])[-4:] == [0.0, 1.0, 0.0, 1.0]
        assert series.columns["items"][-1] == 2 * 130 - 65
        assert series.start == history.second - 599
        day = history.of(place_of(watched, b"q"), 86400)
        assert (day.step, len(day.columns["items"])) == (60, 1440)
        minutes = known(day.columns["puts"])
        assert 1 <= len(minutes) <= 2
        assert all(rate == pytest.approx(2, abs=0.05) for rate in minutes)
        everyone = history.of_all(600)
        assert known(everyone.columns["puts"])[1:] == [2.0] * 129
        depth = history.depth_of(place_of(watched, b"q"))
        assert depth == known(series.columns["items"])[-60:]


async def test_a_history_has_gaps_where_nobody_looked(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        await watched.put(b"q")
        watched.look(3)
        watched.clock.now += 4000
        watched.look(2)
        column = watched.monitor.history.of(place_of(watched, b"q"), 600).columns["items"]
        gaps = "".join("-" if math.isnan(value) else "x" for value in column[-9:])
        assert gaps == "-xx----xx"


async def test_a_second_that_is_looked_at_twice_is_written_once(tmp_path: Path) -> None:
    with watching(tmp_path, memory=FINE.size * 5 // 2) as watched:
        await watched.put(b"q")
        watched.clock.now += 3000 - watched.clock.now % 10_000
        history, details = watched.monitor.history, set()
        for _ in range(30):  # coarse at first, and fine within the same second
            watched.clock.now += 100
            deque(watched.monitor.watch.look(), 0)
            await watched.put(b"q")
            details.add(history.of(place_of(watched, b"q"), 600).detail)
        assert details == {"coarse", "fine"}
        rates = known(history.of(place_of(watched, b"q"), 600).columns["puts"])
        assert rates
        assert all(0 <= rate < 100 for rate in rates)


async def test_in_little_memory_the_busiest_are_kept_in_detail(tmp_path: Path) -> None:
    memory = 3 * FINE.size + 40 * COARSE.size
    with watching(tmp_path, memory) as watched:
        history = watched.monitor.history
        for number in range(60):
            await watched.put(b"q%02d" % number)
        for _ in range(130):
            await watched.put(b"q59", 50)
            await watched.put(b"q58", 20)
            watched.look()
            assert history._used <= memory
        details = {
            name: history.of(watched.places[b""], 600).detail
            for name, watched in watched.monitor.watch.queues.items()
        }
        assert details[b"q59"] == details[b"q58"] == "fine"
        assert set(details.values()) <= {"fine", "coarse", "depth"}
        assert list(details.values()).count("coarse") > 10
        busy = history.of(place_of(watched, b"q59"), 600)
        assert len(known(busy.columns["puts"])) > 100, "what was known before came along"
        for number in range(60):
            await watched.delete(b"q%02d" % number)
        watched.look()
        assert history._used == FINE.size


async def test_memory_is_bounded_whatever_there_is(tmp_path: Path) -> None:
    with watching(tmp_path, FINE.size) as watched:
        history = watched.monitor.history
        for number in range(5):
            await watched.put(b"%d" % number)
        watched.look(65)
        assert history._used <= history.memory
        assert history.of(place_of(watched, b"0"), 600).detail == "none"
        assert history.of_all(600).detail == "fine"
        assert isinstance(history, History)
