"""Numbers with doubt and units: intervals, durations, growth rates, and how a person reads them.

Times are seconds since the Unix epoch (UTC) as ``float``; durations are seconds; growth is a ratio a month.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
WEEK = 7 * DAY
MONTH = 365.25 / 12 * DAY
YEAR = 365.25 * DAY
WEEKS_PER_MONTH = MONTH / WEEK

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_BYTES = {
    "": 1.0,
    "k": 1e3,
    "m": 1e6,
    "g": 1e9,
    "t": 1e12,
    "ki": 2.0**10,
    "mi": 2.0**20,
    "gi": 2.0**30,
    "ti": 2.0**40,
}
_QUANTITY = re.compile(r"([-+]?\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?)\s*([a-zA-Zµ%]*)")


@dataclass(frozen=True, slots=True)
class Interval:
    """A quantity with doubt: ``low ≤ mid ≤ high`` hold it with ``confidence`` (0.8 = 10th to 90th percentile).

    ``high`` may be infinite ("may never happen"); none of the three is NaN.
    """

    low: float
    mid: float
    high: float
    confidence: float = 0.8

    def __post_init__(self) -> None:
        if any(math.isnan(v) for v in (self.low, self.mid, self.high)) or not self.low <= self.mid <= self.high:
            raise ValueError(f"an interval needs low ≤ mid ≤ high, got {self.low}, {self.mid}, {self.high}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence lies between 0 and 1, got {self.confidence}")

    def scaled(self, factor: float) -> Interval:
        """The interval times a positive ``factor``."""
        return Interval(self.low * factor, self.mid * factor, self.high * factor, self.confidence)


def parse_duration(text: str) -> float:
    """Seconds from ``10m``, ``1h30m``, ``500ms``, ``28d``; the units of Prometheus.

    Raises ``ValueError`` with what would be right.
    """
    stripped = text.strip()
    if not stripped or _DURATION.sub("", stripped):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 10m, 1h30m or 28d")
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in _DURATION.findall(stripped))


def format_duration(seconds: float) -> str:
    """The shortest exact Prometheus-style text: 600 → ``10m``, 5400 → ``1h30m``, 0.5 → ``500ms``."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    left, parts = round(seconds), []
    for unit in ("w", "d", "h", "m", "s"):
        size = int(_DURATION_UNITS[unit])
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_growth(text: str) -> float:
    """Growth a month as a ratio: ``15%`` → 0.15, ``0.15`` → 0.15; a bare number of 1 or more is ambiguous.

    Raises ``ValueError``.
    """
    stripped = text.strip()
    try:
        value = float(stripped[:-1]) / 100 if stripped.endswith("%") else float(stripped)
    except ValueError:
        raise ValueError(f"{text!r} is not a growth rate; write for example 15%") from None
    if abs(value) >= 1 and not stripped.endswith("%"):
        raise ValueError(f"{text!r} could mean {text}% or {value:.0%}; write for example 15%")
    if not -0.9 <= value <= 10 or math.isnan(value):
        raise ValueError(f"growth of {text} a month is outside -90% to 1000%; write for example 15%")
    return value


def parse_quantity(value: float | str, unit: str) -> float:
    """A number in base units from what people write: ``8GB``/``16GiB`` → bytes, ``500ms`` → seconds, ``95%`` → .95.

    Args:
        value: a number (taken as already in base units) or a text with a suffix.
        unit: the signal's base unit: ``seconds``, ``bytes``, ``ratio`` or any other word.

    Raises:
        ValueError: the suffix does not belong to the unit.
    """
    if not isinstance(value, str):
        return float(value)
    match = _QUANTITY.fullmatch(value.strip())
    number, suffix = (float(match[1].replace("_", "")), match[2]) if match else (math.nan, "")
    if match and not suffix:
        return number
    if match and unit == "seconds" and suffix in _DURATION_UNITS:
        return number * _DURATION_UNITS[suffix]
    if match and unit == "bytes" and suffix[-1] in "bB" and suffix[:-1].lower() in _BYTES:
        return number * _BYTES[suffix[:-1].lower()]
    if match and unit == "ratio" and suffix == "%":
        return number / 100
    examples = {"seconds": "5s or 500ms", "bytes": "8GB or 8GiB", "ratio": "95% or 0.95"}.get(unit, "a plain number")
    raise ValueError(f"{value!r} is not a quantity in {unit}; write {examples}")


def format_quantity(value: float, unit: str) -> str:
    """A value as a person reads it: ``3.2 s``, ``840 ms``, ``8 GB``, ``95 %``, ``120/s``."""
    if math.isnan(value):
        return "no value"
    if unit == "seconds":
        if abs(value) < 0.9995:
            return f"{significant(value * 1000)} ms"
        return f"{significant(value)} s" if abs(value) < 2 * HOUR else f"{significant(value / DAY)} days"
    if unit == "bytes":
        for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= size:
                return f"{significant(value / size)} {name}"
        return f"{significant(value)} B"
    if unit == "ratio":
        return f"{significant(value * 100)} %"
    if unit.endswith("per_second"):
        return f"{significant(value)}/s"
    return significant(value)


def significant(value: float, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits, grouped by thousands, never in exponent form below 1e15."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    if decimals == 0:
        places = digits - 1 - math.floor(math.log10(abs(value)))
        return f"{round(value, places):,.0f}"
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def at_date(seconds: float) -> date:
    """The UTC date of a time in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).date()


def iso_date(seconds: float) -> str | None:
    """ISO 8601 date, or ``None`` for "never" (infinite) and times beyond the year 9999."""
    if not math.isfinite(seconds) or seconds > 253_402_300_799:
        return None
    return at_date(seconds).isoformat()


def parse_time(text: str) -> float:
    """Seconds since the epoch from ISO 8601 (UTC when no zone is given) or from a plain number of seconds.

    Numbers above 1e11 are read as milliseconds (k6 and Prometheus exports use them).
    """
    stripped = text.strip()
    try:
        number = float(stripped)
    except ValueError:
        try:
            moment = datetime.fromisoformat(stripped)
        except ValueError:
            raise ValueError(
                f"{text!r} is not a time; write 2026-03-01, 2026-03-01T12:00:00Z or Unix seconds"
            ) from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a time")
    return number / 1000 if abs(number) > 1e11 else number
