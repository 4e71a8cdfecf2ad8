"""``outgrow pace`` in a terminal: one table, one picture, what gives, and the verdict. And the same as plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from outgrow.quantities import Interval
from outgrow.reports.pace_words import (
    Verdict,
    due_text,
    give_words,
    gives_shown,
    growth_text,
    limit_text,
    mark,
    month_text,
    people_text,
    rewrite_label,
    span_text,
    start_text,
    team_text,
    useless_text,
    users_text,
    verdict,
    weeks_text,
)
from outgrow.schedule.limit import State, doublings_a_month, users_after
from outgrow.schedule.pace import OptionPace, Pace, PointPace, Rewrite

NARROW = 96
"""Columns below which the table says less."""

_WIDE_COLUMNS, _NARROW_COLUMNS = (31, 8, 17, 19, 25), (22, 8, 14, 15, 21)
_STYLES: dict[State, str] = {"yes": "green", "at-best": "yellow", "no": "red", "past": "red"}
_TICKS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000)
_LABEL = 25


def pace_table(pace: Pace, today: date, width: int) -> RenderableType:
    """Everything a terminal of ``width`` columns shows, the next command apart."""
    said = verdict(pace, today)
    asked = f"{pace.users:,.0f} users, growing {growth_text(pace.growth_per_month)} a month"
    parts: list[RenderableType] = [
        Text.assemble((f"Can {people_text(pace.rules.people)} carry it? ", "bold"), asked),
        Text(team_text(pace.rules), style="dim"),
        Text(),
        *_options(pace, today, width),
        Text(),
    ]
    if pace.early.rewrites:
        parts += [*_picture(pace, min(width, 120)), Text()]
    parts += [*_gives(pace), _folded(Text.assemble((f"{said.headline}. ", f"bold {_tone(said, pace)}"), said.sentence))]
    return Group(*parts)


def pace_lines(pace: Pace, today: date) -> Iterator[str]:
    """The same as lines of tab-separated facts, without colour or pictures; the first field says what a line is."""
    said, growth = verdict(pace, today), growth_text(pace.growth_per_month)
    yield f"asked\t{pace.users:,.0f} users\t{growth} a month\t{people_text(pace.rules.people)}"
    for point in pace.points:
        for option in point.options:
            facts = [
                f"option\t{point.point.id}={option.option.option}\t{weeks_text(option.weeks)} weeks",
                f"at its milestone: {option.at_milestone_state}, {limit_text(option.at_milestone)}",
                f"as early as can be: {option.early_state}, {limit_text(option.early)}",
            ]
            start = start_text(option, point, today)
            yield "\t".join([*facts, f"start by: {start}"] if start else facts)
    for plan in (pace.at_milestone, pace.early):
        yield f"plan\t{plan.assumption}\t{plan.state}\tup to {limit_text(plan.limit)} a month"
        for rewrite in plan.rewrites:
            late = f"{span_text(rewrite.late_months)} late" if rewrite.late_months else "in time"
            start = f"{month_text(today, rewrite.start_months)}, {users_text(rewrite.start_users)} users"
            yield f"rewrite\t{plan.assumption}\t{rewrite_label(rewrite, pace)}\tstart: {start}\t{late}"
    for give in gives_shown(pace)[0]:
        words = give_words(give, pace)
        yield f"gives\t{words.change}\t{words.cost}\tup to {limit_text(give.limit)} a month\t{give.state}"
    yield f"verdict\t{said.code}\t{said.sentence}"


def _tone(said: Verdict, pace: Pace) -> str:
    if pace.past or said.code in ("not-carried", "nobody-free"):
        return "red"
    return "green" if said.code in ("carried", "never-reached") else "yellow"


def _options(pace: Pace, today: date, width: int) -> Iterator[RenderableType]:
    narrow = width < NARROW
    columns = _NARROW_COLUMNS if narrow else _WIDE_COLUMNS
    growth = growth_text(pace.growth_per_month)
    dated = pace.ever_reached and pace.rules.hands > 0
    between = columns[2] + columns[3]
    by = "start by," if dated else ""
    yield Text(f"{'':{columns[0]}}{'weeks':{columns[1]}}{'largest growth, if started':{between}}{by}", style="dim")
    at_milestone, early = ("at milestone", "early") if narrow else ("at its milestone", "as early as can be")
    yield Text(
        f"{'option':{columns[0]}}{'of work':{columns[1]}}{at_milestone:{columns[2]}}{early:{columns[3]}}"
        f"{f'at {growth} a month' if dated else ''}",
        style="dim",
    )
    for point in pace.points:
        yield Rule(style="bright_black")
        due = due_text(point, today, short=narrow)
        style = "red" if point.past else "dim"
        yield Text.assemble((f"{point.number} {point.point.title}", "bold"), (f" · {due}", style))
        table = Table.grid(padding=0)
        for size in columns:
            table.add_column(width=size, no_wrap=True, overflow="ellipsis")
        for option in point.options:
            table.add_row(*_cells(option, point, today, columns[0], narrow))
        yield table
    yield Rule(style="bright_black")
    yield Text.assemble(
        *(("▸", "bold"), (" in the plans below   ", "dim"), ("✓", "green"), (" carried   ", "dim")),
        *(("~", "yellow"), (" only with the low effort   ", "dim"), ("✗", "red"), (" not in time", "dim")),
    )
    for name in pace.unplanned:
        yield Text(f"{name} declares no option and is left out here", style="yellow")


def _cells(option: OptionPace, point: PointPace, today: date, room: int, narrow: bool) -> tuple[Text, ...]:
    name, title = option.option.option, option.option.title
    words = title if len(name) > 2 or name == title else f"{name}  {title}"
    style = "bold" if option.chosen else ""
    label = Text(f"{'▸' if option.chosen else ' '} {words}", style=style)
    label.truncate(room - 1, overflow="ellipsis")
    return (
        label,
        Text(weeks_text(option.weeks), style=style),
        _limit_cell(option.at_milestone, option.at_milestone_state),
        _limit_cell(option.early, option.early_state),
        Text(start_text(option, point, today, short=narrow), style=_STYLES[option.early_state]),
    )


def _limit_cell(limit: Interval, state: State) -> Text:
    words = "past" if state == "past" else limit_text(limit)
    return Text(f"{mark(state)} {words}", style=_STYLES[state])


def _picture(pace: Pace, width: int) -> Iterator[Text]:
    """A line a rewrite: where it lies when started early, where at its milestone, and when it is due."""
    rewrites = list(zip(pace.early.rewrites, pace.at_milestone.rewrites, strict=True))
    horizon = max(max(r.due_months, r.finish_months.high) for pair in rewrites for r in pair)
    cells = width - _LABEL - 1
    tick = next((tick for tick in _TICKS_MONTHS if horizon / tick <= cells / 10), _TICKS_MONTHS[-1])
    months, users = [" "] * (cells + 1), [" "] * (cells + 1)
    for number in range(int(horizon / tick) + 1):
        at = round(number * tick / horizon * cells)
        head = "now" if number == 0 else (f"{number * tick} mo" if tick < 24 else f"{number * tick // 12} y")
        doublings = number * tick * doublings_a_month(pace.growth_per_month)
        _write(months, at, head)
        _write(users, at, users_text(users_after(doublings, pace.users)))
    yield Text(" " * _LABEL + "".join(months).rstrip(), style="dim")
    for early, late in rewrites:
        name = Text(f"{rewrite_label(early, pace)[: _LABEL - 1]:{_LABEL}}")
        yield name.append_text(_bar(early, late, horizon, cells))
    yield Text(f"{'users':{_LABEL}}" + "".join(users).rstrip(), style="dim")
    yield Text.assemble(
        *(" " * _LABEL, ("█", "cyan"), (" early   ", "dim")),
        *(("▒", "blue"), (" at its milestone   ", "dim")),
        *(("▒", "red"), (" too late   ", "dim"), ("│", "bold"), (" due", "dim")),
    )


def _bar(early: Rewrite, late: Rewrite, horizon: float, cells: int) -> Text:
    def span(rewrite: Rewrite) -> range:
        start = int(rewrite.start_months / horizon * cells)
        return range(start, max(start + 1, round(rewrite.finish_months.high / horizon * cells)))

    due = min(cells, round(early.due_months / horizon * cells))
    line = Text()
    for at in range(cells + 1):
        if at == due:
            line.append("│", "bold")
        elif at in span(early):
            line.append("█", "red" if at > due else "cyan")
        elif at in span(late):
            line.append("▒", "red" if at > due else "blue")
        else:
            line.append(" ")
    return line


def _gives(pace: Pace) -> Iterator[RenderableType]:
    gives, which = gives_shown(pace)
    helping = [give for give in gives if give.helps]
    if not gives:
        return
    yield Text.assemble(("What gives ", "bold"), (f"{which}; one thing at a time, cheapest first", "dim"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for give in helping:
        words = give_words(give, pace)
        table.add_row(_limit_cell(give.limit, give.state), Text.assemble(words.change, (f": {words.cost}", "dim")))
    yield table
    useless = useless_text(gives, pace)
    if useless:
        yield _folded(Text(useless, style="dim"))
    yield Text()


def _folded(text: Text) -> Table:
    """Text that folds at the console's width even where the console itself leaves long lines alone."""
    table = Table.grid()
    table.add_row(text)
    return table


def _write(line: list[str], at: int, words: str) -> None:
    if at + len(words) <= len(line):
        line[at : at + len(words)] = words
