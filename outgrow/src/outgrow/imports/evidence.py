"""Evidence from a file (``outgrow/evidence/v1``), and as it is kept in the ledger.

A file is JSON: measured rounds of several arms, or a ratio somebody else measured. It is read as a whole, or refused
with its line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from outgrow.errors import ImportRefused
from outgrow.evidence.body import evidence_body, evidence_of, facts_of_arms
from outgrow.evidence.intervals import MOST_PAIRS
from outgrow.evidence.records import (
    EVIDENCE_SCHEMA,
    Arm,
    Evidence,
    Fit,
    ReportedRatio,
    Round,
    TriggerMeasure,
)
from outgrow.imports.files import open_text
from outgrow.imports.json_lines import PathParts, line_of, load
from outgrow.points.declaration import TUNE, Identifier, Quantity
from outgrow.quantities import Interval, parse_time

__all__ = ["evidence_body", "evidence_of", "read_evidence"]

MAX_CHARACTERS = 8_000_000
"""A thousand rounds of ten arms, each on lines of its own, take a tenth of this."""

MOST_ARMS = 20
_AS_IT_IS = ("current", "untuned", "baseline")
_TUNED = (TUNE, "tuned")
_LOOKED_AT = 50
_BOUNDS = {
    "greater than or equal to 0.000000001": "a nanosecond or more",
    "less than or equal to 1000000000": "a billion seconds or less",
    "greater than or equal to 0.000001": "a millionth or more",
    "less than or equal to 1000000": "a million or less",
    "greater than or equal to": "at least",
}
_EARLIEST, _LATEST = 631_152_000.0, 4_102_444_800.0
_NEXT = "docs/reference/evidence.md shows the format with two complete examples"


def _plain_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("should be a number")
    return value


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number, or a text with a unit such as 4.1s or 95%")
    return value


def _date(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip()[:4].isdigit() or "-" not in value:
        raise ValueError("should be a date such as 2026-03-01")
    moment = parse_time(value)
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("should lie between 1990 and 2100")
    return moment


def _share(value: Any) -> Any:
    if isinstance(value, int | float) and 1 < value <= 100:
        raise ValueError(f"should lie between 0.5 and 1; write {value / 100:g} for {value:g} %")
    return _plain_number(value)


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should hold printable text only")
    return value


def _named(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


Number = Annotated[float, BeforeValidator(_plain_number), Field(allow_inf_nan=False)]
Seconds = Annotated[Number, Field(ge=1e-9, le=1e9)]
Times = Annotated[Number, Field(ge=1e-6, le=1e6)]
Positive = Annotated[Number, Field(gt=0, le=1e15)]
NotNegative = Annotated[Number, Field(ge=0, le=1e18)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, BeforeValidator(_plain_number), Field(ge=0, le=10**15)]
Bound = Annotated[Quantity, BeforeValidator(_no_truth), Field(ge=0)]
Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_printable)]
Confidence = Annotated[float, BeforeValidator(_share), Field(ge=0.5, lt=1, allow_inf_nan=False)]
Facts = Annotated[Text, BeforeValidator(_as_text)]
Moment = Annotated[float, BeforeValidator(_date)]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Arm(_Given):
    id: Identifier
    option: Identifier | None = None
    capacity_per_second: Positive | None = None
    recall: Share | None = None
    parity: Share | None = None
    memory_bytes: NotNegative | None = None
    disk_bytes: NotNegative | None = None
    monthly_cost: NotNegative | None = None
    left_out: Text | None = None


class _Round(_Given):
    round: Count
    arm: str
    order: Count
    p95_seconds: Seconds
    sent: Annotated[Count, Field(ge=1)]
    dropped: Count
    p50_seconds: Seconds | None = None
    throughput_per_second: NotNegative | None = None


class _Ratio(_Given):
    low: Times
    mid: Times
    high: Times
    confidence: Confidence


class _Fit(_Given):
    arm: str
    rounds: Count
    ratio: _Ratio | None = None
    why_not: Text | None = None


class _Value(_Given):
    low: Bound
    mid: Bound
    high: Bound
    confidence: Confidence


class _Measure(_Given):
    arm: str
    trigger: Identifier
    users: Annotated[Number, Field(gt=0)]
    value: _Value


class _File(_Given):
    schema_: Literal["outgrow/evidence/v1"] = Field(alias="schema")
    point: Identifier
    date: Moment | None = None
    source: Text | None = None
    baseline: Text | None = None
    baseline_tuned: Annotated[bool, Field(strict=True)] | None = None
    arms: Annotated[tuple[Annotated[_Arm, BeforeValidator(_named)], ...], Field(max_length=MOST_ARMS)] = ()
    rounds: Annotated[tuple[_Round, ...], Field(max_length=MOST_ARMS * MOST_PAIRS)] = ()
    option: Identifier | None = None
    ratio: _Ratio | None = None
    measures: Annotated[tuple[_Measure, ...], Field(max_length=1000)] = ()
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] | None = None
    versions: Annotated[dict[Text, Facts], Field(max_length=100)] = {}
    machine: Annotated[dict[Text, Facts], Field(max_length=100)] = {}
    simulated: Annotated[bool, Field(strict=True)] = False
    fit: _Fit | None = None
    rate_per_second: Positive | None = None
    load_ratio: Annotated[Number, Field(gt=0, le=1)] | None = None
    interrupted: Annotated[bool, Field(strict=True)] = False


def read_evidence(path: Path) -> Evidence:
    """The evidence in a file.

    Where the file says no date, it is as old as the file; where it says no source, that is the file's name.

    Raises:
        UsageError: there is no such file, or it cannot be opened.
        ImportRefused: it is broken, with the line of the first thing wrong.
    """
    with open_text(path) as text:
        content = text.lines.read(MAX_CHARACTERS + 1)
    if len(content) > MAX_CHARACTERS:
        raise _refused(path, 1, f"it is larger than {MAX_CHARACTERS:,} characters")
    data = _parsed(path, content)
    try:
        given = _File.model_validate(data)
    except ValidationError as error:
        place, message = _first_refusal(error, content)
        raise _refused(path, line_of(content, place), f"{_dotted(place)}: {message}") from None
    for place, message in _contradictions(given):
        raise _refused(path, line_of(content, place), f"{_dotted(place)}: {message}")
    return _evidence(given, path, hashlib.sha256(_canonical(data)).hexdigest()[:32])


def _evidence(given: _File, path: Path, digest: str) -> Evidence:
    arms = tuple(_arm(each) for each in given.arms)
    return Evidence(
        point=given.point,
        made_at=path.stat().st_mtime if given.date is None else given.date,
        source=given.source or path.name,
        baseline=given.baseline or "",
        baseline_tuned=_baseline_tuned(given, arms),
        digest=digest,
        arms=arms,
        rounds=tuple(Round(**each.model_dump()) for each in given.rounds),
        reported=()
        if given.ratio is None
        else (ReportedRatio(given.option or "", Interval(**given.ratio.model_dump())),),
        measures=tuple(
            TriggerMeasure(each.arm, each.trigger, each.users, Interval(**each.value.model_dump()))
            for each in given.measures
        ),
        seed=given.seed,
        versions=given.versions,
        machine=given.machine,
        simulated=given.simulated,
        facts=facts_of_arms([each.model_dump() for each in given.arms]),
        fit=None if given.fit is None else _fit(given.fit),
        rate_per_second=given.rate_per_second,
        load_ratio=given.load_ratio,
        interrupted=given.interrupted,
    )


def _fit(given: _Fit) -> Fit:
    ratio = Interval(**given.ratio.model_dump()) if given.ratio else None
    return Fit(given.arm, ratio, given.rounds, given.why_not or "")


def _arm(given: _Arm) -> Arm:
    """An arm; one without a word on its option is the service as it is, tuned, or the option of its name."""
    if "option" in given.model_fields_set:
        return Arm(given.id, given.option)
    if given.id.lower() in _AS_IT_IS:
        return Arm(given.id, None)
    return Arm(given.id, TUNE if given.id.lower() in _TUNED else given.id)


def _baseline_tuned(given: _File, arms: Sequence[Arm]) -> bool:
    if given.baseline_tuned is not None:
        return given.baseline_tuned
    option = next((arm.option for arm in arms if arm.id == given.baseline), (given.baseline or "").lower())
    return option in _TUNED


def _contradictions(given: _File) -> Iterator[tuple[PathParts, str]]:
    """What no single field shows, as (path, message)."""
    if not given.rounds and given.ratio is None and not given.measures:
        yield (), "holds neither rounds, nor a ratio, nor measures"
    if given.ratio is not None:
        if given.rounds:
            yield ("ratio",), "stands beside rounds; a file holds what was measured or what was reported, not both"
        for key in ("source", "date", "baseline"):
            if not getattr(given, key):
                yield ("ratio",), f"needs {key}: {_WANTED[key]}"
        yield from _order(("ratio",), given.ratio)
    elif given.option is not None:
        yield ("option",), "belongs to a reported ratio; an arm names its own option"
    yield from _arm_contradictions(given)
    yield from _round_contradictions(given)
    names = {_arm(each).id for each in given.arms}
    if given.fit is not None:
        if given.fit.arm not in names:
            yield ("fit", "arm"), f"{given.fit.arm!r} is none of the arms"
        if given.fit.ratio is not None:
            yield from _order(("fit", "ratio"), given.fit.ratio)
    for place, measure in enumerate(given.measures):
        path: PathParts = ("measures", place)
        if measure.arm not in names:
            yield (*path, "arm"), f"{measure.arm!r} is none of the arms"
        yield from _order((*path, "value"), measure.value)


_WANTED = {
    "source": "who measured it",
    "date": "when, such as 2026-03-01",
    "baseline": "what it was compared with; tune for the tuned service",
}


def _order(path: PathParts, given: _Ratio | _Value) -> Iterator[tuple[PathParts, str]]:
    if given.low > given.high:
        yield path, f"low ({given.low:g}) is above high ({given.high:g})"
    elif not given.low <= given.mid <= given.high:
        yield (*path, "mid"), f"{given.mid:g} does not lie between low ({given.low:g}) and high ({given.high:g})"


def _arm_contradictions(given: _File) -> Iterator[tuple[PathParts, str]]:
    arms = [_arm(each) for each in given.arms]
    seen: dict[str, str] = {}
    for place, arm in enumerate(arms):
        if arm.id in (other.id for other in arms[:place]):
            yield ("arms", place), f"{arm.id!r} stands twice"
        elif arm.option is not None and arm.option in seen:
            yield ("arms", place), f"{seen[arm.option]!r} stands for option {arm.option!r} already; leave one out"
        if arm.option is not None:
            seen.setdefault(arm.option, arm.id)
    if given.rounds and len(arms) < 2:
        yield ("rounds",), "needs two arms or more under arms"
    baseline = next((arm for arm in arms if arm.id == given.baseline), None)
    if given.rounds and given.baseline and baseline is None:
        yield ("baseline",), f"{given.baseline!r} is none of the arms"
    if given.baseline_tuned is False and (baseline.option if baseline else given.baseline) in _TUNED:
        yield ("baseline_tuned",), "says no, but the baseline is the tuned service; leave it out"
    if given.baseline_tuned and not given.baseline:
        yield ("baseline_tuned",), "needs baseline: which arm it is about"
    if given.baseline_tuned and baseline is not None and baseline.option not in (None, TUNE):
        yield ("baseline_tuned",), f"the baseline stands for option {baseline.option!r}, which is no tuned service"


def _round_contradictions(given: _File) -> Iterator[tuple[PathParts, str]]:
    names = {_arm(each).id for each in given.arms}
    seen, orders = set[tuple[int, str]](), set[tuple[int, int]]()
    for place, each in enumerate(given.rounds):
        path: PathParts = ("rounds", place)
        if each.arm not in names:
            yield (*path, "arm"), f"{each.arm!r} is none of the arms"
        if each.dropped > each.sent:
            yield (*path, "dropped"), f"{each.dropped:,} dropped of {each.sent:,} sent"
        if (each.round, each.arm) in seen:
            yield path, f"{each.arm} stands twice in round {each.round}"
        if (each.round, each.order) in orders:
            yield (*path, "order"), f"two arms of round {each.round} have the order {each.order}"
        seen.add((each.round, each.arm))
        orders.add((each.round, each.order))
    if len({number for number, _ in seen}) > MOST_PAIRS:
        yield ("rounds",), f"more than {MOST_PAIRS:,} rounds"


def _parsed(path: Path, content: str) -> dict[str, Any]:
    try:
        data, twice = load(content)
    except json.JSONDecodeError as error:
        raise _refused(path, error.lineno, f"this is not JSON: {error.msg}") from None
    except RecursionError:
        raise _refused(path, 1, "it is nested too deeply") from None
    except ValueError:  # an integer of thousands of digits
        raise _refused(path, 1, "it holds a number too large to be read") from None
    if not isinstance(data, dict):
        raise _refused(path, 1, "it is no JSON object")
    if twice is not None:
        raise _refused(path, line_of(content, twice), f"{_dotted(twice)}: stands twice")
    if data.get("schema") != EVIDENCE_SCHEMA:
        said = f"schema is {data['schema']!r}" if "schema" in data else "it has no schema"
        line = line_of(content, ("schema",)) if "schema" in data else 1
        raise _refused(path, line, f'{said[:80]}, not "{EVIDENCE_SCHEMA}"')
    return data


def _first_refusal(error: ValidationError, content: str) -> tuple[PathParts, str]:
    """The refusal that stands first in the file, in words."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:_LOOKED_AT]:
        path = tuple(part for part in item["loc"] if part != "[key]")
        found.append((line_of(content, path), path, _words(item)))
    _, path, message = min(found, key=lambda each: each[0])
    return path, message


def _words(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "extra_forbidden":
        return "this key is not known here"
    if kind == "missing":
        return "is missing"
    for bound, words in _BOUNDS.items():
        message = message.replace(bound, words)
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _dotted(path: PathParts) -> str:
    return ".".join(part if str(part).isprintable() else repr(part) for part in map(str, path))[:200] or "(file)"


def _refused(path: Path, line: int, message: str) -> ImportRefused:
    return ImportRefused(str(path), line, message, next_step=_NEXT)


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
