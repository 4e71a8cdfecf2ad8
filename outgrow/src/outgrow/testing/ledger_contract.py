"""What every ledger must hold. Subclass ``LedgerContract`` and give a fixture ``ledger`` that yields an empty one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from outgrow.ports import HourlyValue, Ledger, Message
from outgrow.quantities import DAY, HOUR, MINUTE
from outgrow.signals.series import Ramp

START = 1_772_323_200.0  # 2026-03-01T00:00:00Z, a full hour
MESSAGE = Message("p/t/firing", "Search is slow", "p95 is 5.2 s", "warning", "http://127.0.0.1/p")


class _Broken(Exception):
    """Raised by the tests inside a transaction."""


def _write_and_break(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.add_samples("p95", [START], [2.0], origin="imported", source="never seen before")
        ledger.add_samples("new", [START], [2.0], origin="imported", source="never seen before")
        with ledger.transaction():
            ledger.add_note("p", "t", "a fact", source="s", at=START, made_at=START)
        raise _Broken


class LedgerContract:
    """The laws of ``outgrow.ports.Ledger``."""

    @pytest.fixture
    def ledger(self) -> Iterator[Ledger]:
        """An empty ledger of the kind that is tested."""
        raise NotImplementedError("give a fixture `ledger` that yields an empty ledger")

    def test_samples_come_back_in_order_of_time(self, ledger: Ledger) -> None:
        times = [START + 120, START, START + 60]
        assert ledger.add_samples("p95", times, [3.0, 1.0, 2.0], origin="measured", source="prometheus") == 3
        series = ledger.series("p95", "seconds")
        assert series.name == "p95"
        assert series.unit == "seconds"
        assert series.times.tolist() == [START, START + 60, START + 120]
        assert series.values.tolist() == [1.0, 2.0, 3.0]

    def test_the_last_written_of_equal_times_wins(self, ledger: Ledger) -> None:
        ledger.add_samples("p95", [START, START], [1.0, 2.0], origin="measured", source="a")
        assert ledger.series("p95", "seconds").values.tolist() == [2.0]
        ledger.add_samples("p95", [START], [3.0], origin="imported", source="b")
        series = ledger.series("p95", "seconds")
        assert series.values.tolist() == [3.0]
        assert series.origin == "imported"
        assert ledger.hourly("p95", "seconds").values.tolist() == [3.0]

    def test_writing_the_same_again_changes_nothing(self, ledger: Ledger) -> None:
        times, values = START + MINUTE * np.arange(200), np.linspace(0, 1, 200)
        for _ in range(2):
            ledger.add_samples("p95", times, values, origin="imported", source="file")
        assert len(ledger.series("p95", "seconds")) == 200
        assert ledger.signals()[0].count == 200

    def test_a_gap_is_no_sample(self, ledger: Ledger) -> None:
        times = [START, START + 60, START + 120]
        assert ledger.add_samples("p95", times, [1.0, math.nan, math.inf], origin="measured", source="a") == 1
        assert ledger.series("p95", "seconds").times.tolist() == [START]
        assert ledger.add_samples("empty", [START], [math.nan], origin="measured", source="a") == 0
        assert [summary.signal for summary in ledger.signals()] == ["p95"]

    def test_a_range_includes_both_ends(self, ledger: Ledger) -> None:
        ledger.add_samples("p95", START + 60 * np.arange(5), np.arange(5.0), origin="measured", source="a")
        assert ledger.series("p95", "seconds", START + 60, START + 180).values.tolist() == [1.0, 2.0, 3.0]
        assert len(ledger.series("p95", "seconds", START + 61, START + 119)) == 0

    def test_what_was_never_seen_is_empty(self, ledger: Ledger) -> None:
        assert len(ledger.series("p95", "seconds")) == 0
        assert len(ledger.hourly("p95", "seconds")) == 0
        assert ledger.members("p95") == ()
        assert ledger.signals() == ()

    def test_members_are_apart_from_the_whole(self, ledger: Ledger) -> None:
        ledger.add_samples("users", [START], [7.0], origin="measured", source="a", member="eu")
        ledger.add_samples("users", [START], [3.0], origin="measured", source="a", member="us")
        assert ledger.members("users") == ("eu", "us")
        assert len(ledger.series("users", "users")) == 0
        assert ledger.series("users", "users", member="eu").values.tolist() == [7.0]
        ledger.add_samples("users", [START], [10.0], origin="measured", source="a")
        assert ledger.members("users") == ("", "eu", "us")
        assert ledger.signals()[0].members == ("", "eu", "us")
        assert ledger.signals()[0].count == 3

    def test_a_signal_is_summed_up(self, ledger: Ledger) -> None:
        ledger.add_samples("b", [START, START + DAY], [1.0, 2.0], origin="simulated", source="demo")
        ledger.add_samples("b", [START + 2 * DAY], [3.0], origin="measured", source="p")
        ledger.add_samples("a", [START], [1.0], origin="measured", source="p")
        first, second = ledger.signals()
        assert (first.signal, second.signal) == ("a", "b")
        assert (second.count, second.first, second.last) == (3, START, START + 2 * DAY)
        assert second.origins == ("measured", "simulated")

    def test_simulated_data_is_labelled_wherever_it_shows(self, ledger: Ledger) -> None:
        ledger.add_samples("u", [START], [1.0], origin="simulated", source="demo")
        ledger.add_samples("u", [START + DAY], [1.0], origin="imported", source="file")
        ledger.add_samples("u", [START + 2 * DAY], [1.0], origin="measured", source="p")
        assert ledger.series("u", "users").origin == "simulated"
        assert ledger.hourly("u", "users").origin == "simulated"
        assert ledger.series("u", "users", START + DAY).origin == "imported"
        assert ledger.series("u", "users", START + 2 * DAY).origin == "measured"

    @pytest.mark.parametrize("value", ["mean", "median", "min", "max"])
    def test_hours_are_the_samples_summed_up(self, ledger: Ledger, value: HourlyValue) -> None:
        numbers = np.random.default_rng(7).lognormal(size=400)
        times = START + 37.5 * np.arange(400)
        order = np.random.default_rng(8).permutation(400)
        for part in np.array_split(order, 7):  # written out of order and in pieces that share hours
            ledger.add_samples("p95", times[part], numbers[part], origin="measured", source="a")
        hours = np.floor(times / HOUR) * HOUR
        summary: Any = getattr(np, value)
        expected = [float(summary(numbers[hours == hour])) for hour in np.unique(hours)]
        read = ledger.hourly("p95", "seconds", value)
        assert read.times.tolist() == np.unique(hours).tolist()
        np.testing.assert_allclose(read.values, expected, rtol=1e-12)
        part_read = ledger.hourly("p95", "seconds", value, START + HOUR, START + 2 * HOUR)
        assert part_read.times.tolist() == [START + HOUR, START + 2 * HOUR]

    def test_hours_follow_a_correction_far_back(self, ledger: Ledger) -> None:
        ledger.add_samples("p95", START + MINUTE * np.arange(6000), np.ones(6000), origin="measured", source="a")
        ledger.add_samples("p95", [START, START + 50 * HOUR], [61.0, 2.0], origin="measured", source="a")
        read = ledger.hourly("p95", "seconds")
        assert read.values[0] == pytest.approx(2.0)
        assert read.values[50] == pytest.approx(1 + 1 / 60)
        assert read.values[1] == 1.0
        assert ledger.signals()[0].count == 6000

    def test_a_transaction_is_all_or_nothing(self, ledger: Ledger) -> None:
        ledger.add_samples("p95", [START], [1.0], origin="measured", source="a")
        with pytest.raises(_Broken):
            _write_and_break(ledger)
        assert ledger.series("p95", "seconds").values.tolist() == [1.0]
        assert [summary.signal for summary in ledger.signals()] == ["p95"]
        assert ledger.notes() == ()
        with ledger.transaction():
            ledger.add_samples("new", [START], [2.0], origin="imported", source="never seen before")
        assert ledger.series("new", "seconds").values.tolist() == [2.0]

    def test_ramps_come_back_as_they_were(self, ledger: Ledger) -> None:
        ramp = Ramp(
            name="search, k6",
            signal="p95",
            axis="concurrency",
            levels=np.array([1.0, 8.0, 20.0]),
            values=np.array([0.1, 0.2, 1 / 3]),
            loop="closed",
            made_at=START,
            throughput_per_second=np.array([9.0, 60.5, math.nan]),
            quantiles={0.5: np.array([0.05, 0.1, 0.2]), 0.95: np.array([0.1, 0.2, 1 / 3])},
            origin="imported",
        )
        ledger.add_ramp(ramp)
        (read,) = ledger.ramps("p95")
        assert (read.name, read.signal, read.axis, read.loop, read.made_at, read.origin) == (
            ramp.name,
            ramp.signal,
            ramp.axis,
            ramp.loop,
            ramp.made_at,
            ramp.origin,
        )
        np.testing.assert_array_equal(read.levels, ramp.levels)
        np.testing.assert_array_equal(read.values, ramp.values)
        np.testing.assert_array_equal(read.throughput_per_second, ramp.throughput_per_second)
        assert set(read.quantiles) == {0.5, 0.95}
        np.testing.assert_array_equal(read.quantiles[0.95], ramp.quantiles[0.95])

    def test_a_ramp_is_replaced_and_not_doubled(self, ledger: Ledger) -> None:
        levels = np.array([1.0, 2.0])
        for signal, name, made_at, scale in (
            ("b", "x", START, 1),
            ("a", "y", START + 1, 1),
            ("b", "x", START, 2),
            ("b", "x", START - 1, 3),
        ):
            ledger.add_ramp(Ramp(name, signal, "load", levels, levels * scale, "open", made_at))
        assert [(ramp.signal, ramp.values[0]) for ramp in ledger.ramps()] == [("b", 3.0), ("b", 2.0), ("a", 1.0)]
        assert len(ledger.ramps("a")) == 1
        assert ledger.ramps("none") == ()

    def test_notes_are_kept_and_withdrawn(self, ledger: Ledger) -> None:
        first = ledger.add_note("p", "eu", "a contract in the EU", source="sales", at=START - DAY, made_at=START)
        second = ledger.add_note("q", "slow", "“slow” from Tōkyō", source="", at=START, made_at=START)
        assert first.id != second.id
        assert ledger.notes() == (first, second)
        assert ledger.notes("p") == (first,)
        assert ledger.notes("p", "slow") == ()
        withdrawn = ledger.withdraw_note(first.id, START + DAY)
        assert withdrawn is not None
        assert withdrawn.withdrawn_at == START + DAY
        assert ledger.withdraw_note(first.id, START + 2 * DAY) == withdrawn
        assert ledger.notes() == (withdrawn, second)
        assert ledger.withdraw_note(999, START) is None

    def test_forecasts_are_only_ever_added(self, ledger: Ledger) -> None:
        ledger.add_forecast("p", "t", START, "d1", {"verdict": "dated", "low": 1.5, "none": None})
        ledger.add_forecast("p", "t", START + DAY, "d2", {"verdict": "range"})
        ledger.add_forecast("p", "t", START + DAY, "d1", {"verdict": "unknown"})
        ledger.add_forecast("p", "other", START - DAY, "d1", {"verdict": "dated"})
        latest = ledger.forecast_by_digest("p", "t", "d1")
        assert latest is not None
        assert (latest.made_at, latest.body) == (START + DAY, {"verdict": "unknown"})
        found = ledger.forecast_by_digest("p", "t", "d2")
        assert found is not None
        assert found.body == {"verdict": "range"}
        assert [stored.made_at for stored in ledger.forecasts()] == [START - DAY, START, START + DAY, START + DAY]
        assert [stored.digest for stored in ledger.forecasts("p", "t")] == ["d1", "d2", "d1"]
        assert ledger.forecasts("p", "t")[0].body == {"verdict": "dated", "low": 1.5, "none": None}
        assert ledger.forecast_by_digest("q", "t", "d1") is None
        assert ledger.forecast_by_digest("p", "t", "d3") is None

    def test_a_forecast_with_infinite_numbers_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="JSON"):
            ledger.add_forecast("p", "t", START, "d", {"high": math.inf})
        assert ledger.forecasts() == ()

    def test_a_record_is_added_once_for_what_it_rests_on(self, ledger: Ledger) -> None:
        first = ledger.add_record("evidence", "p", START + DAY, "d1", {"ratio": 9.2, "none": None})
        again = ledger.add_record("evidence", "p", START + 2 * DAY, "d1", {"ratio": 1.0})
        assert again == first
        assert (first.kind, first.point, first.made_at, first.digest) == ("evidence", "p", START + DAY, "d1")
        assert first.body == {"ratio": 9.2, "none": None}
        second = ledger.add_record("evidence", "p", START, "d2", {})
        other = ledger.add_record("evidence", "q", START, "d1", {"of": "q"})
        decided = ledger.add_record("decision", "p", START, "d1", {"chosen": "A"})
        assert len({first.id, second.id, other.id, decided.id}) == 4
        assert ledger.records("evidence") == (first, second, other)
        assert ledger.records("evidence", "p") == (first, second)
        assert ledger.records("decision") == (decided,)
        assert ledger.records("plan") == ()

    def test_a_record_with_infinite_numbers_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="JSON"):
            ledger.add_record("plan", "", START, "d", {"finish": math.inf})
        assert ledger.records("plan") == ()

    def test_a_message_is_put_out_once(self, ledger: Ledger) -> None:
        assert ledger.add_delivery("k", MESSAGE, START)
        assert not ledger.add_delivery("k", MESSAGE, START + 1)
        assert ledger.pending_deliveries(START - 1) == ()
        (pending,) = ledger.pending_deliveries(START)
        assert pending.message == MESSAGE
        assert (pending.key, pending.created_at, pending.attempts, pending.reason) == ("k", START, 0, "")
        ledger.mark_delivered("k", START + 2)
        assert ledger.pending_deliveries(START + DAY) == ()
        assert not ledger.add_delivery("k", MESSAGE, START + DAY)

    def test_a_failed_message_is_due_again_later(self, ledger: Ledger) -> None:
        ledger.add_delivery("late", MESSAGE, START + 1)
        ledger.add_delivery("k", MESSAGE, START)
        assert [pending.key for pending in ledger.pending_deliveries(START + 1)] == ["k", "late"]
        ledger.mark_failed("k", "connection refused", START + 300, 1)
        assert [pending.key for pending in ledger.pending_deliveries(START + 299)] == ["late"]
        again = ledger.pending_deliveries(START + 300)[0]
        assert (again.key, again.attempts, again.reason, again.due) == ("k", 1, "connection refused", START + 300)
        ledger.mark_failed("k", "given up", math.inf, 2)
        assert [pending.key for pending in ledger.pending_deliveries(START + 1e9)] == ["late"]

    def test_a_source_remembers(self, ledger: Ledger) -> None:
        assert ledger.memory("scrape", "last") is None
        ledger.put_memory("scrape", "last", b"\x00one\xff")
        ledger.put_memory("other", "last", b"")
        ledger.put_memory("scrape", "last", b"\x00two\xff")
        assert ledger.memory("scrape", "last") == b"\x00two\xff"
        assert ledger.memory("other", "last") == b""
