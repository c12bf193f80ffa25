"""A real server under many clients, kills and restarts: nothing is found, unless it is broken."""

from pathlib import Path

import pytest

from tests.histories import LEAST, play, prove
from tests.testing.broken import BREAKS

pytestmark = pytest.mark.timeout(300)  # so many operations, however long they take


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_server_keeps_its_promises(tmp_path: Path, seed: int) -> None:
    played = play(tmp_path, seed, seconds=1.0, clients=6, least=LEAST, lives=2)
    assert not played.complaints(), played.history.about
    kinds = {operation.kind for operation in played.history.operations}
    assert kinds >= {"put", "get", "open", "close", "abort", "peek"}


@pytest.mark.parametrize("breaking", BREAKS)
def test_a_broken_server_is_found_out(breaking: str) -> None:
    # It ends with the first round that tells; some faults show in one of four only.
    assert prove(breaking, rounds=60, seed=1) is not None
