"""Metrics: counts of requests, texts and batches → the text that Prometheus reads. Sixty lines instead of a package."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How often a number was at most so large."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one number."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterable[str]:
        """As Prometheus reads it: cumulative, then sum and count."""
        total = 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{name}_sum{{{labels}}} {self._sum:.6f}"
        yield f"{name}_count{{{labels}}} {total}"


class Metrics:
    """Everything a server counts. Requests are counted in the server's own thread, batches in others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._texts: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._batches: dict[str, Histogram] = {}
        self._computing: Counter[str] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests[route, status] += 1
        self._seconds.setdefault(route, Histogram(SECONDS)).add(seconds)

    def batch(self, model: str, texts: int, tokens: int, seconds: float) -> None:
        """One batch was embedded."""
        with self._lock:
            self._texts[model] += texts
            self._tokens[model] += tokens
            self._computing[model] += round(seconds * 1e6)
            self._batches.setdefault(model, Histogram(TEXTS)).add(texts)

    def embedded(self, model: str) -> int:
        """How many texts a model has embedded."""
        return self._texts[model]

    def rendered(self, gauges: Mapping[str, Mapping[str, float]]) -> str:
        """All of it.

        Parameters
        ----------
        gauges : what is so just now: name → labels (`model="…"`, or empty) → value
        """
        with self._lock:
            lines = ["# TYPE cosimo_requests_total counter"]
            for (route, status), count in sorted(self._requests.items()):
                lines.append(f'cosimo_requests_total{{route={quoted(route)},status="{status}"}} {count}')
            lines.append("# TYPE cosimo_request_seconds histogram")
            for route, histogram in sorted(self._seconds.items()):
                lines += histogram.lines("cosimo_request_seconds", f"route={quoted(route)}")
            lines.append("# TYPE cosimo_batch_texts histogram")
            for model, histogram in sorted(self._batches.items()):
                lines += histogram.lines("cosimo_batch_texts", f"model={quoted(model)}")
            for name, counts in (("texts", self._texts), ("tokens", self._tokens)):
                lines.append(f"# TYPE cosimo_{name}_total counter")
                lines += [f"cosimo_{name}_total{{model={quoted(model)}}} {count}" for model, count in sorted(counts.items())]
            lines.append("# TYPE cosimo_embedding_seconds_total counter")
            for model, count in sorted(self._computing.items()):
                lines.append(f"cosimo_embedding_seconds_total{{model={quoted(model)}}} {count / 1e6:.6f}")
        for name, values in gauges.items():
            lines.append(f"# TYPE cosimo_{name} gauge")
            lines += [
                f"cosimo_{name}{{{labels}}} {value:g}" if labels else f"cosimo_{name} {value:g}"
                for labels, value in values.items()
            ]
        return "\n".join(lines) + "\n"


def quoted(value: str) -> str:
    """A label's value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
