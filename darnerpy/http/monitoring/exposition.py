"""The two text formats that Prometheus reads: its own, 0.0.4, and OpenMetrics 1.0.

Owns how a family of samples is written in each, and which of the two a client asks for. Knows no metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Family", "OPENMETRICS", "Format", "PROMETHEUS", "format_for", "labels"]


class Family(NamedTuple):
    """name: without `_total`. kind: gauge, counter, histogram, info or stateset. unit: that ends the name."""

    name: str
    kind: str
    help: str
    unit: str = ""


class Format:
    def __init__(self, media_type: bytes, open_metrics: bool) -> None:
        self.media_type = media_type
        self._open = open_metrics
        self.end = "# EOF\n" if open_metrics else ""

    def head(self, family: Family) -> str:
        """What comes before the samples of a family."""
        name, kind = family.name, family.kind
        if not self._open:
            name = self.sample(family)
            kind = "gauge" if kind in ("info", "stateset") else kind
        lines = f"# HELP {name} {_escaped(family.help, quotes=self._open)}\n# TYPE {name} {kind}\n"
        return lines + f"# UNIT {name} {family.unit}\n" if self._open and family.unit else lines

    def sample(self, family: Family) -> str:
        """What a sample of the family is called, of a histogram without its suffix."""
        suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
        return family.name + suffix

    def line(self, family: Family, value: float, label: str = "") -> str:
        return f"{self.sample(family)}{label} {number(value)}\n"

    def one(self, family: Family, value: float, label: str = "") -> str:
        """A family of one sample."""
        return self.head(family) + self.line(family, value, label)

    def histogram(
        self, family: Family, bounds: Sequence[int], counts: Sequence[int], total: int
    ) -> str:
        """bounds, total: in microseconds; the family is in seconds."""
        lines = [self.head(family)]
        below = 0
        for bound, count in zip(bounds, counts, strict=False):
            below += count
            lines.append(f'{family.name}_bucket{{le="{number(bound / 1e6)}"}} {below}\n')
        below += counts[-1]
        lines.append(f'{family.name}_bucket{{le="+Inf"}} {below}\n')
        lines.append(f"{family.name}_sum {number(total / 1e6)}\n{family.name}_count {below}\n")
        return "".join(lines)


PROMETHEUS = Format(b"text/plain; version=0.0.4; charset=utf-8", open_metrics=False)
OPENMETRICS = Format(
    b"application/openmetrics-text; version=1.0.0; charset=utf-8", open_metrics=True
)


def number(value: float) -> str:
    return repr(value)


def labels(values: Mapping[str, str]) -> str:
    """Labels between braces; "" if there are none."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def format_for(accept: str) -> Format:
    """By what a client says it accepts; Prometheus's own unless the other is asked for at least as much."""
    plain = opened = 0.0
    for given in _accepted(accept):
        media_type, parameters = given
        weight = _weight(parameters.get("q", "1"))
        if media_type == "application/openmetrics-text":
            if parameters.get("version", "1.0.0") in ("1.0.0", "0.0.1"):
                opened = max(opened, weight)
        elif media_type in ("text/plain", "text/*", "*/*"):
            plain = max(plain, weight)
    return OPENMETRICS if opened and opened >= plain else PROMETHEUS


def _accepted(accept: str) -> Iterable[tuple[str, dict[str, str]]]:
    for part in accept.lower().split(","):
        media_type, *rest = (word.strip() for word in part.split(";"))
        pairs = (word.partition("=") for word in rest)
        yield media_type, {name.strip(): value.strip(' "') for name, _, value in pairs}


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
