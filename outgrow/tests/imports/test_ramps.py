"""Ramps from tables, k6 and Locust: the same load test says the same whatever wrote it down."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import ImportRefused
from outgrow.imports.ramp_records import RampRequest
from outgrow.imports.ramp_steps import measure, steps_of_arrivals, steps_of_level
from outgrow.imports.ramps import detect, read_ramps
from outgrow.signals.series import FloatArray

START = 1_772_323_200.0  # 2026-03-01T00:00:00Z
REQUEST = RampRequest("p95")


@dataclass(frozen=True)
class LoadTest:
    """Requests of a load test: when each was sent, how long it took, and at which level."""

    sent: FloatArray
    durations: FloatArray
    levels: FloatArray
    step_seconds: float
    steps: tuple[float, ...]

    def quantile(self, level: float, quantile: float) -> float:
        return float(np.quantile(self.durations[self.levels == level], quantile))

    def users_at(self, time: float) -> float:
        place = int((time - START) // self.step_seconds)
        return self.steps[min(max(place, 0), len(self.steps) - 1)]


def closed_loop(steps: tuple[float, ...] = (2, 5, 10, 20), step_seconds: float = 40.0) -> LoadTest:
    """Virtual users that wait for their answers, which take longer the more of them there are."""
    random = np.random.default_rng(11)
    sent, durations, levels = [], [], []
    for place, users in enumerate(steps):
        for _ in range(int(users)):
            time = START + place * step_seconds + random.random() * 0.1
            while time < START + (place + 1) * step_seconds:
                duration = float(random.lognormal(np.log(0.05 + 0.02 * users), 0.4))
                sent.append(time)
                durations.append(duration)
                levels.append(users)
                time += duration
    order = np.argsort(sent)
    return LoadTest(np.array(sent)[order], np.array(durations)[order], np.array(levels)[order], step_seconds, steps)


def open_loop(steps: tuple[float, ...] = (20, 40, 80), step_seconds: float = 30.0) -> LoadTest:
    """Requests sent on schedule."""
    random = np.random.default_rng(12)
    sent = [
        START + place * step_seconds + (number + 0.5) / rate
        for place, rate in enumerate(steps)
        for number in range(int(rate * step_seconds))
    ]
    levels = np.repeat(steps, [int(rate * step_seconds) for rate in steps])
    return LoadTest(np.array(sent), random.lognormal(np.log(0.001 * levels), 0.3), levels, step_seconds, steps)


K6_HEADER = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,"
    "service,status,subproto,tls_version,url,extra_tags,metadata"
)


def k6_csv(test: LoadTest, unit: str = "unix_milli", group: str = "") -> str:
    lines = [K6_HEADER]
    for sent, duration in zip(test.sent, test.durations, strict=True):
        time = _k6_time(sent + duration, unit)
        url = f"GET,http://t/s,HTTP/1.1,default,,200,,,http://t/s,{group},"
        lines.append(f"http_reqs,{time},1.000000,,,,true,,{url}")
        lines.append(f"http_req_duration,{time},{duration * 1000:.6f},,,,true,{group},{url}")
        lines.append(f"http_req_waiting,{time},{duration * 999:.6f},,,,true,,{url}")
        lines.append(f"iterations,{time},1.000000,,,,,,,,,default,,,,,,,")
    end = START + test.step_seconds * len(test.steps)
    for second in np.arange(START + 1, end):
        lines.append(f"vus,{_k6_time(second, unit)},{test.users_at(second):.6f},,,,,,,,,,,,,,,,")
        lines.append(f"vus_max,{_k6_time(second, unit)},50.000000,,,,,,,,,,,,,,,,")
    return "\n".join(lines) + "\n"


def _k6_time(time: float, unit: str) -> str:
    if unit == "rfc3339_nano":
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "123Z")
    return str(int(time * {"unix": 1, "unix_milli": 1e3, "unix_micro": 1e6, "unix_nano": 1e9}[unit]))


def k6_json(test: LoadTest) -> str:
    def point(metric: str, time: float, value: float) -> str:
        moment = datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "123Z")
        data = {"time": moment, "value": value, "tags": {"group": "", "status": "200"}}
        return json.dumps({"metric": metric, "type": "Point", "data": data})

    declared = {"name": "http_req_duration", "type": "trend", "contains": "time", "thresholds": [], "submetrics": None}
    lines = [json.dumps({"type": "Metric", "data": declared, "metric": "http_req_duration"})]
    for sent, duration in zip(test.sent, test.durations, strict=True):
        lines.append(point("http_req_duration", sent + duration, duration * 1000))
        lines.append(point("http_req_waiting", sent + duration, duration * 999))
    end = START + test.step_seconds * len(test.steps)
    lines += [point("vus", second, test.users_at(second)) for second in np.arange(START + 1, end)]
    return "\n".join(lines) + "\n"


LOCUST_SHARES = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 99.99, 100)


def locust(test: LoadTest, full_history: bool) -> str:
    """As ``StatsCSVFileWriter`` writes it, a row a second."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(
        ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"]
        + [f"{share:g}%" for share in LOCUST_SHARES]
        + ["Total Request Count", "Total Failure Count", "Total Median Response Time", "Total Average Response Time"]
        + ["Total Min Response Time", "Total Max Response Time", "Total Average Content Size"]
    )
    answered = test.sent + test.durations
    order = np.argsort(answered)
    answered, durations = answered[order], np.round(test.durations[order] * 1000)
    writer.writerow([int(START), 0, "", "Aggregated", 0, 0, *["N/A"] * len(LOCUST_SHARES), 0, 0, 0, 0, 0, 0, 0])
    for second in np.arange(START + 1, START + test.step_seconds * len(test.steps)):
        so_far = durations[answered <= second]
        current = durations[(answered > second - 10) & (answered <= second)]
        if not so_far.size:
            continue
        of = current if full_history else so_far
        shown = [int(value) for value in np.percentile(of, LOCUST_SHARES, method="higher")]
        totals = [so_far.size, 0, np.median(so_far), so_far.mean(), so_far.min(), so_far.max(), 100]
        for kind, name in (("GET", "/s"), ("", "Aggregated")) if full_history else (("", "Aggregated"),):
            row = [int(second), int(test.users_at(second)), kind, name, f"{current.size / 10:2f}", "0.000000"]
            writer.writerow([*row, *shown, *totals])
    return table.getvalue()


