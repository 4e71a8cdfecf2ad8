"""What a single field cannot show: contradictions between the parts of a declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from outgrow.points.declaration import TUNE, AnswersRule, Declaration, Point, RatioRule, Signal, Team, Trigger
from outgrow.quantities import parse_duration, parse_quantity

Contradiction = tuple[tuple[str | int, ...], str]

READINGS = ("quantile", "rate", "ratio", "value", "max")

_PROBABILITIES = ("grows-faster-than-users", "worse-though-scaled-out")
_OF_A_PROBABILITY = ("direction", "when", "clears_at", "within", "share", "for")
WITHOUT_MEANING: dict[str, tuple[str, ...]] = {
    "threshold": ("share", "within"),
    "fact": ("for", "when", "direction", "share"),
    "spread": ("within", "when", "direction"),
    **dict.fromkeys(_PROBABILITIES, _OF_A_PROBABILITY),
}
"""Trigger kind → the keys that it would ignore; who writes one expects something of it."""


def contradictions(declaration: Declaration, data: dict[str, Any]) -> Iterator[Contradiction]:
    """Every contradiction as (path, message).

    Args:
        declaration: the validated file.
        data: the same file as plain data, for what validation has already turned into numbers (``8GB``).
    """
    known = declaration.signals
    for key in ("users", "load", "utilisation"):
        use = getattr(declaration, key)
        if use is not None:
            yield from _unknown_signal((key, "signal"), use.signal, known)
    if list(declaration.milestones) != sorted(set(declaration.milestones)):
        yield ("milestones",), "must rise from one milestone to the next"
    for name, signal in known.items():
        yield from _signal(name, signal)
    if declaration.time_scale and parse_duration(declaration.time_scale.partition("=")[2]) <= 0:
        yield ("time_scale",), "must be longer than nothing; write for example 1s=1d"
    yield from _sources(declaration, data)
    yield from _ledger(declaration.ledger)
    yield from _twice(("points",), [point.id for point in declaration.points])
    options = {f"{point.id}/{option.id}" for point in declaration.points for option in point.options}
    for index, point in enumerate(declaration.points):
        path = ("points", index)
        yield from _ladder(path, point)
        yield from _moved((*path, "migration"), point, known)
        yield from _validated((*path, "validation"), point)
        yield from _twice((*path, "triggers"), [trigger.id for trigger in point.triggers])
        if all(trigger.confirms for trigger in point.triggers):
            yield (*path, "triggers"), "nothing here can fire: at least one trigger must not merely confirm"
        yield from _twice((*path, "options"), [option.id for option in point.options])
        for place, trigger in enumerate(point.triggers):
            where = (*path, "triggers", place)
            raw = _raw(data, where)
            yield from _trigger(where, trigger, declaration, raw if isinstance(raw, dict) else {})
            if trigger.kind == "threshold" and trigger.when == "normal-load" and data.get("load") is None:
                yield (*where, "when"), "normal-load needs to know the load: declare load: {signal: …}"
        yield from _options(path, point, options)
        yield from _rule(path, point)
    yield from _team(declaration.team)
    if "{" in declaration.handbook.replace("{point}", ""):
        yield ("handbook",), "knows {point} only, which becomes the id of the point"
    if not any(declaration.criteria.model_dump().values()):
        yield ("criteria",), "at least one weight must be above zero"


def _raw(data: Any, path: tuple[str | int, ...]) -> Any:
    """What is written at ``path``, or None."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def _sources(declaration: Declaration, data: dict[str, Any]) -> Iterator[Contradiction]:
    """A source goes by its ``name``, else by its kind; a signal may ask for one by it."""
    if not declaration.sources and data.get("sources"):
        return
    for index, source in enumerate(declaration.sources):
        if (_raw(data, ("sources", index, "kind")), _raw(data, ("sources", index, "name"))) != (
            source.kind,
            source.name,
        ):
            return  # a wrong one was left out, so that names are not known
    names = [source.name or source.kind for source in declaration.sources]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("sources", index), f"is the second source named {name!r}; give each a name of its own"
    for signal_name, signal in declaration.signals.items():
        if signal.source is not None and signal.source not in names:
            near = _near(signal.source, set(names)) or f"; declared: {', '.join(names) or 'none'}"
            yield ("signals", signal_name, "source"), f"there is no source {signal.source!r}{near}"


