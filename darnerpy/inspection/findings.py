"""What a check of one queue found, and how to say so to people and to programs."""

from dataclasses import dataclass, field
from typing import Any

from ..units import counted

__all__ = ["Finding", "QueueCheck", "shown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not as it was written.

    file: in the queue's directory. first, stop: the ids concerned; 0, 0 if they are not known.
    """

    file: str
    what: str
    first: int = 0
    stop: int = 0

    def __str__(self) -> str:
        ids = ""
        if self.stop - self.first == 1:
            ids = f"item {self.first}: "
        elif self.stop:
            ids = f"items {self.first} to {self.stop - 1}: "
        return f"{self.file}: {ids}{self.what}"


@dataclass(slots=True)
class QueueCheck:
    """One queue. directory: its name on disk; name: None if nothing tells it any more. engine: of its
    journal, "" if it could not be looked at.

    items: whole ones that somebody is to get; kept: those of them that no server would serve, because
    they lie behind a gap or were passed over with one. damaged, missing: ids that are not whole, and
    that are not there at all. waiting: how many each consumer would be served, b"" being the queue's
    own. notes: what is not as usual and no damage. refused: why it could not be looked at; "" if it
    was. mended: what a repair did, if there was one.
    """

    directory: str
    name: bytes | None = None
    engine: str = ""
    items: int = 0
    damaged: int = 0
    missing: int = 0
    kept: int = 0
    waiting: dict[bytes, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: str = ""
    mended: str = ""

    @property
    def is_clean(self) -> bool:
        return not (self.findings or self.kept or self.refused)

    def find(self, finding: Finding) -> None:
        """Take down a finding; one that only goes on where the last one ended is a part of that."""
        last = self.findings[-1] if self.findings else None
        if (
            last
            and last.stop
            and (last.file, last.what, last.stop)
            == (
                finding.file,
                finding.what,
                finding.first,
            )
        ):
            self.findings[-1] = Finding(last.file, last.what, last.first, finding.stop)
        else:
            self.findings.append(finding)

    def as_dict(self) -> dict[str, Any]:
        return {
            "queue": self.title,
            "directory": self.directory,
            "engine": self.engine or None,
            "clean": self.is_clean,
            "items": self.items,
            "damaged": self.damaged,
            "missing": self.missing,
            "kept": self.kept,
            "waiting": {shown(name): count for name, count in self.waiting.items()},
            "damage": [
                {"file": each.file, "first": each.first, "stop": each.stop, "what": each.what}
                for each in self.findings
            ],
            "notes": self.notes,
            "refused": self.refused or None,
            "repair": self.mended or None,
        }

    @property
    def title(self) -> str:
        return self.directory if self.name is None else shown(self.name)

    def lines(self) -> list[str]:
        if self.refused:
            return [f"{self.title}: NOT CHECKED: {self.refused}"]
        counts = [counted(self.items, "item")]
        counts += [
            f"{count:,} {what}"
            for count, what in (
                (self.damaged, "damaged"),
                (self.missing, "missing"),
                (self.kept, "kept but not served"),
            )
            if count
        ]
        lines = [f"{self.title}: {', '.join(counts)}{': clean' if self.is_clean else ''}"]
        lines += [f"  damage: {each}" for each in self.findings]
        lines += [f"  note: {each}" for each in self.notes]
        if self.mended:
            lines.append(f"  repair: {self.mended}")
        return lines


def shown(name: bytes) -> str:
    """A name for people and for JSON: bytes that are no UTF-8 are shown as `\\xff`."""
    return name.decode("utf-8", "backslashreplace")
