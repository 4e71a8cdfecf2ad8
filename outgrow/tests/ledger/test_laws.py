"""The ledger on disk and the one in memory never disagree; hours and locations keep their laws."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.ledger import default_location, open_ledger
from outgrow.ledger.hours import origin_bit, sum_up, whole_hours
from outgrow.ports import HourlyValue, Ledger
from outgrow.quantities import HOUR
from outgrow.signals.series import Origin
from outgrow.testing import MemoryLedger

VALUES: tuple[HourlyValue, ...] = ("mean", "median", "min", "max")
TIMES = st.one_of(
    st.integers(-5, 200).map(lambda step: 900.0 * step), st.floats(-1e6, 1e9).map(lambda time: round(time, 3))
)
NUMBERS = st.floats(-1e300, 1e300, allow_nan=False)
BATCHES = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "eu"]),
    st.sampled_from(["measured", "imported", "simulated"]),
    st.lists(st.tuples(TIMES, NUMBERS), max_size=12),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(BATCHES, max_size=8),
    bounds=st.tuples(st.one_of(TIMES, st.just(-math.inf)), st.one_of(TIMES, st.just(math.inf))),
)
def test_disk_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[tuple[str, str, Origin, list[tuple[float, float]]]],
    bounds: tuple[float, float],
) -> None:
    ledgers = (_fresh(tmp_path_factory), MemoryLedger())
    for signal, member, origin, rows in batches:
        times, values = [row[0] for row in rows], [row[1] for row in rows]
        written = {
            ledger.add_samples(signal, times, values, origin=origin, source="x", member=member) for ledger in ledgers
        }
        assert len(written) == 1
    disk, memory = ledgers
    assert disk.signals() == memory.signals()
    for signal, member in (("a", ""), ("a", "eu"), ("b", ""), ("b", "eu")):
        assert disk.members(signal) == memory.members(signal)
        for start, end in ((-math.inf, math.inf), bounds):
            one, other = (ledger.series(signal, "s", start, end, member) for ledger in ledgers)
            assert one.times.tolist() == other.times.tolist()
            assert one.values.tolist() == other.values.tolist()
            assert one.origin == other.origin
            for value in VALUES:
                one, other = (ledger.hourly(signal, "s", value, start, end, member) for ledger in ledgers)
                assert one.times.tolist() == other.times.tolist()
                np.testing.assert_allclose(one.values, other.values, rtol=1e-9, atol=1e285)
    disk.close()


_opened = iter(range(10**9))


def _fresh(factory: pytest.TempPathFactory) -> Ledger:
    """A copy of an empty ledger: creating the schema anew would take most of the test's time."""
    template = factory.getbasetemp() / "empty.sqlite"
    if not template.exists():
        open_ledger(template).close()
    path = factory.getbasetemp() / f"law-{next(_opened)}.sqlite"
    path.write_bytes(template.read_bytes())
    return open_ledger(path)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(-1e308, 1e308)), min_size=1, unique_by=lambda row: row[0]))
def test_an_hour_lies_between_its_extremes(rows: list[tuple[int, float]]) -> None:
    times, values = np.array(sorted(rows), dtype=np.float64).T
    hours = sum_up(times, values, np.full(times.size, origin_bit("simulated")))
    assert hours.counts.sum() == times.size
    for middle in (hours.means, hours.medians):
        assert np.all((hours.mins <= middle) & (middle <= hours.maxes))
    assert np.all(np.diff(hours.starts) >= HOUR)
    assert hours.mins.min() == values.min()
    assert hours.maxes.max() == values.max()


def test_the_ledger_lies_beside_the_file(tmp_path: Path) -> None:
    config = tmp_path / "outgrow.yaml"
    assert default_location(config, {}) == str(tmp_path / ".outgrow" / "ledger.sqlite")


def test_the_environment_comes_first_then_the_file(tmp_path: Path) -> None:
    config = tmp_path / "outgrow.yaml"
    assert default_location(config, {"OUTGROW_LEDGER": "/elsewhere.sqlite"}, "declared.sqlite") == "/elsewhere.sqlite"
    assert default_location(config, {"OUTGROW_LEDGER": ""}, "declared.sqlite") == str(tmp_path / "declared.sqlite")
    assert default_location(config, {}, "/absolute.sqlite") == "/absolute.sqlite"
    assert default_location(config, {}, "postgresql://db/outgrow") == "postgresql://db/outgrow"


def test_beside_a_read_only_file_the_ledger_moves_to_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("os.access", lambda *_: False)
    one = default_location(tmp_path / "app" / "outgrow.yaml", {})
    other = default_location(tmp_path / "other" / "app" / "outgrow.yaml", {})
    assert Path(one).is_relative_to(tmp_path / "data" / "outgrow")
    assert Path(one).parent.name.startswith("app-")
    assert one != other
    assert one == default_location(tmp_path / "app" / "outgrow.yaml", {})


@given(st.lists(st.integers(-100, 30_000), max_size=60, unique=True), st.integers(1, 20))
def test_slices_part_no_hour(seconds: list[int], size: int) -> None:
    times = np.array(sorted(seconds), dtype=np.float64)
    parts = [times[part] for part in whole_hours(times, size)]
    assert np.concatenate([*parts, []]).tolist() == times.tolist()
    hours = [set(np.floor(part / HOUR).tolist()) for part in parts]
    assert sum(map(len, hours)) == len(set().union(*hours))