_PASSWORD_IN_URL = re.compile(r"://[^/?#@]*:[^@?#]+@|[?&](ssl)?password=", re.IGNORECASE)


def _ledger(location: str | None) -> Iterator[Contradiction]:
    if location is not None and "://" in location and _PASSWORD_IN_URL.search(location):
        yield (
            ("ledger",),
            "a password would stand in the file for all to read; keep it in a pgpass or service file, or give the "
            "whole URL as OUTGROW_LEDGER in the environment",
        )


def _moved(path: tuple[str | int, ...], point: Point, signals: dict[str, Signal]) -> Iterator[Contradiction]:
    """What does not go together in a declared migration."""
    move = point.migration
    if move is None:
        return
    if move.source == move.target:
        yield (*path, "target"), f"is {move.target!r}, and so is source: a move goes from a store to another one"
    signal = move.pace.p95_signal
    if signal:
        yield from _unknown_signal((*path, "pace", "p95_signal"), signal, signals)
    if move.pace.p95_limit is not None and not signal:
        yield (*path, "pace", "p95_limit"), "needs p95_signal: the declared signal that is held against it"
    if signal and move.pace.p95_limit is None:
        yield (*path, "pace", "p95_signal"), "needs p95_limit: above which value the move waits"
    if move.pace.baseline == "require" and point.validation is None:
        yield (*path, "pace", "baseline"), "requires what nothing measures: declare validation, or write try"
    if move.truth is not None and "://" in move.truth and not _POSTGRESQL.match(move.truth):
        yield (*path, "truth"), "is no URL of a PostgreSQL database; write postgresql://host/database"
    elif move.truth is not None and _PASSWORD_IN_TRUTH.search(move.truth):
        yield (
            (*path, "truth"),
            "a password would stand in the file for all to read; keep it in a password file or in PGPASSWORD",
        )


_POSTGRESQL = re.compile(r"postgres(ql)?://")
_PASSWORD_IN_TRUTH = re.compile(r"://[^/?#@]*:[^@]+@|[?&](ssl)?password=", re.IGNORECASE)


def _validated(path: tuple[str | int, ...], point: Point) -> Iterator[Contradiction]:
    """What does not go together in a declared validation; an experiment that names its arms itself knows better."""
    validation = point.validation
    arms = [arm.id for arm in validation.workload.arms] if validation else []
    if validation is None or not arms:
        return
    for key, arm in (("before", validation.before), ("after", validation.after)):
        if arm not in arms:
            yield (*path, key), f"{arm!r} is none of the workload's arms: {', '.join(arms)}"
    if validation.before == validation.after:
        yield (*path, "after"), f"is {validation.after!r}, and so is before: they are two arms"


def _signal(name: str, signal: Signal) -> Iterator[Contradiction]:
    path = ("signals", name)
    given = [reading for reading in READINGS if getattr(signal, reading) is not None]
    if signal.imported is not None:
        if signal.metric or signal.promql or given:
            yield (*path, "imported"), "stands alone: leave out metric and its reading, or imported"
        return
    if signal.promql is not None:
        if signal.metric or given:
            yield (*path, "promql"), "stands alone: leave out metric and its reading, or promql"
        return
    if signal.metric is None:
        yield path, "needs a metric and one of quantile, rate, ratio, value, max; or promql; or imported: true"
    elif len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "has none"
        yield path, f"needs exactly one of quantile, rate, ratio, value, max; {said}"
    if signal.by and (signal.quantile is not None or signal.ratio is not None):
        yield (*path, "by"), "works with value, rate and max only"
    if signal.window <= 0 and signal.value is None:
        yield (*path, "window"), "must be longer than zero"


