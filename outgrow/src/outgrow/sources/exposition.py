"""What a target exposes, read strictly enough to notice a lie: the text format of Prometheus, and OpenMetrics."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_fd_to_metric_families as openmetrics_families
from prometheus_client.parser import text_fd_to_metric_families as text_families
from prometheus_client.samples import Sample as ParsedSample
from prometheus_client.samples import Timestamp

from outgrow.errors import SourceError
from outgrow.sources.fetching import Answer

ACCEPT = (  # the formats and weights Prometheus itself asks with
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
_OPENMETRICS = "application/openmetrics-text"

_MAX_LINE = 65_536
"""Characters of a line with a sample: the parser's time grows with their square."""

_SERIES = re.compile(r'[^{\s]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?')

_Parser = Callable[[TextIO], Iterable[Metric]]
_PARSE_OPENMETRICS: _Parser = openmetrics_families
_PARSE_TEXT: _Parser = text_families


@dataclass(frozen=True, slots=True)
class Exposed:
    """One line of an exposition: ``time`` is seconds since the epoch where the target states one."""

    metric: str
    labels: dict[str, str]
    value: float
    time: float | None


def exposed(answer: Answer) -> Iterator[Exposed]:
    """The samples of a target's answer, in its order, with the names they have on the wire.

    Each line is read on its own, so that names are not changed to suit their declared type and the line of an error is
    known.

    Raises:
        SourceError: the status, the content type or any line is not what a target gives.
    """
    if answer.status != 200:
        raise SourceError(_status(answer))
    if answer.media_type not in ("", "text/plain", _OPENMETRICS):
        raise SourceError(f"it answers with {answer.media_type}, not with metrics; is that its metrics address?")
    try:
        lines = answer.body.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise SourceError("its answer is not text in UTF-8") from None
    if lines[-1] and not answer.framed:
        raise SourceError(f"its answer breaks off in the middle of line {len(lines)}")
    openmetrics = answer.media_type == _OPENMETRICS
    ended = any(line.rstrip() == "# EOF" for line in lines[-2:])
    if openmetrics and not ended:
        raise SourceError(
            "it claims to send OpenMetrics, but the last line is not # EOF: it breaks off or is another format"
        )
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) > _MAX_LINE:
            raise SourceError(
                f"line {number} of its answer has {len(line):,} characters, more than the {_MAX_LINE:,} that are read"
            )
        sample = _sample(line, number, openmetrics)
        if sample.timestamp is not None and ended and not openmetrics:
            raise SourceError("it claims to send plain text, but sends OpenMetrics with times of its own")
        yield Exposed(sample.name, sample.labels, float(sample.value), _seconds(sample.timestamp))


def _sample(line: str, number: int, openmetrics: bool) -> ParsedSample:
    try:
        text = line.rstrip("\r")
        if openmetrics:
            parsed = _PARSE_OPENMETRICS(io.StringIO(f"{_without_exemplar(text)}\n# EOF\n"))
        else:
            parsed = _PARSE_TEXT(io.StringIO(text))
        samples = [sample for family in parsed for sample in family.samples]
        if len(samples) == 1 and samples[0].value is not None:
            return samples[0]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        pass  # the parser has no one error for a line that is none
    shown = repr(line[:60] + ("…" if len(line) > 60 else ""))
    raise SourceError(f"line {number} of its answer is no metric: {shown}")


def _without_exemplar(line: str) -> str:
    series = _SERIES.match(line)
    end = series.end() if series else 0
    return line[:end] + line[end:].partition(" # ")[0]


def _status(answer: Answer) -> str:
    if answer.status in (401, 403):
        return f"it does not let us in ({answer.status}); check username, password_file or token_file"
    if 300 <= answer.status < 400:
        return f"it redirects elsewhere ({answer.status}); write the address of the metrics themselves"
    return f"it answered {answer.status}"


def _seconds(timestamp: float | Timestamp | None) -> float | None:
    return None if timestamp is None else float(timestamp)