def written(tmp_path: Path, text: str, name: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def assert_like(ramp_values: FloatArray, test: LoadTest, quantile: float, rel: float) -> None:
    expected = [test.quantile(level, quantile) for level in test.steps]
    assert ramp_values.tolist() == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("unit", ["unix", "unix_milli", "unix_micro", "unix_nano", "rfc3339_nano"])
def test_k6_csv_gives_its_steps(tmp_path: Path, unit: str) -> None:
    test = closed_loop()
    (read,) = read_ramps([written(tmp_path, k6_csv(test, unit), "run.csv")], REQUEST)
    ramp = read.ramp
    assert read.kind == "k6 CSV output"
    assert (ramp.axis, ramp.loop, ramp.signal, ramp.origin, ramp.name) == (
        "concurrency",
        "closed",
        "p95",
        "imported",
        "run.csv",
    )
    assert ramp.levels.tolist() == [2, 5, 10, 20]
    assert_like(ramp.values, test, 0.95, rel=0.1)
    assert_like(ramp.quantiles[0.5], test, 0.5, rel=0.05)
    rates = [np.sum(test.levels == level) / test.step_seconds for level in test.steps]
    assert ramp.throughput_per_second is not None
    assert ramp.throughput_per_second.tolist() == pytest.approx(rates, rel=0.06)
    assert ramp.made_at == pytest.approx(START, abs=2)


def test_k6_json_and_gzip_say_the_same(tmp_path: Path) -> None:
    test = closed_loop()
    (from_csv,) = read_ramps([written(tmp_path, k6_csv(test, "unix_micro"), "run.csv")], REQUEST)
    packed = tmp_path / "run.json.gz"
    packed.write_bytes(gzip.compress(k6_json(test).encode()))
    (from_json,) = read_ramps([packed], REQUEST)
    assert from_json.kind == "k6 JSON output"
    assert from_json.ramp.levels.tolist() == from_csv.ramp.levels.tolist()
    assert from_json.ramp.values.tolist() == pytest.approx(from_csv.ramp.values.tolist(), rel=1e-3)


def test_an_arrival_rate_is_a_ramp_of_load(tmp_path: Path) -> None:
    test = open_loop()
    path = written(tmp_path, k6_csv(test), "rate.csv")
    (read,) = read_ramps([path], RampRequest("p95", loop="open"))
    ramp = read.ramp
    assert (ramp.axis, ramp.loop) == ("load", "open")
    for rate in test.steps:
        nearest = int(np.argmin(np.abs(ramp.levels - rate)))
        assert ramp.levels[nearest] == pytest.approx(rate, rel=0.05)
        assert ramp.values[nearest] == pytest.approx(test.quantile(rate, 0.95), rel=0.1)


def test_dropped_iterations_count_as_offered_load(tmp_path: Path) -> None:
    test = open_loop(steps=(20, 40), step_seconds=30)
    text = k6_csv(test)
    seconds = np.arange(START + 30, START + 60, 0.1)
    dropped = "".join(
        f"dropped_iterations,{_k6_time(second, 'unix_milli')},4.000000,{',' * 15}\n" for second in seconds
    )
    path = written(tmp_path, text + dropped, "rate.csv")
    (offered,) = read_ramps([path], RampRequest("p95", loop="open"))
    assert offered.ramp.levels[-1] == pytest.approx(80, rel=0.1)
    assert offered.ramp.throughput_per_second is not None
    assert offered.ramp.throughput_per_second[-1] == pytest.approx(40, rel=0.1)
    (closed,) = read_ramps([written(tmp_path, k6_csv(closed_loop()) + dropped, "vus.csv")], REQUEST)
    assert any("--open-loop" in remark for remark in closed.remarks)


def test_a_request_belongs_to_the_step_in_which_it_was_sent() -> None:
    """One that is sent at the end of a calm step and answered in the next."""
    steps = steps_of_level(np.arange(20.0), np.repeat([1.0, 2.0], 10))
    sent = np.array([1.0, 9.5, 12.0, 13.0])
    found = measure(steps, sent, np.array([0.5, 4.0, 0.5, 0.5]), (0.5,), 0.5)
    assert found.quantiles[0.5].tolist() == [2.25, 0.5]
    assert found.throughput_per_second.tolist() == [0.1, 0.3]


def test_k6_says_when_requests_ended(tmp_path: Path) -> None:
    test = closed_loop()
    slow = LoadTest(test.sent, test.durations + 6, test.levels, test.step_seconds, test.steps)
    (read,) = read_ramps([written(tmp_path, k6_csv(slow), "run.csv")], REQUEST)
    assert_like(read.ramp.values, slow, 0.95, rel=0.01)
    assert read.ramp.quantiles[0.5].tolist() == pytest.approx(
        [slow.quantile(level, 0.5) for level in test.steps], rel=2e-3
    )


def test_what_set_up_and_failed_is_known(tmp_path: Path) -> None:
    test = closed_loop(steps=(2, 5), step_seconds=20)
    slow = f"http_req_duration,{int(START + 5)},99999.0,,,,true,::setup,{',' * 10}\n"
    failed = "".join(f"http_req_failed,{int(START + 5)},1.000000{',' * 16}\n" for _ in range(100))
    (read,) = read_ramps([written(tmp_path, k6_csv(test) + slow + failed, "run.csv")], RampRequest("p99", 0.99))
    assert read.ramp.values.max() < 10
    assert any("of the requests failed" in remark for remark in read.remarks)


def test_another_trend_may_be_read(tmp_path: Path) -> None:
    text = k6_csv(closed_loop()).replace("http_req_duration", "search_duration")
    path = written(tmp_path, text, "run.csv")
    with pytest.raises(ImportRefused, match="no sample of http_req_duration") as refused:
        read_ramps([path], REQUEST)
    assert "--metric" in refused.value.next_step
    (read,) = read_ramps([path], RampRequest("p95", metric="search_duration"))
    assert read.ramp.levels.size == 4


def test_a_broken_line_of_k6_is_named(tmp_path: Path) -> None:
    text = k6_csv(closed_loop(steps=(2, 5), step_seconds=20)) + "http_req_duration,17723232"
    with pytest.raises(ImportRefused, match="no sample of k6") as refused:
        read_ramps([written(tmp_path, text, "run.csv")], REQUEST)
    assert refused.value.line == text.count("\n") + 1
    text = k6_json(closed_loop(steps=(2, 5), step_seconds=20)) + '{"metric":"http_req_duration","type":"Po'
    with pytest.raises(ImportRefused, match="no sample of k6") as refused:
        read_ramps([written(tmp_path, text, "run.json")], REQUEST)
    assert refused.value.line == text.count("\n") + 1


def exported(vus: int, p95_ms: float, rate: float) -> dict[str, object]:
    """As ``--summary-export`` writes it."""
    return {
        "root_group": {"name": "", "checks": {}},
        "metrics": {
            "http_req_duration": {
                "avg": p95_ms / 2,
                "med": p95_ms / 3,
                "p(90)": p95_ms * 0.9,
                "p(95)": p95_ms,
                "max": 1e4,
            },
            "http_reqs": {"count": 1000, "rate": rate},
            "vus": {"value": 1, "min": 1, "max": vus},
        },
    }


def handled(vus: int, p95_ms: float, rate: float) -> dict[str, object]:
    """As ``handleSummary`` is given it."""
    metrics = exported(vus, p95_ms, rate)["metrics"]
    assert isinstance(metrics, dict)
    wrapped = {name: {"type": "trend", "contains": "time", "values": values} for name, values in metrics.items()}
    return {"metrics": wrapped, "state": {"testRunDurationMs": 30_000}, "options": {"summaryTimeUnit": ""}}


@pytest.mark.parametrize("shape", [exported, handled])
@pytest.mark.parametrize("indent", [None, 4])
def test_summaries_are_the_steps_of_one_ramp(tmp_path: Path, shape: object, indent: int | None) -> None:
    steps = [(20, 900.0, 70.0), (5, 120.0, 40.0), (10, 250.0, 60.0)]
    paths = [written(tmp_path, json.dumps(shape(*step), indent=indent), f"{step[0]}.json") for step in steps]
    (read,) = read_ramps(paths, REQUEST)
    assert read.kind == "3 k6 summaries, one a step"
    assert (read.ramp.axis, read.ramp.loop) == ("concurrency", "closed")
    assert read.ramp.levels.tolist() == [5, 10, 20]
    assert read.ramp.values.tolist() == pytest.approx([0.12, 0.25, 0.9])
    assert read.ramp.quantiles[0.5].tolist() == pytest.approx([0.04, 0.25 / 3, 0.3])
    (offered,) = read_ramps(paths, RampRequest("p95", loop="open"))
    assert (offered.ramp.axis, offered.ramp.levels.tolist()) == ("load", [40, 60, 70])


def test_a_quantile_that_was_not_measured_is_asked_for(tmp_path: Path) -> None:
    paths = [written(tmp_path, json.dumps(exported(vus, 100.0, 1.0)), f"{vus}.json") for vus in (1, 2)]
    with pytest.raises(
        ImportRefused, match=r"the 0\.99 quantile, which was not measured; there is p50, p90, p95"
    ) as refused:
        read_ramps(paths, RampRequest("p99", 0.99))
    assert "--summary-trend-stats" in refused.value.next_step
    with pytest.raises(ImportRefused, match="at least two"):
        read_ramps(paths[:1], REQUEST)
    twice = written(tmp_path, json.dumps(exported(1, 100.0, 1.0)), "again.json")
    with pytest.raises(ImportRefused, match="same level"):
        read_ramps([*paths, twice], REQUEST)
    with pytest.raises(ImportRefused, match="not JSON"):
        read_ramps([written(tmp_path, '{"metrics": {\n', "cut.json")], REQUEST)


def test_locusts_full_history_gives_its_steps(tmp_path: Path) -> None:
    test = closed_loop()
    (read,) = read_ramps([written(tmp_path, locust(test, True), "run_stats_history.csv")], REQUEST)
    assert read.kind == "Locust history"
    assert (read.ramp.axis, read.ramp.loop) == ("concurrency", "closed")
    assert read.ramp.levels.tolist() == [2, 5, 10, 20]
    assert_like(read.ramp.values, test, 0.95, rel=0.1)
    assert read.remarks == ()


def test_locusts_percentiles_of_the_whole_run_are_taken_apart(tmp_path: Path) -> None:
    test = closed_loop()
    (read,) = read_ramps([written(tmp_path, locust(test, False), "run_stats_history.csv")], REQUEST)
    assert_like(read.ramp.values, test, 0.95, rel=0.15)
    as_written = [
        np.quantile(test.durations[test.sent < START + test.step_seconds * (place + 1)], 0.95) for place in range(4)
    ]
    truth = np.array([test.quantile(level, 0.95) for level in test.steps])
    assert np.abs(read.ramp.values - truth).max() < np.abs(np.array(as_written) - truth).max()
    assert any("--csv-full-history" in remark for remark in read.remarks)


def test_a_locust_row_that_is_wrong_is_named(tmp_path: Path) -> None:
    lines = locust(closed_loop(steps=(2, 5), step_seconds=20), True).splitlines()
    assert "Aggregated" in lines[5]
    cells = lines[5].split(",")
    cells[0] = "noon"
    with pytest.raises(ImportRefused, match="'noon' is not a time") as refused:
        read_ramps([written(tmp_path, "\n".join([*lines[:5], ",".join(cells), *lines[6:]]), "a.csv")], REQUEST)
    assert refused.value.line == 6
    with pytest.raises(ImportRefused, match="summary of a whole run") as summary:
        read_ramps([written(tmp_path, "Type,Name,Request Count,Failure Count\n", "run_stats.csv")], REQUEST)
    assert "_stats_history.csv" in summary.value.next_step


def test_a_table_is_read_as_it_stands(tmp_path: Path) -> None:
    text = (
        "Concurrency,p50_ms,p95_seconds,p99_9,throughput_per_second\n8,40,0.2,0.9,100\n1,10,0.05,,20\n\n4,20,0.1,0.5,\n"
    )
    path = written(tmp_path, text, "ramp.csv")
    os.utime(path, (START, START))
    (read,) = read_ramps([path], REQUEST)
    ramp = read.ramp
    assert read.kind == "ramp table"
    assert ramp.levels.tolist() == [1, 4, 8]
    assert ramp.values.tolist() == [0.05, 0.1, 0.2]
    assert sorted(ramp.quantiles) == [0.5, 0.95, 0.999]
    assert ramp.quantiles[0.5].tolist() == pytest.approx([0.01, 0.02, 0.04])
    np.testing.assert_array_equal(ramp.throughput_per_second, [20, np.nan, 100])
    assert (ramp.axis, ramp.loop, ramp.made_at) == ("concurrency", "closed", START)


@pytest.mark.parametrize(
    ("axis", "loop_column", "told", "expected"),
    [
        ("concurrency", None, None, "closed"),
        ("users", None, None, "closed"),
        ("load_per_second", None, None, "open"),
        ("users", "open", None, "open"),
        ("load_per_second", "closed", None, "closed"),
        ("users", None, "open", "open"),
    ],
)
def test_the_loop_is_what_is_said_or_usual(
    tmp_path: Path, axis: str, loop_column: str | None, told: str | None, expected: str
) -> None:
    extra = (",loop", f",{loop_column}") if loop_column else ("", "")
    text = f"{axis},0.95{extra[0]}\n1,0.1{extra[1]}\n2,0.2{extra[1]}\n"
    (read,) = read_ramps([written(tmp_path, text, "ramp.csv")], RampRequest("p95", loop=told))
    assert read.ramp.loop == expected


def test_a_signal_that_is_no_quantile_has_a_value(tmp_path: Path) -> None:
    path = written(tmp_path, "users,value,time\n1000,2e9,2026-03-01\n2000,4e9,2026-03-01T00:10\n", "memory.csv")
    (read,) = read_ramps([path], RampRequest("memory", None))
    assert read.ramp.values.tolist() == [2e9, 4e9]
    assert (read.ramp.axis, read.ramp.made_at, read.ramp.quantiles) == ("users", START, {})


def test_milliseconds_taken_for_seconds_are_pointed_out(tmp_path: Path) -> None:
    (read,) = read_ramps([written(tmp_path, "concurrency,p95\n1,120\n2,340\n", "ramp.csv")], REQUEST)
    assert read.remarks == ("p95 was read as seconds; if these are milliseconds, name the column p95_ms",)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("concurrency,p95\n1,0.1\n2,fast\n", 3, "p95 'fast' is not a number"),
        ("concurrency,p95\n1,0.1\n2,\n", 3, "the 0.95 quantile is missing at this level"),
        ("concurrency,p95\n1,0.1\n1,0.2\n", 3, "the level 1 stands twice"),
        ("concurrency,p95\n0,0.1\n1,0.2\n", 2, "the level 0 is not above zero"),
        ("concurrency,p95\n-1,0.1\n1,0.2\n", 2, "the level -1 is not above zero"),
        ("concurrency,p95\n1,0.1\n", 1, "a ramp needs at least two"),
        ("concurrency,p95\n", 1, "there is no level in it"),
        ("concurrency,p95\n1,0.1,7\n2,0.2\n", 2, "there are 3 columns, not 2"),
        ("concurrency,users,p95\n1,1,0.1\n", 1, "there are 2 load columns"),
        ("concurrency,latency\n1,0.1\n", 1, "the column 'latency' means nothing here"),
        ("concurrency,throughput_per_second\n1,0.1\n", 1, "there is no quantile column"),
        ("concurrency,p95,p95\n1,0.1,1\n", 1, "stands twice"),
        ("concurrency,p99\n1,0.1\n2,0.2\n", 1, "there is p99"),
        ("concurrency,p95,loop\n1,0.1,open\n2,0.2,closed\n", 3, "loop changes"),
        ("concurrency,p95,loop\n1,0.1,ajar\n2,0.2,closed\n", 2, "neither open nor closed"),
        ("concurrency,p95,time\n1,0.1,noon\n2,0.2,noon\n", 2, "'noon' is not a time"),
        ("a,b\n1,2\n", 1, "cannot be seen from its first line"),
        ("", 1, "cannot be seen from its first line"),
    ],
)
def test_a_wrong_table_is_explained(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read_ramps([written(tmp_path, text, "ramp.csv")], REQUEST)
    assert says in str(refused.value)
    assert refused.value.line == line


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    assert detect(written(tmp_path, "time,signal,value\n", "a")) == "history"
    assert detect(written(tmp_path, "member,value,signal,when\n", "b")) == "history"
    assert detect(written(tmp_path, "PAR1xxxx", "c")) == "history"
    assert detect(written(tmp_path, "p95,users\n", "d")) == "ramp table"
    assert detect(written(tmp_path, K6_HEADER + "\n", "e")) == "k6 CSV output"
    assert detect(tmp_path) == "repository"
    with pytest.raises(ImportRefused, match="this is no ramp but a history"):
        read_ramps([tmp_path / "a"], REQUEST)


def test_a_load_that_rises_all_the_time_is_cut_into_windows() -> None:
    seconds = np.arange(100.0)
    steps = steps_of_level(seconds, seconds + 1)
    assert len(steps) == 10
    assert [step.level for step in steps] == pytest.approx([5.5 + 10 * place for place in range(10)])
    assert sum(step.seconds for step in steps) == pytest.approx(100)


def test_what_comes_after_the_peak_is_left_out() -> None:
    levels = np.repeat([1.0, 2.0, 4.0, 2.0, 1.0], 10)
    steps = steps_of_level(np.arange(50.0), levels)
    assert [(step.level, step.spans) for step in steps] == [(1, ((0, 10),)), (2, ((10, 20),)), (4, ((20, 30),))]


@given(
    levels=st.lists(st.integers(1, 500), min_size=2, max_size=8, unique=True),
    seconds=st.integers(6, 60),
    offset=st.floats(0, 1e9),
)
def test_held_levels_are_the_steps(levels: list[int], seconds: int, offset: float) -> None:
    levels = sorted(levels)
    times = offset + np.arange(float(len(levels) * seconds))
    steps = steps_of_level(times, np.repeat(np.array(levels, dtype=np.float64), seconds))
    assert [step.level for step in steps] == levels
    assert [step.seconds for step in steps] == pytest.approx([seconds] * len(levels))


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=300))
def test_arrivals_give_rising_levels_that_hold_what_was_sent(times: list[float]) -> None:
    steps = steps_of_arrivals(np.array(times), np.ones(len(times)))
    levels = [step.level for step in steps]
    assert levels == sorted(set(levels))
    assert all(level > 0 for level in levels)
    spans = sorted(span for step in steps for span in step.spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@given(st.integers(0, 2**31), st.floats(0.5, 0.99))
def test_a_step_with_too_few_requests_is_left_out(seed: int, quantile: float) -> None:
    random = np.random.default_rng(seed)
    sent = np.sort(random.uniform(0, 20, int(random.integers(0, 200))))
    steps = steps_of_level(np.arange(20.0), np.repeat([1.0, 2.0], 10))
    found = measure(steps, sent, random.random(sent.size), (quantile,), quantile)
    enough = [step.level for step in steps if np.sum(step.holds(sent)) >= 1 / (1 - quantile) - 1e-6]
    assert found.levels.tolist() == enough
    assert found.left_out == len(steps) - len(enough)
    assert found.quantiles[quantile].shape == found.levels.shape == found.throughput_per_second.shape


def test_pauses_between_open_steps_are_no_load() -> None:
    rng = np.random.default_rng(4)
    sent, start = [], 0.0
    for rate in (20, 40, 60, 80, 100):
        sent.append(start + np.sort(rng.uniform(0, 40, rate * 40)))
        start += 45
    times = np.concatenate(sent)
    steps = steps_of_arrivals(times, np.ones(times.size))
    assert {round(step.level / 20) for step in steps} == {1, 2, 3, 4, 5}
    assert all(abs(step.level / (20 * round(step.level / 20)) - 1) < 0.2 for step in steps)