def _trigger(
    path: tuple[str | int, ...], trigger: Trigger, declaration: Declaration, raw: dict[str, Any]
) -> Iterator[Contradiction]:
    known = declaration.signals
    for key in WITHOUT_MEANING[trigger.kind]:
        if key in raw:
            yield (*path, key), f"means nothing for kind {trigger.kind}; leave it out"
    yield from _thresholds(path, trigger)
    if trigger.kind == "fact":
        for key in ("signal", "replicas", "clears_at"):
            if getattr(trigger, key) is not None:
                yield (*path, key), "a fact is set by outgrow note and watches no signal"
        yield from _units(path, raw, "")
        return
    if trigger.signal is None:
        yield path, "needs a signal"
    else:
        yield from _unknown_signal((*path, "signal"), trigger.signal, known)
    if trigger.kind == "worse-though-scaled-out":
        if trigger.replicas is None:
            yield path, "needs replicas: the signal that counts them"
        else:
            yield from _unknown_signal((*path, "replicas"), trigger.replicas, known)
    elif trigger.replicas is not None:
        yield (*path, "replicas"), "belongs to kind worse-though-scaled-out"
    if trigger.kind == "spread" and trigger.signal in known and known[trigger.signal].by is None:
        yield (*path, "signal"), "spread needs a signal with by: (the label that holds the region)"
    if trigger.kind not in _PROBABILITIES and trigger.threshold is None:
        yield path, "needs a threshold"
    yield from _values(path, trigger, known, raw)


def _values(
    path: tuple[str | int, ...], trigger: Trigger, known: dict[str, Signal], raw: dict[str, Any]
) -> Iterator[Contradiction]:
    if trigger.kind in _PROBABILITIES:
        yield from _units(path, raw, "ratio")
        for key in ("threshold", "breaks_at"):
            value = getattr(trigger, key)
            if value is not None and not 0 < value < 1:
                yield (*path, key), "is a probability here: between 0 and 1"
    elif trigger.kind == "spread":
        yield from _units(path, raw, "")
    elif trigger.signal in known:
        unit = known[trigger.signal].unit
        yield from _units(path, raw, unit)
        if unit == "ratio":
            yield from _ratios(path, trigger)


def _ratios(path: tuple[str | int, ...], trigger: Trigger) -> Iterator[Contradiction]:
    for key in ("threshold", "breaks_at", "clears_at"):
        value = getattr(trigger, key)
        if value is not None and not 0 <= value <= 1:
            meant = f"write {value:g}% or {value / 100:g}" if 1 < value <= 100 else "it lies between 0 and 1"
            yield (*path, key), f"{value:g} of unit ratio: {meant}"


def _thresholds(path: tuple[str | int, ...], trigger: Trigger) -> Iterator[Contradiction]:
    sign = 1 if trigger.direction == "above" else -1
    if trigger.threshold is None:
        return
    if trigger.breaks_at is not None and sign * trigger.breaks_at < sign * trigger.threshold:
        yield (*path, "breaks_at"), f"must lie {trigger.direction} the threshold: the warning comes first"
    if trigger.clears_at is not None and sign * trigger.clears_at > sign * trigger.threshold:
        yield (*path, "clears_at"), "must lie on the quiet side of the threshold"


def _units(path: tuple[str | int, ...], raw: dict[str, Any], unit: str) -> Iterator[Contradiction]:
    """Suffixes that do not suit ``unit``; ``""`` is a bare count."""
    for key in ("threshold", "breaks_at", "clears_at"):
        if isinstance(raw.get(key), str):
            try:
                parse_quantity(raw[key], unit)
            except ValueError as error:
                yield (*path, key), str(error) if unit else f"{raw[key]!r} has a unit here; write a plain number"


def _ladder(path: tuple[str | int, ...], point: Point) -> Iterator[Contradiction]:
    if point.complete_before <= point.monitor_from:
        yield (*path, "complete_before"), f"must lie above monitor_from ({point.monitor_from:,})"
    if point.decide_by is not None and not point.monitor_from <= point.decide_by <= point.complete_before:
        yield (*path, "decide_by"), "must lie between monitor_from and complete_before"
    if point.users_range and point.users_range[1] is not None and point.users_range[1] < point.users_range[0]:
        yield (*path, "users_range"), "must rise"


