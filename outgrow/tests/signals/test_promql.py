"""What a declared signal is in PromQL."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.points.declaration import Selection, Signal
from outgrow.signals.promql import absence_promql, promql_duration, promql_of, selections_of, selector


def signal(**keys: Any) -> Signal:
    return Signal.model_validate(keys)


GOLDEN = {
    "histogram_quantile(0.95, sum by (le) (rate(request_seconds_bucket[5m])))": signal(
        metric="request_seconds", quantile=0.95
    ),
    'histogram_quantile(0.5, sum by (le) (rate(s_bucket{route=~"/a.*"}[1h]))) * 0.001': signal(
        metric="s_bucket", quantile=0.5, labels={"route": "~/a.*"}, window="1h", scale=0.001
    ),
    "sum(rate(requests_total[5m]))": signal(metric="requests_total", rate=True),
    'avg(rate(requests_total{code="200",route="/"}[9750ms]))': signal(
        metric="requests_total", rate=True, across="avg", labels={"route": "/", "code": "200"}, window=9.75
    ),
    'sum(rate(errors_total[15m])) / sum(rate(requests_total{kind=~"api|web"}[15m]))': signal(
        metric="errors_total", ratio={"metric": "requests_total", "labels": {"kind": "~api|web"}}, window="15m"
    ),
    "max(memory_bytes)": signal(metric="memory_bytes", value=True, across="max"),
    "count(up)": signal(metric="up", value=True, across="count"),
    "sum(max_over_time(queue[1h30m]))": signal(metric="queue", max=True, window="90m"),
    "min(max_over_time(queue[2d])) * 1e-09": signal(metric="queue", max=True, window="2d", across="min", scale=1e-9),
    "anything(at) > all": signal(promql=" anything(at) > all\n", scale=5),
}


@pytest.mark.parametrize(("expected", "declared"), GOLDEN.items())
def test_a_declared_signal_is_this_promql(expected: str, declared: Signal) -> None:
    assert promql_of(declared) == expected


def test_members_are_kept_apart_by_their_label() -> None:
    users = signal(metric="users", value=True, by="region")
    assert promql_of(users) == "sum(users)"
    assert promql_of(users, by_member=True) == "sum by (region) (users)"
    load = signal(metric="requests_total", rate=True, by="region", across="max")
    assert promql_of(load, by_member=True) == "max by (region) (rate(requests_total[5m]))"


def test_what_asks_for_missing_targets() -> None:
    gauge = signal(metric="m", value=True, labels={"job": "api", "route": "/"})
    assert absence_promql(gauge) == 'up{job="api"} == 0 and on (job) (m{job="api",route="/"})'
    ratio = signal(metric="a", ratio={"metric": "b"})
    assert absence_promql(ratio) == (
        "(up == 0 or avg_over_time(up[5m]) < 0.8) and on (job) (count_over_time(a[5m]) or count_over_time(b[5m]))"
    )
    assert absence_promql(signal(promql="x")) is None


@pytest.mark.parametrize("labels", [{"a-b": "x"}, {'a"} or vector(1) #': "x"}, {"": "x"}, {"é": "x"}])
def test_a_label_name_cannot_smuggle_promql(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be a label"):
        promql_of(signal(metric="m", value=True, labels=labels))
    with pytest.raises(ValueError, match="cannot be a label"):
        promql_of(signal(metric="m", value=True, by=next(iter(labels)) or "-"), by_member=True)


def test_a_signal_without_a_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a metric nor promql"):
        selections_of(signal(value=True))


@given(value=st.text(max_size=20))
def test_a_label_value_is_one_quoted_text(value: str) -> None:
    """Read back as Go reads it, the text between the quotes is the value."""
    selection = Selection(metric="m", labels={"a": f"x{value}"})
    text = selector(selection)
    inside = text.removeprefix('m{a="').removesuffix('"}')
    assert text == f'm{{a="{inside}"}}'
    read, rest = "", inside
    while rest:
        if rest[0] == "\\":
            read, rest = read + {"\\": "\\", '"': '"', "n": "\n"}[rest[1]], rest[2:]
        else:
            assert rest[0] not in '"\n'
            read, rest = read + rest[0], rest[1:]
    assert read == selection.labels["a"]


@given(milliseconds=st.integers(min_value=1, max_value=10**9))
def test_a_duration_is_exact_to_the_millisecond(milliseconds: int) -> None:
    units = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    text, total, number = promql_duration(milliseconds / 1000), 0, ""
    while text:
        if text[0].isdigit():
            number, text = number + text[0], text[1:]
            continue
        unit = "ms" if text.startswith("ms") else text[0]
        total, number, text = total + int(number) * units[unit], "", text[len(unit) :]
    assert total == milliseconds


def test_promtool_can_read_it_all(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the PromQL of declared signals was not parsed by a real Prometheus")
    hard = {"a": 'quo"te', "b": "back\\slash", "c": "new\nline", "d": "~re\\.gex|é", "e": ""}
    declared = [one for text, one in GOLDEN.items() if one.promql is None]
    declared.append(signal(metric="m", value=True, labels=hard, by="region"))
    queries = [
        query for one in declared for query in (promql_of(one), promql_of(one, by_member=True), absence_promql(one))
    ]
    rules = "".join(f"  - record: r{n}\n    expr: |\n      {query}\n" for n, query in enumerate(queries))
    (tmp_path / "rules.yml").write_text(f"groups:\n- name: g\n  rules:\n{rules}")
    done = subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_reading_is_covered_above() -> None:
    readings = {name for one in GOLDEN.values() for name in one.model_fields_set}
    assert {"quantile", "rate", "ratio", "value", "max", "promql", "scale", "across", "window"} <= readings
