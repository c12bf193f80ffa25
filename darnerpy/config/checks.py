"""What only shows when several options are looked at together.

Promises that nobody listens for HTTP where other machines can connect without asking for a token, that
items which expire or fail never travel in a circle from queue to queue, and that
a table which limits attempts says where items go then; what several globs make of a consumer is
judged by the names they give as examples.
"""

from collections.abc import Iterator

from .. import names
from ..errors import ClientError, ConfigError
from ..units import is_loopback
from .kinds import DROP, text_of_name
from .queue_settings import QueueRule, QueueSettings
from .settings import Settings

__all__ = ["check"]

_TARGETS = ("expire_to", "dead_letter")


def check(settings: Settings, prefix: str) -> None:
    """Raise ConfigError if settings do not fit together. `prefix` begins the message."""
    _check_http(settings, prefix)
    for rule in settings.queue_rules:
        called = rule.called or f'queues."{text_of_name(rule.glob)}"'
        where = f"{prefix}{called}"
        try:
            name, consumer = names.split(rule.example)
        except ClientError as error:
            raise ConfigError(f"{where}: expected what a name can match: {error}") from None
        if rule.for_consumers and not consumer:
            raise ConfigError(f"{where}: expected the + of a consumer outside of [ ]")
        _check_targets(rule, name, settings, where)
        _check_copy_from(rule, consumer, where)
        found = settings.merged(name, consumer)
        if found.max_attempts and not found.dead_letter:
            raise ConfigError(
                f"{where}: max_attempts = {found.max_attempts} needs dead_letter, "
                'expected the name of a queue or "drop"'
            )
    _check_loops(settings, prefix)


def _check_http(settings: Settings, prefix: str) -> None:
    for address in settings.http_addresses:
        if settings.http_token_file is None and not is_loopback(address):
            raise ConfigError(
                f"{prefix}http: {address} can be reached from other machines: expected "
                "http_token_file beside it"
            )


def _check_targets(rule: QueueRule, name: bytes, settings: Settings, where: str) -> None:
    literal = QueueRule(rule.glob.partition(b"+")[0], {}).literal
    for option in _TARGETS:
        target = rule.values.get(option, b"")
        if target == DROP and option == "dead_letter":
            continue
        text = text_of_name(target)
        if literal and target == name:
            raise ConfigError(f"{where}.{option}: expected another queue than {text!r} itself")
        if target in settings.aliases:
            raise ConfigError(f"{where}.{option}: expected a queue, not the alias {text!r}")


def _check_copy_from(rule: QueueRule, consumer: bytes, where: str) -> None:
    literal = QueueRule(rule.glob.partition(b"+")[2], {}).literal
    if consumer and literal and rule.values.get("copy_from") == consumer:
        text = text_of_name(consumer)
        raise ConfigError(f"{where}.copy_from: expected another consumer than {text!r} itself")


def _check_loops(settings: Settings, prefix: str) -> None:
    # Every queue of a loop is a target, so the ways from all targets show every loop.
    given = {rule.values.get(option, b"") for rule in settings.queue_rules for option in _TARGETS}
    safe: set[bytes] = set()
    for first in sorted(given - {b""} - safe):
        way = [first]
        ahead = [_targets(settings, first)]
        while way:
            if not ahead[-1]:
                ahead.pop()
                safe.add(way.pop())
                continue
            target = ahead[-1].pop()
            if target in way:
                loop = " -> ".join(map(text_of_name, [*way[way.index(target) :], target]))
                expected = "expected expire_to and dead_letter not to lead back"
                raise ConfigError(f"{prefix}queues: {expected}: {loop}")
            if target not in safe:
                way.append(target)
                ahead.append(_targets(settings, target))


def _targets(settings: Settings, name: bytes) -> list[bytes]:
    """Return the queues that items of a queue or its consumers may move to."""
    found: set[bytes] = set()
    for each in _all_settings(settings, name):
        found.add(each.expire_to)
        if each.max_attempts and each.dead_letter != DROP:
            found.add(each.dead_letter)
    return sorted(found - {b""}, reverse=True)


def _all_settings(settings: Settings, name: bytes) -> Iterator[QueueSettings]:
    yield settings.queue(name)
    for rule in settings.queue_rules:
        if rule.for_consumers:
            consumer = names.split(rule.example)[1]
            if rule.matches(b"%b+%b" % (name, consumer)):
                yield settings.queue(name, consumer)