def _team(team: Team) -> Iterator[Contradiction]:
    if team.always_operational > team.people:
        yield ("team", "always_operational"), "asks for more people than the team has"
    if len(team.names) > team.people:
        yield ("team", "names"), f"are {len(team.names)}, but the team has {team.people} people"
    for index, name in enumerate(team.names):
        if not name or name in team.names[:index]:
            yield ("team", "names", index), f"{name!r} stands twice" if name else "a name is empty"
    for index, off in enumerate(team.calendar):
        path = ("team", "calendar", index)
        if off.to < off.from_:
            yield (*path, "to"), f"must not lie before from ({off.from_})"
        if off.who is not None and off.kind == "freeze":
            yield (*path, "who"), "a freeze holds for everybody; leave it out"
        elif off.who is not None and off.who not in team.names:
            yield (*path, "who"), f"there is no {off.who!r} among names{_near(off.who, set(team.names))}"


def _options(path: tuple[str | int, ...], point: Point, all_options: set[str]) -> Iterator[Contradiction]:
    for index, option in enumerate(point.options):
        if option.effort_weeks[0] > option.effort_weeks[1]:
            yield (*path, "options", index, "effort_weeks"), "low is above high"
        yield from _twice((*path, "options", index, "variants"), [variant.id for variant in option.variants])
        for key in ("opens", "closes"):
            for place, other in enumerate(getattr(option, key)):
                full = other if "/" in other else f"{point.id}/{other}"
                if full not in all_options:
                    yield (
                        (*path, "options", index, key, place),
                        f"there is no option {other!r}{_near(full, all_options)}",
                    )
                elif full == f"{point.id}/{option.id}":
                    yield (*path, "options", index, key, place), "names the option itself"
                elif key == "closes" and other in option.opens:
                    yield (*path, "options", index, key, place), f"{other!r} stands under opens as well: which is it?"


def _rule(path: tuple[str | int, ...], point: Point) -> Iterator[Contradiction]:
    ids = {option.id for option in point.options}
    named: list[tuple[tuple[str | int, ...], str | None]] = []
    if isinstance(point.rule, RatioRule):
        if point.rule.migrate > point.rule.stay:
            yield (*path, "rule", "migrate"), "must not lie above stay"
        if point.rule.option == TUNE:
            yield (*path, "rule", "option"), "tune is the baseline that the others are compared with; name another"
        if point.rule.option is not None and point.rule.option == point.rule.otherwise:
            yield (*path, "rule", "otherwise"), "is the option that is judged; staying and migrating must differ"
        named = [(("option",), point.rule.option), (("otherwise",), point.rule.otherwise)]
    elif isinstance(point.rule, AnswersRule):
        named = [(("cases", place, "choose"), case.choose) for place, case in enumerate(point.rule.cases)]
        named.append((("otherwise",), point.rule.otherwise))
        facts = [case.fact for case in point.rule.cases]
        for place, case in enumerate(point.rule.cases):
            if case.fact in facts[:place]:
                yield (*path, "rule", "cases", place, "fact"), f"{case.fact!r} is asked twice"
            if case.answer is not None and not case.source:
                yield (*path, "rule", "cases", place), "an answer needs its source: who or what says so"
    for where, option in named:
        if option is not None and option not in ids:
            yield (*path, "rule", *where), f"there is no option {option!r} in this point{_near(option, ids)}"


def _unknown_signal(path: tuple[str | int, ...], name: str, known: dict[str, Signal]) -> Iterator[Contradiction]:
    if name not in known:
        yield path, f"there is no signal {name!r}{_near(name, set(known))}"


def _near(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _twice(path: tuple[str | int, ...], ids: list[str]) -> Iterator[Contradiction]:
    for index, name in enumerate(ids):
        if name in ids[:index]:
            yield (*path, index, "id"), f"{name!r} stands twice"
