"""Two plans side by side, made on the same luck: the one without what-ifs, and the one with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outgrow.reports.plan_json import plan_fields
from outgrow.reports.plan_table import folded, stamp, stamp_lines
from outgrow.reports.plan_words import (
    chance_text,
    clean,
    day_text,
    headline,
    interval_text,
    label,
    money_text,
)
from outgrow.schedule.records import Plan, PlannedRewrite


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two plans differ, each side in words; ``about`` is a point's id, "" for the whole plan.

    ``moved`` says by how much, where that can be said: ``8 weeks earlier``, ``12 points less``.
    """

    about: str
    what: str
    without: str
    given: str
    moved: str = ""


def differences(without: Plan, given: Plan) -> tuple[Difference, ...]:
    """What differs, the whole plan first and then each rewrite; empty where the plans say the same."""
    found = [*_of_the_whole(without, given)]
    before = {one.candidate.point: one for one in without.rewrites}
    after = {one.candidate.point: one for one in given.rewrites}
    for point in dict.fromkeys([*before, *after]):
        found += _of_a_rewrite(point, before.get(point), after.get(point))
    return tuple(one for one in found if one.without != one.given)


def compare_table(without: Plan, given: Plan, width: int) -> RenderableType:
    """Both answers and a row for each difference, for a terminal of ``width`` columns."""
    parts: list[RenderableType] = [*stamp(given)]
    for name, plan in (("as it is", without), ("what if", given)):
        said = headline(plan)
        tone = "green" if plan.feasible else "red"
        parts.append(folded(Text.assemble((f"{name}  ", "dim"), (f"{said.headline}: ", f"bold {tone}"), said.sentence)))
    found = differences(without, given)
    if not found:
        return Group(*parts, Text(), folded(Text("Nothing differs: the what-ifs change neither dates nor chances.")))
    sizes = (20, 22, 22, max(12, min(width, 100) - 64))
    parts += [Text(), Text(f"{'':20}{'as it is':22}what if", style="dim")]
    about = ""
    for one in found:
        if one.about != about:
            parts.append(Text(_name(one.about, without, given), style="bold", overflow="ellipsis", no_wrap=True))
            about = one.about
        table = Table.grid()
        for size in sizes:
            table.add_column(width=size, overflow="fold")
        what = f"  {one.what}" if one.about else one.what
        table.add_row(Text(what), Text(one.without, style="dim"), Text(one.given), Text(one.moved, style="cyan"))
        parts.append(table)
    return Group(*parts, Text(), folded(Text(_same_luck(without, given), style="dim")))


def compare_lines(without: Plan, given: Plan) -> Iterator[str]:
    """The same as lines of tab-separated facts."""
    for name, plan in (("as it is", without), ("what if", given)):
        said = headline(plan)
        yield f"verdict\t{name}\t{said.code}\t{said.headline}: {said.sentence}"
    for one in differences(without, given):
        yield "\t".join(("differs", one.about or "plan", one.what, one.without, one.given, one.moved))
    yield from stamp_lines(given)


def compare_fields(without: Plan, given: Plan) -> dict[str, Any]:
    """For programs: the plan without what-ifs as ``without``, and the ``differences``."""
    return {"without": plan_fields(without), "differences": [asdict(one) for one in differences(without, given)]}


def _of_the_whole(without: Plan, given: Plan) -> Iterator[Difference]:
    points = round(100 * (given.in_time_ratio - without.in_time_ratio))
    yield Difference(
        *("", "everything in time", chance_text(without.in_time_ratio), chance_text(given.in_time_ratio)),
        f"{abs(points)} point{'' if abs(points) == 1 else 's'} {'more' if points > 0 else 'less'}" if points else "",
    )
    yield Difference("", "growth a month", _growth(without), _growth(given))
    yield Difference("", "users now", f"{without.users_now:,.0f}", f"{given.users_now:,.0f}")
    yield Difference("", "people", str(without.people), str(given.people))
    yield Difference("", "starts", _starts(without), _starts(given))
    order = [", ".join(label(one.candidate) for one in plan.rewrites) for plan in (without, given)]
    if {one.candidate.point for one in without.rewrites} == {one.candidate.point for one in given.rewrites}:
        names = [[one.candidate.point for one in plan.rewrites] for plan in (without, given)]
        if names[0] != names[1]:
            yield Difference("", "order", *order)
    work = [interval_text(plan.cost.development_weeks, "person-weeks") for plan in (without, given)]
    yield Difference("", "work", *work)
    bills = [plan.cost.path[-1].monthly if plan.cost.path else None for plan in (without, given)]
    last = [money_text(bill, plan.cost.currency) for bill, plan in zip(bills, (without, given), strict=True)]
    yield Difference("", "bill at the end", *last)


def _of_a_rewrite(point: str, before: PlannedRewrite | None, after: PlannedRewrite | None) -> Iterator[Difference]:
    if before is None or after is None:
        yield Difference(point, "planned", "yes" if before else "no", "yes" if after else "no")
        return
    yield Difference(point, "option", label(before.candidate), label(after.candidate))
    yield Difference(point, "who", clean(before.who), clean(after.who))
    yield _moved(point, "start", before.start, after.start)
    yield _moved(point, "latest start", before.start_window[1], after.start_window[1])
    yield _moved(point, "finished (50 %)", before.finish[1], after.finish[1])
    yield _moved(point, "the wall (50 %)", before.wall[1], after.wall[1])
    yield Difference(point, "in time", _in_time(before), _in_time(after))


def _moved(point: str, what: str, before: date | None, after: date | None) -> Difference:
    moved = ""
    if before is not None and after is not None and before != after:
        days = abs((after - before).days)
        size = f"{days} day{'' if days == 1 else 's'}" if days < 14 else f"{round(days / 7)} weeks"
        moved = f"{size} {'later' if after > before else 'earlier'}"
    return Difference(point, what, day_text(before), day_text(after), moved)


def _name(point: str, without: Plan, given: Plan) -> str:
    found = next(one.candidate for one in (*given.rewrites, *without.rewrites) if one.candidate.point == point)
    return f"{found.number} {clean(found.title)}"


def _growth(plan: Plan) -> str:
    return f"{round(100 * plan.growth_per_month.mid, 1):g} % {plan.growth_source}"


def _starts(plan: Plan) -> str:
    return "as early as the rules allow" if plan.start_rule == "early" else "at the milestones"


def _in_time(one: PlannedRewrite) -> str:
    return "past already" if one.in_time_ratio is None else chance_text(one.in_time_ratio)


def _same_luck(without: Plan, given: Plan) -> str:
    seeds = {plan.solution.seed for plan in (without, given) if plan.solution is not None}
    seed = f", seed {seeds.pop()}" if len(seeds) == 1 else ""
    return f"both reckoned on the same luck: {given.scenarios:,} scenarios{seed}"
