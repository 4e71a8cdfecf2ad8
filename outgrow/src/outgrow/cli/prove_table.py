"""What was measured, as people read it in a terminal: arms in a table, ratios as intervals on a line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from outgrow.evidence.summary import ArmSummary, RuledRatio, ratio_words
from outgrow.quantities import Interval, format_quantity, significant

VERDICT_STYLES = {"stay": "green", "migrate": "bold yellow", "between": "yellow", "inconclusive": "bold magenta"}
WIDTH = 44
_MARGIN = 1.3


def arms_table(arms: Sequence[ArmSummary]) -> Table:
    """Of a typical round; columns that nobody knows are left out."""
    columns = (
        ("p50", [_seconds(each.p50_seconds) for each in arms]),
        ("p95", [_seconds(each.p95_seconds) for each in arms]),
        ("dropped", [share_text(each.dropped, each.sent) for each in arms]),
        ("answered", [_quantity(each.throughput_per_second, "per_second") for each in arms]),
        ("recall", [_quantity(each.facts.recall, "ratio") for each in arms]),
        ("same answers", [_quantity(each.facts.parity, "ratio") for each in arms]),
        ("memory", [_quantity(each.facts.memory_bytes, "bytes") for each in arms]),
        ("disk", [_quantity(each.facts.disk_bytes, "bytes") for each in arms]),
        ("a month", [_quantity(each.facts.monthly_cost, "") for each in arms]),
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm")
    shown = [(name, cells) for name, cells in columns if any(cells)]
    for name, _ in shown:
        table.add_column(name, justify="right")
    for place, each in enumerate(arms):
        table.add_row(Text(each.arm.id), *(cells[place] or "–" for _, cells in shown))
    return table


def show_ratios(console: Console, ratios: Sequence[RuledRatio], thresholds: Sequence[float]) -> None:
    """Each ratio as an interval on one logarithmic line, the thresholds drawn through."""
    known = [each.measured.ratio for each in ratios if each.measured.ratio is not None]
    if not known:
        return
    low, high = reach(known, thresholds)
    names = [f"{each.measured.option} over {each.measured.against}" for each in ratios]
    width = max(map(len, names))
    console.print(Text(f"{'':{width}}  {ruler(low, high, thresholds)}", style="dim"))
    for name, each in zip(names, ratios, strict=True):
        if each.measured.ratio is None:
            console.print(Text(f"{name:<{width}}  no ratio: {each.measured.why_not}", style="dim"))
            continue
        line = bar(each.measured.ratio, low, high, thresholds)
        verdict = Text(each.verdict, style=VERDICT_STYLES[each.verdict]) if each.verdict else Text("shown", style="dim")
        console.print(Text(f"{name:<{width}}  {line}  {ratio_words(each.measured.ratio)}  ") + verdict)


def reach(ratios: Sequence[Interval], thresholds: Sequence[float]) -> tuple[float, float]:
    """From where to where the line goes: all bounds, all thresholds, and 1."""
    low = min(1.0, *thresholds, *(each.low for each in ratios))
    high = max(1.0, *thresholds, *(each.high for each in ratios))
    return low / _MARGIN, high * _MARGIN


def bar(ratio: Interval, low: float, high: float, thresholds: Sequence[float]) -> str:
    """``┆   ┆ ├──●──┤``: bounds and middle between ``low`` and ``high``, thresholds as dashes."""
    cells = [" "] * WIDTH
    for each in thresholds:
        cells[_place(each, low, high)] = "┆"
    first, last = _place(ratio.low, low, high), _place(ratio.high, low, high)
    for place in range(first, last + 1):
        cells[place] = "─"
    cells[first], cells[last] = "├", "┤"
    cells[_place(ratio.mid, low, high)] = "●"
    return "".join(cells)


def ruler(low: float, high: float, thresholds: Sequence[float]) -> str:
    """The thresholds and 1, each over its place."""
    cells = [" "] * WIDTH
    for each in sorted({1.0, *thresholds}):
        text, place = f"{significant(each)}×", _place(each, low, high)
        start = min(max(0, place - len(text) // 2), WIDTH - len(text))
        if all(cell == " " for cell in cells[max(0, start - 1) : start + len(text)]):
            cells[start : start + len(text)] = text
    return "".join(cells)


def share_text(dropped: int, sent: int) -> str:
    """``0``, or how many of how many."""
    return "" if not sent else "0" if not dropped else f"{dropped:,} of {sent:,}"


def _place(value: float, low: float, high: float) -> int:
    share = math.log(value / low) / math.log(high / low)
    return min(WIDTH - 1, max(0, round(share * (WIDTH - 1))))


def _seconds(value: float | None) -> str:
    return _quantity(value, "seconds")


def _quantity(value: float | None, unit: str) -> str:
    return "" if value is None else format_quantity(value, unit)
