"""``outgrow plan`` in a terminal: the answer, each rewrite, the picture, what gives. And the same as plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outgrow.points.declaration import TimeOff
from outgrow.reports.plan_gantt import gantt
from outgrow.reports.plan_words import (
    asked_text,
    buys,
    chance_text,
    clean,
    cost_text,
    day_text,
    facts_text,
    give_text,
    headline,
    label,
    last_start_text,
    needed_text,
    prototype_text,
    reckoned_text,
    rehearsal_text,
    restless_text,
    span_text,
    useless_text,
    wall_text,
)
from outgrow.schedule.records import Plan, PlannedRewrite

WIDEST = 120
_TABLE = 100
_COLUMNS = (13, 5, 12, 12, 7)
"""Starts, shares, finishes, walls and chances; what is left of the width is for names."""

_TONES = {"carried": "green", "nothing-ahead": "green", "not-carried": "red", "late": "red", "nobody-free": "red"}


def plan_table(plan: Plan, width: int, time_off: Sequence[TimeOff] = ()) -> RenderableType:
    """Everything a terminal of ``width`` columns shows, the next command apart.

    Args:
        plan: the record.
        width: columns there are; at least 60.
        time_off: absences and freezes, for the picture.
    """
    said = headline(plan)
    parts: list[RenderableType] = [
        *stamp(plan),
        folded(Text.assemble((f"{said.headline}: ", f"bold {_TONES[said.code]}"), said.sentence)),
        folded(Text(asked_text(plan), style="dim")),
        Text(),
    ]
    if plan.rewrites:
        parts += [*_rewrites(plan, min(width, _TABLE)), Text(), *gantt(plan, min(width, WIDEST), time_off), Text()]
    for point, why in plan.not_planned:
        parts.append(folded(Text.assemble(("not planned ", "bold"), clean(point), (f": {clean(why)}", "dim"))))
    if plan.not_planned:
        parts.append(Text())
    parts += _gives(plan)
    parts.append(folded(Text.assemble(("bill ", "bold"), (cost_text(plan.cost), "dim"))))
    parts += [folded(Text(f"· {clean(note)}", style="dim")) for note in plan.notes]
    parts.append(folded(Text(f"· {reckoned_text(plan)}", style="dim")))
    return Group(*parts)


def plan_lines(plan: Plan) -> Iterator[str]:
    """The same as lines of tab-separated facts, without colour or pictures; the first field says what a line is."""
    said = headline(plan)
    yield f"verdict\t{said.code}\t{said.headline}: {said.sentence}"
    yield f"asked\t{asked_text(plan)}"
    for one in plan.rewrites:
        facts = [
            "rewrite",
            clean(one.candidate.point),
            label(one.candidate),
            clean(one.who),
            needed_text(one.candidate),
        ]
        facts.append(f"start: {day_text(one.start)}, {span_text(*one.start_window)}")
        facts.append(f"finish: {_three(one.finish)}")
        facts.append("wall: past already" if one.candidate.past else f"wall: {_three(one.wall)}")
        facts.append(wall_text(one.candidate.wall))
        facts.append(f"in time: {_in_time(one)}")
        if one.prototype is not None:
            facts.append(f"prototype: {prototype_text(one.prototype)}")
        facts += [f"decide by: {day_text(one.decide_by)}"] if one.decide_by else []
        facts += [f"held by: {clean(one.held_by)}"] if one.held_by else []
        facts += [restless_text(one)] if restless_text(one) else []
        yield "\t".join(facts)
    for point, why in plan.not_planned:
        yield f"not planned\t{clean(point)}\t{clean(why)}"
    for give in plan.gives:
        enough = "enough" if give.enough else "not enough"
        yield f"gives\t{give_text(give, plan.cost.currency)}\t{chance_text(give.in_time_ratio)}\t{enough}"
    yield f"bill\t{cost_text(plan.cost)}"
    for note in plan.notes:
        yield f"note\t{clean(note)}"
    yield f"reckoned\t{reckoned_text(plan)}"
    yield from stamp_lines(plan)


def stamp(plan: Plan) -> list[Text]:
    """What no view of a rehearsal may leave out; empty for what is real."""
    return [Text(rehearsal_text(plan), style="reverse")] if rehearsal_text(plan) else []


def stamp_lines(plan: Plan) -> list[str]:
    """The same as a plain line."""
    return [f"note\t{rehearsal_text(plan)}"] if rehearsal_text(plan) else []


def folded(text: Text, width: int | None = None) -> Table:
    """Text that folds at the console's width (or at ``width``) even where the console leaves long lines alone."""
    table = Table.grid()
    table.add_column(overflow="fold", max_width=width)
    table.add_row(text)
    return table


