"""The PromQL of a declared signal: the road through a Prometheus-compatible source.

``outgrow.signals.evaluation`` reads the same declarations without a server; both roads give the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outgrow.points.declaration import Selection, Signal
from outgrow.quantities import format_duration

ANSWERED_RATIO = 0.8
"""A target must have answered at least so often within a window; with less, its rate would fall short by more than a
fifth."""

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def promql_of(signal: Signal, *, by_member: bool = False) -> str:
    """The expression that gives the signal as one number, or with ``by_member`` one for each value of its ``by`` label.

    A signal's own ``promql`` is passed on as it is.

    Raises:
        ValueError: the declaration is not whole, or a label name cannot be one.
    """
    if signal.promql is not None:
        return signal.promql.strip()
    grouping = f" by ({_label_name(signal.by)}) " if by_member and signal.by else ""
    selected, window = selections_of(signal), promql_duration(signal.window)
    first = selector(selected[0])
    if signal.quantile is not None:
        text = f"histogram_quantile({signal.quantile!r}, sum by (le) (rate({first}[{window}])))"
    elif signal.ratio is not None:
        text = f"sum(rate({first}[{window}])) / sum(rate({selector(selected[1])}[{window}]))"
    elif signal.rate:
        text = f"{signal.across}{grouping}(rate({first}[{window}]))"
    elif signal.max:
        text = f"{signal.across}{grouping}(max_over_time({first}[{window}]))"
    else:
        text = f"{signal.across}{grouping}({first})"
    return text if signal.scale == 1 else f"{text} * {signal.scale!r}"


def absence_promql(signal: Signal) -> str | None:
    """The targets whose part of the signal is missing: they are down, or were for more than a fifth of the window.

    Without this question a sum over the targets that answer would pass for the sum over all: PromQL drops what is
    missing, and extrapolates a counter that is only just back by no more than half a scrape. A target belongs to a
    signal when a target of its ``job`` reports a series of it. None for a signal written in PromQL.
    """
    if signal.promql is not None:
        return None
    selected = selections_of(signal)
    matchers = {name: value for name, value in selected[0].labels.items() if name in ("job", "instance")}
    up = selector(Selection(metric="up", labels=matchers))
    if signal.value:
        return f"{up} == 0 and on (job) ({' or '.join(selector(one) for one in selected)})"
    window = promql_duration(signal.window)
    reported = " or ".join(f"count_over_time({selector(one)}[{window}])" for one in selected)
    return f"({up} == 0 or avg_over_time({up}[{window}]) < {ANSWERED_RATIO}) and on (job) ({reported})"


def selections_of(signal: Signal) -> tuple[Selection, ...]:
    """The series that a signal is read from: one selection, or numerator and denominator; none for ``promql``.

    The metric of a quantile is the histogram's: its buckets are what is selected.

    Raises:
        ValueError: no metric is declared.
    """
    if signal.promql is not None:
        return ()
    if signal.metric is None:
        raise ValueError("the signal declares neither a metric nor promql")
    metric = signal.metric
    if signal.quantile is not None:
        metric = f"{metric.removesuffix('_bucket')}_bucket"
    numerator = Selection(metric=metric, labels=signal.labels)
    return (numerator,) if signal.ratio is None else (numerator, signal.ratio)


def selector(selection: Selection) -> str:
    """``metric{label="value",other=~"regex"}``, with labels in the order of their names."""
    matchers = ",".join(_matcher(name, value) for name, value in sorted(selection.labels.items()))
    return f"{selection.metric}{{{matchers}}}" if matchers else selection.metric


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as PromQL prints them: ``{instance="a",route="/search"}``."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def promql_duration(seconds: float) -> str:
    """A duration PromQL can read; exact to the millisecond."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else format_duration(milliseconds / 1000)


def _matcher(name: str, value: str) -> str:
    operator, text = ("=~", value[1:]) if value.startswith("~") else ("=", value)
    return f'{_label_name(name)}{operator}"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _label_name(name: str) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a label; labels are letters, digits and _")
    return name
