"""``outgrow plan --cost``: the bill along the plan, the work, what a month early or late costs, and the runway."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outgrow.quantities import significant
from outgrow.reports.plan_table import folded, stamp, stamp_lines
from outgrow.reports.plan_words import (
    asked_text,
    clean,
    day_text,
    development_text,
    headline,
    label,
    money_text,
    runway_text,
)
from outgrow.schedule.records import CostPath, CostPoint, Plan

MOST_ROWS = 16


def cost_table(plan: Plan, width: int) -> RenderableType:
    """The cost view of a plan for a terminal of ``width`` columns, at least 60."""
    cost = plan.cost
    parts: list[RenderableType] = [*stamp(plan)]
    title = f"The bill along this plan, in {clean(cost.currency)} a month"
    parts += [folded(Text(title, style="bold")), folded(Text(asked_text(plan), style="dim")), Text()]
    if cost.path:
        parts.append(_path(plan, min(width, 110)))
        if not all(point.growing_known or point.monthly is None for point in cost.path):
            parts.append(folded(Text("+ and a part that grows with users, which is not declared", style="dim")))
        parts.append(Text())
    if plan.rewrites:
        parts += [_months(plan, min(width, 110)), Text()]
    parts += [_line("work", development_text(cost)), _line("runway", runway_text(cost))]
    parts += [_line("" if place else "unknown", f"· {clean(why)}") for place, why in enumerate(cost.unknown)]
    said = headline(plan)
    parts += [Text(), folded(Text.assemble((f"{said.headline}: ", "bold"), said.sentence))]
    return Group(*parts)


def cost_lines(plan: Plan) -> Iterator[str]:
    """The same as lines of tab-separated facts; the first field says what a line is."""
    cost = plan.cost
    for point in cost.path:
        share = point.monthly_per_user
        ratio = "unknown" if share is None else f"{significant(share)} a user"
        facts = [day_text(point.at), f"{_users(point)} users", money_text(point.monthly, cost.currency), ratio]
        yield "\t".join(["bill", *facts, names_in_place(plan, point)])
    for one in plan.rewrites:
        prices = one.candidate.prices
        early, late = (money_text(price, cost.currency) for price in (prices.early, prices.late))
        yield f"month\t{label(one.candidate)}\tearly: {early}\tlate: {late}"
    yield f"work\t{development_text(cost)}"
    yield f"runway\t{runway_text(cost)}"
    for why in cost.unknown:
        yield f"unknown\t{clean(why)}"
    yield from stamp_lines(plan)


def rows_shown(cost: CostPath, most: int = MOST_ROWS) -> tuple[CostPoint, ...]:
    """The first and the last point, those at which an option arrives, and between them as many as there is room for."""
    path = cost.path
    changes = {i for i in range(1, len(path)) if path[i].with_options != path[i - 1].with_options}
    kept = {0, len(path) - 1, *changes}
    step = next(
        step for step in (1, 2, 3, 6, 12, 24, 60, 120, len(path)) if len(path) / step <= max(most - len(kept), 1)
    )
    return tuple(point for i, point in enumerate(path) if i in kept or i % step == 0)


def names_in_place(plan: Plan, point: CostPoint) -> str:
    """The option the bill is that of: the last one in place, as ``3A Services and workers``."""
    if not point.with_options:
        return "as it is now"
    last = point.with_options[-1]
    names = {f"{one.candidate.point}/{one.candidate.option}": label(one.candidate) for one in plan.rewrites}
    return names.get(last, clean(last))


def _path(plan: Plan, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(12, width - 62))
    table.add_row(*(Text(head, style="dim") for head in ("", "users", "a month", "a user", "with")))
    before = ""
    for point in rows_shown(plan.cost):
        share, name = point.monthly_per_user, names_in_place(plan, point)
        known = point.monthly is not None
        bill = f"{point.monthly:,.0f}{'' if point.growing_known else '+'}" if known else "unknown"
        table.add_row(
            day_text(point.at),
            _users(point),
            Text(bill, style="" if known else "yellow"),
            Text("–" if share is None else significant(share), style="dim"),
            Text("" if name == before else name, style="bold" if point.with_options else "dim"),
        )
        before = name
    return table


def _users(point: CostPoint) -> str:
    users = point.users
    low, mid, high = (significant(value) for value in (users.low, users.mid, users.high))
    return mid if low == high else f"{mid} ({low}–{high})"


def _months(plan: Plan, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(16, width - 50))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(head, style="dim") for head in ("what a month costs", "too early", "past the wall")))
    for one in plan.rewrites:
        cells = [
            money_text(price, plan.cost.currency) for price in (one.candidate.prices.early, one.candidate.prices.late)
        ]
        table.add_row(
            Text(label(one.candidate)), *(Text(cell, style="yellow" if cell == "unknown" else "") for cell in cells)
        )
    return table


def _line(head: str, words: str) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=8)
    table.add_column(overflow="fold")
    table.add_row(Text(head, style="bold"), Text(words, style="dim" if words.startswith("·") else ""))
    return table