def _rewrites(plan: Plan, width: int) -> Iterator[RenderableType]:
    columns = (width - sum(_COLUMNS), *_COLUMNS)
    heads = ("", "start", "", "finished", "the wall", "in time")
    yield Text("".join(f"{head:{size}}" for head, size in zip(heads, columns, strict=True)).rstrip(), style="dim")
    for one in plan.rewrites:
        yield Text("─" * width, style="bright_black")
        table = Table.grid(padding=0)
        for size in columns:
            table.add_column(width=size, no_wrap=True, overflow="ellipsis")
        for row in _rows(one, columns[0] - 1):
            table.add_row(*row)
        yield table
        for note in (facts_text(one), clean(one.held_by), restless_text(one)):
            if note:
                yield _hanging(note, width)
    yield Text("─" * width, style="bright_black")
    yield folded(
        Text.assemble(
            *(("start: the first possible day, ", "dim"), ("the planned one", "bold")),
            (f", {last_start_text(plan)} · finished and wall: 10, 50 and 90 %", "dim"),
        ),
        width,
    )


def _rows(one: PlannedRewrite, room: int) -> Iterator[tuple[Text, ...]]:
    """Three rows: 10, 50 and 90 %; beside them the first, the planned and the last start, and the words."""
    candidate, prototype = one.candidate, one.prototype
    need = needed_text(candidate)
    words = (
        Text(label(candidate), style="bold"),
        Text(f"  {_cut(clean(one.who), room - 5 - len(need))} · {need}", style="dim"),
        Text(f"  ◇ {prototype_text(prototype)}" if prototype else "", style="dim"),
    )
    starts = (one.start_window[0], one.start, one.start_window[1])
    walls = ("past", "", "") if candidate.past else tuple(day_text(day) for day in one.wall)
    for row, share in enumerate(("10 %", "50 %", "90 %")):
        words[row].truncate(room, overflow="ellipsis")
        middle = row == 1
        yield (
            words[row],
            Text(day_text(starts[row]), style="bold" if middle else "dim"),
            Text(share, style="dim"),
            Text(day_text(one.finish[row]), style="" if middle else "dim"),
            Text(walls[row], style="red" if candidate.past else "" if middle else "dim"),
            Text(_in_time(one), style=_tone(one)) if row == 0 else Text(),
        )


def _cut(text: str, room: int) -> str:
    words = Text(text)
    words.truncate(max(room, 3), overflow="ellipsis")
    return words.plain


def _hanging(note: str, width: int) -> Table:
    table = Table.grid()
    table.add_column(width=4)
    table.add_column(overflow="fold", max_width=width - 4)
    table.add_row(Text("  ↳", style="dim"), Text(note, style="dim"))
    return table


def _tone(one: PlannedRewrite) -> str:
    if one.in_time_ratio is None:
        return "red"
    return "green" if one.in_time_ratio >= 0.9 else "yellow" if one.in_time_ratio >= 0.5 else "red"


def _in_time(one: PlannedRewrite) -> str:
    return "–" if one.in_time_ratio is None else chance_text(one.in_time_ratio)


def _gives(plan: Plan) -> Iterator[RenderableType]:
    if not plan.gives:
        return
    yield Text.assemble(("What gives ", "bold"), ("one thing at a time, cheapest first, and the chance then", "dim"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for give in [give for give in plan.gives if buys(give, plan)]:
        tone = "green" if give.enough else "yellow"
        sign = "✓" if give.enough else "✗"
        chance = Text(f"{sign} {chance_text(give.in_time_ratio)}", style=tone)
        table.add_row(chance, Text(give_text(give, plan.cost.currency), style="" if give.enough else "dim"))
    if table.row_count:
        yield table
    if useless_text(plan):
        yield folded(Text(useless_text(plan), style="dim"))
    yield Text()


def _three(days: tuple[date | None, date | None, date | None]) -> str:
    return " / ".join(day_text(day) for day in days)
