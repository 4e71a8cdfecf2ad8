"""A file of history is read as a whole or not at all, and a mistake is named by its line."""

from __future__ import annotations

import gzip
import math
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import ImportRefused, UsageError
from outgrow.imports import history_rows
from outgrow.imports.history import read_history

DECLARED = frozenset({"p95", "registered_users", "memory"})
MARCH = 1_772_323_200.0  # 2026-03-01T00:00:00Z


def written(tmp_path: Path, text: str | bytes, name: str = "history.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def samples(path: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with read_history(path, DECLARED) as history:
        for piece in history.pieces():
            pairs = zip(piece.times.tolist(), piece.values.tolist(), strict=True)
            found.setdefault((piece.signal, piece.member), []).extend(pairs)
    return found


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01",
        "2026-03-01T00:00:00Z",
        "2026-03-01 00:00:00",
        "2026-03-01T01:00:00+01:00",
        "2026-03-01T00:00:00.000000",
        "1772323200",
        "1772323200.0",
        "1772323200000",
        " 1772323200 ",
    ],
)
def test_a_time_may_be_written_in_several_ways(tmp_path: Path, time: str) -> None:
    path = written(tmp_path, f"time,signal,value\n{time},p95,0.25\n")
    assert samples(path) == {("p95", ""): [(MARCH, 0.25)]}


def test_spreadsheets_and_gzip_are_read(tmp_path: Path) -> None:
    text = '\ufeffTime, Signal ,Value\r\n1772323200,"p95", 1e-1\r\n\r\n1772323260,p95,2\r\n'
    expected = {("p95", ""): [(MARCH, 0.1), (MARCH + 60, 2.0)]}
    assert samples(written(tmp_path, text)) == expected
    assert samples(written(tmp_path, gzip.compress(text.encode()), "history.csv.gz")) == expected


def test_members_are_kept_apart(tmp_path: Path) -> None:
    path = written(
        tmp_path, "value,member,signal,time\n7,eu,registered_users,1772323200\n9,,registered_users,1772323200\n"
    )
    assert samples(path) == {("registered_users", "eu"): [(MARCH, 7.0)], ("registered_users", ""): [(MARCH, 9.0)]}


def test_rows_without_a_value_are_gaps_and_counted(tmp_path: Path) -> None:
    rows = ["", "NaN", "nan", "+Inf", "-inf", "null", "N/A"]
    text = "time,signal,value\n" + "".join(f"{MARCH + place},p95,{value}\n" for place, value in enumerate(rows))
    with read_history(written(tmp_path, text + f"{MARCH + 99},p95,1\n"), DECLARED) as history:
        assert (history.rows, history.gaps) == (1, len(rows))
        assert (history.first, history.last) == (MARCH + 99, MARCH + 99)
        assert history.counts == {("p95", ""): 1}
        assert history.format == "CSV"


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path, "time,signal,value\n1772323260,p95,2\n1772323200,p95,1\n1772323260,p95,3\n")
    assert samples(path)["p95", ""] == [(MARCH + 60, 2.0), (MARCH, 1.0), (MARCH + 60, 3.0)]


LINES = ["time,signal,value", "2026-03-01,p95,1", "2026-03-02,p95,2", "2026-03-03,p95,3"]


