"""The plan as a picture of characters: a row a rewrite, months along the top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from rich.cells import set_cell_size
from rich.text import Text

from outgrow.points.declaration import TimeOff
from outgrow.reports.plan_words import label
from outgrow.schedule.records import Plan, PlannedRewrite

LABEL = 25
_TICKS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_TICK_CELLS = 10


def gantt(plan: Plan, width: int, time_off: Sequence[TimeOff] = ()) -> Iterator[Text]:
    """Lines of at most ``width`` cells; none where nothing is planned.

    A row shows the prototype, the days on which the rewrite may be under way, those planned (to the middle finish),
    and the wall at 10, 50 and 90 %; what lies beyond the last day drawn is left out.
    """
    if not plan.rewrites:
        return
    cells = width - LABEL - 1
    last = _last_day(plan)
    days = max(1, (last - plan.made_on).days)

    def at(day: date) -> int:
        return round((day - plan.made_on).days / days * cells)

    yield Text(" " * LABEL + _months(plan.made_on, last, cells, at), style="dim")
    for rewrite in plan.rewrites:
        name = set_cell_size(label(rewrite.candidate), LABEL - 1)
        yield Text(f"{name} ").append_text(_row(rewrite, cells, at))
    off = [one for one in time_off if one.to >= plan.made_on and one.from_ <= last]
    if off:
        yield _closed(off, plan.made_on, cells, at)
    yield _legend(off, width)


def _last_day(plan: Plan) -> date:
    """The day the picture ends: what is planned with its walls at 50 %, and of the walls' doubt what is near."""
    planned = [day for one in plan.rewrites for day in (*one.finish, one.start_window[1], one.wall[1]) if day]
    end = max([*planned, plan.made_on + timedelta(days=28)])
    near = end + (end - plan.made_on) / 4
    walls = [one.wall[2] for one in plan.rewrites if one.wall[2] is not None and one.wall[2] <= near]
    return max([end, *walls]) + timedelta(days=7)


def _months(first: date, last: date, cells: int, at: Callable[[date], int]) -> str:
    line = [" "] * (cells + 1)
    months = (last - first).days / 30.44
    tick = next((step for step in _TICKS_MONTHS if months / step <= cells / _TICK_CELLS), _TICKS_MONTHS[-1])
    _write(line, 0, "today")
    count = 12 * first.year + first.month  # the first day of the month after
    for number in range(count, 12 * last.year + last.month):
        day = date(number // 12, number % 12 + 1, 1)
        place = at(day)
        if number % tick == 0 and place > 6:
            _write(line, place, f"{day:%b}" if tick < 12 and day.month != 1 and number != count else f"{day:%b %Y}")
    return "".join(line).rstrip()


def _row(rewrite: PlannedRewrite, cells: int, at: Callable[[date], int]) -> Text:
    finish = next((day for day in reversed(rewrite.finish) if day is not None), rewrite.start)
    usual = rewrite.finish[1] or finish
    latest = max(finish, rewrite.start_window[1] + (usual - rewrite.start))
    row: list[tuple[str, str]] = [(" ", "")] * (cells + 1)
    _fill(row, at(rewrite.start_window[0]), at(latest), "░", "cyan")
    low, mid, high = rewrite.wall
    unjudged = rewrite.candidate.past or low is None
    if low is not None and not unjudged:
        _fill(row, at(low), cells + 1 if high is None else at(high) + 1, "┄", "red", over=" ")
    start, done = at(rewrite.start), max(at(rewrite.start) + 1, at(usual))
    due = cells + 1 if mid is None or rewrite.candidate.past else at(mid)
    _fill(row, start, done, "█", "cyan")
    _fill(row, max(start, due), done, "█", "red")
    if rewrite.prototype is not None:
        _put(row, at(rewrite.prototype.start), "◇", "magenta" if rewrite.prototype.calm else "yellow")
    for day, sign in () if unjudged else ((low, "╎"), (high, "╎"), (mid, "┃")):
        if day is not None:
            _put(row, at(day), sign, "bold red")
    return Text.assemble(*row)


def _closed(off: Sequence[TimeOff], first: date, cells: int, at: Callable[[date], int]) -> Text:
    row: list[tuple[str, str]] = [(" ", "")] * (cells + 1)
    for one in off:
        sign = "×" if one.kind == "freeze" else "-"
        start = at(max(one.from_, first))
        _fill(row, start, max(start + 1, at(one.to + timedelta(days=1))), sign, "yellow")
    return Text(f"{'time off':{LABEL}}", style="dim").append_text(Text.assemble(*row))


def _legend(off: Sequence[TimeOff], width: int) -> Text:
    parts = [
        *(("█", "cyan"), (" planned  ", "dim"), ("░", "cyan"), (" possible  ", "dim")),
        *(("◇", "magenta"), (" prototype  ", "dim"), ("╎┃╎", "bold red"), (" wall", "dim")),
    ]
    kinds = {one.kind for one in off}
    parts += [("  ×", "yellow"), (" freeze", "dim")] if "freeze" in kinds else []
    parts += [("  -", "yellow"), (" away", "dim")] if "absence" in kinds else []
    words = Text.assemble(*parts)
    return Text(" " * max(0, min(LABEL, width - 1 - words.cell_len))).append_text(words)


def _fill(row: list[tuple[str, str]], first: int, end: int, sign: str, style: str, over: str = "") -> None:
    for place in range(max(0, first), min(end, len(row))):
        if not over or row[place][0] == over:
            row[place] = (sign, style)


def _put(row: list[tuple[str, str]], place: int, sign: str, style: str) -> None:
    if 0 <= place < len(row):
        row[place] = (sign, style)


def _write(line: list[str], at: int, words: str) -> None:
    if at + len(words) <= len(line):
        line[at : at + len(words)] = words
