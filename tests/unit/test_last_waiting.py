"""Where the last items begin that wait: counted from behind, without reading one."""

from hypothesis import given
from hypothesis import strategies as st

from darnerpy.queues.waiting import Waiting
from darnerpy.queues.windows import Windows
from tests.unit.clients import AMPLE, put
from tests.unit.keeper import Disk, Keeper, ManualClock


@given(
    st.lists(st.sampled_from(["waits", "taken", "held", "returned"]), max_size=30),
    st.integers(0, 40),
)
def test_the_first_of_the_last(states: list[str], number: int) -> None:
    clock = ManualClock()
    queue = Keeper(Disk(), clock, Windows(AMPLE)).queue
    for _ in states:
        put(queue, b"x")
    held = [queue.open(queue.own) for _ in states]
    for state, each in zip(states, held, strict=True):
        assert each is not None
        if state == "taken":
            queue.close(each)
        elif state in ("waits", "returned"):
            queue.abort(each, counted=state == "returned")
    waiting = [at for at, state in enumerate(states, start=1) if state in ("waits", "returned")]
    first = Waiting(queue.own, clock.now).first_of_last(number, queue.next_id)
    assert [at for at in waiting if at >= first] == (waiting[-number:] if number else [])
