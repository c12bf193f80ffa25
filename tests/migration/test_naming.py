"""New names: legal ones are kept, others are legal then, and no two become one."""

from hypothesis import given
from hypothesis import strategies as st

from darnerpy.migration.naming import new_consumer_names, new_names
from darnerpy.names import split

NAMES = st.binary(min_size=1, max_size=3) | st.sampled_from(
    [b"a+b", b"a%2Bb", b"a b", b"a%20b", b"+", b"%2B", b"a/b"]
)
LONG = st.builds(lambda head, size: head + b"x" * size, NAMES, st.integers(0, 260))


def test_what_changes() -> None:
    names = [b"work", b"a+b", b"a b", b"\x7f", b"x" * 250, b"y" * 251]

    new = new_names({name: [] for name in names})

    assert new[b"work"] == b"work"
    assert new[b"a+b"] == b"a%2Bb"
    assert new[b"a b"] == b"a%20b"
    assert new[b"\x7f"] == b"%7F"
    assert new[b"x" * 250] == b"x" * 250
    assert len(new[b"y" * 251]) == 250


def test_a_name_that_is_taken_is_not_given_again() -> None:
    new = new_names({b"a+b": [], b"a%2Bb": []})

    assert new[b"a%2Bb"] == b"a%2Bb"
    assert new[b"a+b"].startswith(b"a%2Bb~")


@given(st.dictionaries(LONG, st.lists(LONG, unique=True, max_size=3), max_size=20))
def test_new_names_are_legal_distinct_and_do_not_depend_on_order(
    queues: dict[bytes, list[bytes]],
) -> None:
    new = new_names(queues)

    assert len(set(new.values())) == len(queues)
    assert new == new_names(dict(reversed(queues.items())))
    for queue, consumers in queues.items():
        assert split(new[queue]) == (new[queue], b"")
        renamed = new_consumer_names(new[queue], consumers)
        assert len(set(renamed.values())) == len(consumers)
        for consumer in renamed.values():
            assert split(new[queue] + b"+" + consumer) == (new[queue], consumer)
