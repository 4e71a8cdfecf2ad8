"""Any service that speaks the HTTP API of Prometheus, as a source: instant queries now, range queries for the past."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from outgrow.errors import SourceError
from outgrow.points.declaration import Signal
from outgrow.ports import Clock, History, Observation, Sample
from outgrow.quantities import iso_date
from outgrow.signals.promql import absence_promql, label_text, promql_duration, promql_of
from outgrow.signals.series import Series, series_of
from outgrow.sources.fetching import Answer, Fetcher, HttpSettings, Late, TooLarge, Unreachable, without_query

MAX_POINTS = 11_000
"""Points a series that one range query may ask for; Prometheus ``web/api/v1/api.go``, ``queryRange``."""

_HALVINGS = 3  # of a part of the past that is too much for the server
_MAX_MEMBERS = 500
_PARALLEL = 4
_PATIENCE = 3  # × timeout, for all queries of one observation together
_TIME_TOLERANCE_SECONDS = 1.0


class PrometheusSettings(HttpSettings):
    """The keys of ``{kind: prometheus, …}`` in ``sources``."""

    url: str = Field(description="Where the API is, e.g. http://127.0.0.1:9090; a path before /api/v1 is kept.")
    missing_targets: Literal["unknown", "accept"] = Field(
        "unknown", description="What a signal is while one of its targets is down: unknown, or the sum of the rest."
    )

    @model_validator(mode="after")
    def _url_can_be_asked(self) -> Self:
        if "?" in self.checked_url(self.url):
            raise ValueError("url: the address of the API has no ?query")
        return self


def open_source(config: Mapping[str, Any], clock: Clock, memory: object = None) -> PrometheusSource:
    """The source for the settings in ``outgrow.yaml``. Nothing is asked yet.

    Args:
        config: the settings.
        clock, memory: the port's; a server needs neither, for times come with each observation.

    Raises:
        pydantic.ValidationError: the settings are wrong.
    """
    del clock, memory
    return PrometheusSource(PrometheusSettings.model_validate(dict(config)))


@dataclass(frozen=True, slots=True)
class _Element:
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(slots=True)
class _Past:
    """What range queries of one signal have given so far."""

    points: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    parts: int = 0


class _QueryRefused(SourceError):
    """The server works, but not for this query."""


class _TooMuch(_QueryRefused):
    """The query reads more than the server is willing to; a shorter past might do."""


class PrometheusSource:
    """A Prometheus-compatible server. Each signal is a query of its own, so that a bad one does not lose the others."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._fetcher = Fetcher(settings)
        self._method = "POST"

    @property
    def name(self) -> str:
        """The name given in the file, else the kind."""
        return self._settings.name or "prometheus"

    def close(self) -> None:
        """Give the connections back."""
        self._fetcher.close()

    def reachable(self) -> str | None:
        """None when it answers a query, else the reason in words."""
        try:
            self._ask("query", query="1")
        except Exception as why:
            return _reason(why, self._where)
        return None

    def observe(self, signals: Mapping[str, Signal], at: float) -> Observation:
        """One instant query a signal (two with ``by``) at ``at``; never raises for what the server does."""
        if not signals:
            return Observation()
        try:
            doubtful = self._some_target_missing(signals, at)
        except Exception as why:
            return Observation(unknown=dict.fromkeys(signals, _reason(why, self._where)))
        deadline = time.monotonic() + _PATIENCE * self._settings.timeout

        def read(item: tuple[str, Signal]) -> tuple[Sample, ...] | str:
            try:
                if time.monotonic() > deadline:
                    return f"{self._where} was too slow with other queries; this one was not asked"
                return self._read(*item, at, doubtful)
            except Exception as why:
                return _reason(why, self._where)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            answers = dict(zip(signals, pool.map(read, signals.items()), strict=True))
        return Observation(
            tuple(sample for answer in answers.values() if not isinstance(answer, str) for sample in answer),
            {name: answer for name, answer in answers.items() if isinstance(answer, str)},
        )

    def history(self, signals: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        """Range queries in parts of at most ``MAX_POINTS`` points; what some parts lack is a gap, with its reason.

        Never raises for what the server does.

        Raises:
            ValueError: the step is not positive.
        """
        if not step_seconds > 0:
            raise ValueError(f"a step must be positive, got {step_seconds}")
        series: dict[tuple[str, str], Series] = {}
        unknown: dict[str, str] = {}
        with ThreadPoolExecutor(_PARALLEL) as pool:
            pasts = pool.map(lambda signal: self._past(signal, start, end, step_seconds), signals.values())
            for (name, signal), past in zip(signals.items(), pasts, strict=True):
                try:
                    read = {key: series_of(name, signal.unit, *points) for key, points in past.points.items()}
                except Exception as why:
                    past.failures.append(_reason(why, self._where))
                    read = {}
                series |= {(name, member): one for member, one in read.items() if len(one)}
                if past.failures:
                    missing = f"{len(past.failures)} of {past.parts} parts of its past are missing: "
                    unknown[name] = (missing if past.parts > 1 else "") + past.failures[0]
                elif not any(key[0] == name for key in series):
                    unknown[name] = self._no_past(start, end)
        return History(series, unknown)

    def _no_past(self, start: float, end: float) -> str:
        always = " while all its targets were up" if self._settings.missing_targets == "unknown" else ""
        return f"{self._where} has no value of it from {iso_date(start)} to {iso_date(end)}{always}"

    @property
    def _where(self) -> str:
        return self._settings.url.rstrip("/")

    def _some_target_missing(self, signals: Mapping[str, Signal], at: float) -> bool:
        """Whether any target at all failed lately: asked once, so that all is well costs one query."""
        if self._settings.missing_targets == "accept":
            self._ask("query", query="1", time=_time(at))
            return False
        window = promql_duration(max(signal.window for signal in signals.values()) or 1)
        try:
            return bool(self._instant(f"count(min_over_time(up[{window}]) == 0)", at))
        except _QueryRefused:
            return False

    def _read(self, name: str, signal: Signal, at: float, doubtful: bool) -> tuple[Sample, ...]:
        absence = absence_promql(signal) if doubtful else None
        missing = self._instant(absence, at) if absence else []
        if missing:
            shown = ", ".join(sorted(one.labels.get("instance") or label_text(one.labels) for one in missing)[:3])
            raise SourceError(
                f"{len(missing)} of its targets ({shown}) down or only just back: the rest would pass for the whole; "
                "bring it back or take it out of Prometheus, or set missing_targets: accept on this source"
            )
        query = promql_of(signal)
        elements = self._instant(query, at)
        if signal.promql is not None and signal.by:
            return _members(name, signal.by, query, elements, at)
        whole = Sample(name, at, _number(_single(elements, query), query))
        if not signal.by:
            return (whole,)
        by_member = promql_of(signal, by_member=True)
        return (whole, *_members(name, signal.by, by_member, self._instant(by_member, at), at))

    def _past(self, signal: Signal, start: float, end: float, step_seconds: float) -> _Past:
        past = _Past()
        try:
            queries = [("", promql_of(signal))]
            if signal.by:
                queries = [*(queries if signal.promql is None else []), (signal.by, promql_of(signal, by_member=True))]
            absence = absence_promql(signal) if self._settings.missing_targets == "unknown" else None
        except ValueError as wrong:
            return _Past(failures=[str(wrong)], parts=1)
        for by, query in queries:
            guarded = f"({query}) unless on () ({absence})" if absence else query
            for part in _parts(start, end, step_seconds):
                if not self._add_part(past, by, guarded, part, step_seconds, _HALVINGS):
                    return past
        return past

    def _add_part(
        self, past: _Past, by: str, query: str, part: tuple[float, int], step_seconds: float, halvings: int
    ) -> bool:
        """Ask for one part, in halves where it is too much; False when asking on is useless."""
        start, count = part
        past.parts += 1
        try:
            elements = self._range(query, start, start + (count - 1) * step_seconds, step_seconds)
            for member, element in _by_member(by, query, elements):
                times, values = past.points.setdefault(member, ([], []))
                times.extend(element.times)
                values.extend(element.values)
        except (Late, TooLarge, _TooMuch) as why:
            if halvings and count > 1:
                past.parts -= 1
                half = count // 2
                halves = ((start, half), (start + half * step_seconds, count - half))
                return all(self._add_part(past, by, query, one, step_seconds, halvings - 1) for one in halves)
            past.failures.append(str(why))
            return not isinstance(why, Late)
        except Exception as why:
            past.failures.append(_reason(why, self._where))
            return not isinstance(why, Unreachable)
        return True

    def _instant(self, query: str, at: float) -> list[_Element]:
        elements = self._ask("query", query=query, time=_time(at))
        for element in elements:
            if abs(element.times[0] - at) > _TIME_TOLERANCE_SECONDS:
                raise SourceError(
                    f"{self._where} answered for {_time(element.times[0])} when asked for {_time(at)}: "
                    "its time, or that of a cache before it, has gone elsewhere"
                )
        return elements

    def _range(self, query: str, start: float, end: float, step_seconds: float) -> list[_Element]:
        step = f"{step_seconds:.3f}"
        elements = self._ask("query_range", query=query, start=_time(start), end=_time(end), step=step)
        for element in elements:
            rising = all(before < after for before, after in pairwise(element.times))
            if not rising or element.times[0] < start - _TIME_TOLERANCE_SECONDS or element.times[-1] > end + 1:
                raise SourceError(f"{self._where} gave times that go back, or that were not asked for")
        return elements

    def _ask(self, endpoint: str, **form: str) -> list[_Element]:
        url = f"{self._where}/api/v1/{endpoint}"
        form["timeout"] = promql_duration(self._settings.timeout)
        answer = self._fetcher.fetch(url, accept="application/json", form=form, method=self._method)
        if answer.status == 405 and self._method == "POST":  # some gateways let only GET through
            self._method = "GET"
            answer = self._fetcher.fetch(url, accept="application/json", form=form)
        return _elements(_data(answer, self._where), self._where)


def _data(answer: Answer, where: str) -> Mapping[str, Any]:
    """The ``data`` of an answer of the API. Raises ``SourceError`` for anything that is not a whole success."""
    if 300 <= answer.status < 400:
        target = without_query(answer.location)[:200]
        raise SourceError(f"{where} redirects to {target}; write the address of the API itself")
    if answer.status in (401, 403):
        raise SourceError(f"{where} does not let us in ({answer.status}); check username, password_file or token_file")
    if answer.media_type != "application/json":
        raise SourceError(
            f"{where} answered {answer.status} with {answer.media_type or 'no content type'} instead of JSON; "
            "is that the address of a Prometheus API?"
        )
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise SourceError(f"{where} answered {answer.status} with something that is not JSON") from None
    if not isinstance(document, dict):
        raise SourceError(f"{where} answered {answer.status}, but not as a Prometheus API does")
    if document.get("status") == "error":
        kind, text = document.get("errorType"), str(document.get("error"))
        refusal = _TooMuch if kind == "timeout" or "too many samples" in text else _QueryRefused
        raise refusal(f"{where} refused the query: {_short(text if document.get('error') else kind)}")
    if answer.status != 200 or document.get("status") != "success" or not isinstance(document.get("data"), dict):
        raise SourceError(f"{where} answered {answer.status}, but not as a Prometheus API does")
    given = document.get("warnings")
    warnings = [one for one in given if not str(one).startswith("PromQL info")] if isinstance(given, list) else []
    if warnings:  # a store that did not answer, series left out: what is there would pass for the whole
        raise _QueryRefused(f"{where} warns that its answer may not be whole: {_short(warnings[0])}")
    data: dict[str, Any] = document["data"]
    return data


def _elements(data: Mapping[str, Any], where: str) -> list[_Element]:
    kind, result = data.get("resultType"), data.get("result")
    try:
        if kind == "scalar":
            return [_element({}, [result])]
        if kind == "vector":
            return [_element(one["metric"], [one["value"]]) for one in result or ()]
        if kind == "matrix":
            return [_element(one["metric"], one["values"]) for one in result or ()]
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise SourceError(f"{where} gave a result that cannot be read") from None
    raise _QueryRefused(f"the query gives a {_short(kind)} where a number is needed")


def _element(labels: Mapping[str, str], points: Any) -> _Element:
    times = tuple(float(point[0]) for point in points)
    if not times:
        raise ValueError("no points")
    named = {str(k): str(v) for k, v in labels.items()}
    "".join([*named, *named.values()]).encode()  # a lone surrogate cannot be kept; UnicodeEncodeError is a ValueError
    return _Element(named, times, tuple(float(point[1]) for point in points))


def _single(elements: list[_Element], query: str) -> _Element:
    if not elements:
        raise SourceError(
            f"{query} gives nothing: no such series, or too few samples within its window; check metric and labels, "
            "and that a counter is exported before it first counts"
        )
    if len(elements) > 1:
        shown = ", ".join(label_text(one.labels) for one in elements[:3])
        raise SourceError(
            f"{query} is ambiguous: it gives {len(elements)} series ({shown}) where one number is needed; aggregate it"
        )
    return elements[0]


def _number(element: _Element, query: str) -> float:
    value = element.values[0]
    if math.isnan(value):
        raise SourceError(f"{query} gives NaN: nothing was counted within its window, or a target returned NaN")
    if math.isinf(value):
        raise SourceError(f"{query} gives {value}: a division by zero, or a target returned it")
    return value


def _by_member(by: str, query: str, elements: list[_Element]) -> Iterator[tuple[str, _Element]]:
    """Each element with its member; the whole alone where there is no ``by``. No elements: a gap."""
    if not by:
        if elements:
            yield "", _single(elements, query)
        return
    if len(elements) > _MAX_MEMBERS:
        raise SourceError(f"{query} has {len(elements)} members, more than the {_MAX_MEMBERS} that can be kept")
    seen = set[str]()
    for element in elements:
        member = element.labels.get(by, "")
        if member in seen:
            raise SourceError(f'{query} is ambiguous: several series have {by}="{member}"; aggregate it by ({by})')
        seen.add(member)
        if member:
            yield member, element


def _members(name: str, by: str, query: str, elements: list[_Element], at: float) -> tuple[Sample, ...]:
    members = tuple(Sample(name, at, _number(one, query), member) for member, one in _by_member(by, query, elements))
    if not members:
        raise SourceError(f"{query} gives no series with a label {by}")
    return members


def _parts(start: float, end: float, step_seconds: float) -> Iterator[tuple[float, int]]:
    """Start and number of points of each range query."""
    count = math.floor((end - start) / step_seconds + 1e-9) + 1
    for first in range(0, count, MAX_POINTS):
        yield start + first * step_seconds, min(MAX_POINTS, count - first)


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _short(text: object) -> str:
    readable = str(text).encode("utf-8", "replace").decode()
    return " ".join("".join(one if one.isprintable() else " " for one in readable).split())[:300]


def _reason(why: Exception, where: str) -> str:
    """Why there is no value. What no one foresaw in an answer costs this value only, never the others' round."""
    if isinstance(why, SourceError | ValueError) and not isinstance(why, UnicodeError):
        return str(why)
    return f"{where} gave an answer that cannot be read ({type(why).__name__})"