@pytest.mark.parametrize(
    ("line", "text", "says"),
    [
        (4, "2026-03-03,p95,abc", "'abc' is not a number"),
        (4, "2026-03-03,p95,'1'", "is not a number"),
        (3, "yesterday,p95,1", "'yesterday' is not a time"),
        (3, ",p95,1", "is not a time"),
        (3, "2026-02-30,p95,1", "is not a time"),
        (3, "20260301,p95,1", "would be 1970-08-23"),
        (3, "1772323200000000,p95,1", "lies in no year"),
        (3, "nan,p95,1", "is not a time"),
        (2, "2026-03-01,p59,1", "'p59' is not declared; did you mean p95?"),
        (2, "2026-03-01,,1", "'' is not declared; declared are: memory, p95, registered_users"),
        (4, "2026-03-03,p95", "there are 2 columns, not 3"),
        (4, "2026-03-03,p95,0,25", "there are 4 columns, not 3"),
        (3, '2026-03-02,p95,"2', "unexpected end of data"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_taken(tmp_path: Path, line: int, text: str, says: str) -> None:
    lines = [*LINES[: line - 1], text, *LINES[line:]]
    path = written(tmp_path, "\n".join(lines))
    with pytest.raises(ImportRefused) as refused:
        read_history(path, DECLARED)
    expected_line = len(lines) if "end of data" in says else line
    assert str(refused.value).startswith(f"{path}:{expected_line}: ")
    assert says in str(refused.value)
    assert str(refused.value).endswith("nothing of this file was imported")


def test_the_line_is_right_beyond_blank_and_folded_rows(tmp_path: Path) -> None:
    text = 'time,signal,value\n2026-03-01,p95,1\n\n2026-03-02,"p95\n",2\n2026-03-03,p95,x\n'
    with pytest.raises(ImportRefused, match="'x' is not a number") as refused:
        read_history(written(tmp_path, text), DECLARED)
    assert refused.value.line == 6


def test_the_last_of_many_lines_is_named(tmp_path: Path) -> None:
    good = "".join(f"{MARCH + 60 * minute:.0f},p95,0.1\n" for minute in range(12_000))
    with pytest.raises(ImportRefused) as refused:
        read_history(written(tmp_path, "time,signal,value\n" + good + "0,p95,0.1\n"), DECLARED)
    assert refused.value.line == 12_002


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no column 'time'"),
        ("timestamp,signal,value\n", "there is no column 'time'; 'timestamp' looks like it"),
        ("time,signal,value,host\n", "the column 'host' means nothing here"),
        ("time,signal,value,value\n", "stands twice"),
        ("time;signal;value\n", "columns are parted by ';' here"),
        ("time,signal,value\n", "there is no row with a value in it"),
        ("time,signal,value\n2026-03-01,p95,\n", "there is no row with a value in it"),
    ],
)
def test_a_wrong_header_is_explained(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read_history(written(tmp_path, text), DECLARED)
    assert says in str(refused.value)
    assert refused.value.line == 1


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    start = b"time,signal,value\n"
    with pytest.raises(ImportRefused, match="not UTF-8") as refused:
        read_history(written(tmp_path, start + b"1772323200,p95,1\n1772323200,p\xe9,1\n"), DECLARED)
    assert refused.value.line == 3
    with pytest.raises(ImportRefused, match="UTF-16"):
        read_history(written(tmp_path, "time,signal,value\n".encode("utf-16")), DECLARED)
    with pytest.raises(ImportRefused, match="gzip data are broken"):
        read_history(written(tmp_path, gzip.compress(start * 1000)[:-30]), DECLARED)
    with pytest.raises(UsageError, match="cannot be read"):
        read_history(tmp_path / "absent.csv", DECLARED)


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    text = "time,signal,value\n" + "".join(f"{MARCH + 60 * minute:.0f},p95,0.1\n" for minute in range(20_000))
    path = written(tmp_path, text)
    read_history(path, DECLARED, lambda done, total: told.append((done, total))).close()
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_what_exceeds_memory_waits_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_rows, "IN_MEMORY", 3_000)
    rows = [(MARCH + 60 * minute, ("p95", "memory")[minute % 2], float(minute)) for minute in range(14_000)]
    text = "time,signal,value\n" + "".join(f"{time},{name},{value}\n" for time, name, value in rows)
    found = samples(written(tmp_path, text))
    for name in ("p95", "memory"):
        assert found[name, ""] == [(time, value) for time, signal, value in rows if signal == name]


@pytest.mark.parametrize("kind", ["seconds", "milliseconds", "float", "ms timestamp", "ns timestamp with zone", "text"])
def test_parquet_says_the_same(tmp_path: Path, kind: str) -> None:
    seconds = [int(MARCH), int(MARCH) + 60, int(MARCH) + 120]
    moments = [datetime.fromtimestamp(second, UTC) for second in seconds]
    times = {
        "seconds": pa.array(seconds),
        "milliseconds": pa.array([second * 1000 for second in seconds]),
        "float": pa.array([float(second) for second in seconds]),
        "ms timestamp": pa.array([moment.replace(tzinfo=None) for moment in moments], pa.timestamp("ms")),
        "ns timestamp with zone": pa.array(moments, pa.timestamp("ns", tz="Europe/Berlin")),
        "text": pa.array([moment.isoformat() for moment in moments]),
    }[kind]
    table = pa.table(
        {
            "time": times,
            "signal": pa.array(["p95", "p95", "memory"]).dictionary_encode(),
            "value": pa.array([0.5, None, 7], pa.float32()),
            "member": pa.array(["eu", None, None]),
        }
    )
    pq.write_table(table, tmp_path / "history.parquet")
    assert samples(tmp_path / "history.parquet") == {
        ("p95", "eu"): [(MARCH, 0.5)],
        ("memory", ""): [(MARCH + 120, 7.0)],
    }


@pytest.mark.parametrize(
    ("table", "line", "says"),
    [
        ({"time": [MARCH, MARCH], "signal": ["p95", "p59"], "value": [1.0, 1.0]}, 2, "did you mean p95?"),
        ({"time": [MARCH, 5.0], "signal": ["p95", "p95"], "value": [1.0, 1.0]}, 2, "would be 1970-01-01"),
        ({"time": [MARCH, MARCH], "signal": ["p95", None], "value": [1.0, 1.0]}, 2, "there is no signal"),
        ({"time": ["2026-03-01", "x"], "signal": ["p95", "p95"], "value": [1.0, 1.0]}, 2, "'x' is not a time"),
        ({"time": [MARCH], "signal": ["p95"], "value": ["1"]}, 1, "holds string, not numbers"),
        ({"time": [MARCH], "signal": ["p95"]}, 1, "there is no column 'value'"),
    ],
)
def test_a_broken_parquet_row_is_named(tmp_path: Path, table: dict[str, list[object]], line: int, says: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "history.parquet")
    with pytest.raises(ImportRefused) as refused:
        read_history(tmp_path / "history.parquet", DECLARED)
    assert says in str(refused.value)
    assert refused.value.line == line


def test_a_cut_off_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"time": [MARCH], "signal": ["p95"], "value": [1.0]}), tmp_path / "history.parquet")
    path = written(tmp_path, (tmp_path / "history.parquet").read_bytes()[:-20], "cut.parquet")
    with pytest.raises(ImportRefused, match="broken"):
        read_history(path, DECLARED)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"PAR1 and more", "history.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "outgrow.imports.history_parquet", raising=False)
    with pytest.raises(UsageError, match="needs pyarrow") as refused:
        read_history(path, DECLARED)
    assert "outgrow[parquet]" in refused.value.next_step


@given(
    st.lists(
        st.tuples(
            st.integers(700_000_000, 4_000_000_000),
            st.sampled_from(sorted(DECLARED)),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_finite_row_arrives_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, float]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "law.csv"
    path.write_text("time,signal,value\n" + "".join(f"{time},{name},{value!r}\n" for time, name, value in rows))
    finite = [row for row in rows if math.isfinite(row[2])]
    if not finite:
        with pytest.raises(ImportRefused):
            read_history(path, DECLARED)
        return
    expected: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for time, name, value in finite:
        expected.setdefault((name, ""), []).append((float(time), value))
    assert samples(path) == expected
    with read_history(path, DECLARED) as history:
        assert history.rows + history.gaps == len(rows)
        assert np.isclose(history.first, min(row[0] for row in finite))
