"""What every experiment must hold: subclass ``ExperimentContract`` and give a fixture ``experiment``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from outgrow.ports import Experiment, Load

SECONDS = 1.0
RATE = 20.0


class ExperimentContract:
    """The laws of ``outgrow.ports.Experiment``. Each arm is asked for about a second, a few times."""

    @pytest.fixture
    def experiment(self) -> Iterator[Experiment]:
        """An experiment of the kind that is tested, with two arms or more, closed afterwards."""
        raise NotImplementedError("give a fixture `experiment` that yields an experiment")

    @pytest.fixture
    def prepared(self, experiment: Experiment) -> Experiment:
        """Every arm set up."""
        told: list[str] = []
        for arm in experiment.arms:
            experiment.prepare(arm.id, told.append)
        return experiment

    def test_arms_have_names_of_their_own_and_one_is_the_baseline(self, experiment: Experiment) -> None:
        names = [arm.id for arm in experiment.arms]
        assert len(names) >= 2
        assert len(set(names)) == len(names)
        assert experiment.baseline in names

    def test_options_stand_for_one_arm_each(self, experiment: Experiment) -> None:
        options = [arm.option for arm in experiment.arms if arm.option is not None]
        assert len(set(options)) == len(options)

    def test_preparing_tells_in_words(self, experiment: Experiment) -> None:
        told: list[str] = []
        experiment.prepare(experiment.baseline, told.append)
        assert all(isinstance(text, str) for text in told)

    def test_capacity_is_a_rate_or_nothing(self, prepared: Experiment) -> None:
        capacity = prepared.capacity(prepared.baseline)
        assert capacity is None or 0 < capacity < math.inf

    def test_a_run_counts_what_it_sent_and_times_what_was_answered(self, prepared: Experiment) -> None:
        rate = None if prepared.capacity(prepared.baseline) is None else RATE
        for arm in prepared.arms:
            measured = prepared.run(arm.id, Load(SECONDS, seed=1, rate_per_second=rate))
            assert 0 <= measured.dropped <= measured.sent
            assert measured.sent > 0
            assert 0 < measured.p50_seconds <= measured.p95_seconds <= measured.p99_seconds < math.inf
            assert 0 <= measured.throughput_per_second < math.inf
            assert all(math.isfinite(value) for value in measured.measures.values())

    def test_equal_seeds_send_as_much_to_every_arm(self, prepared: Experiment) -> None:
        rate = None if prepared.capacity(prepared.baseline) is None else RATE
        sent = [prepared.run(arm.id, Load(SECONDS, seed=2, rate_per_second=rate)).sent for arm in prepared.arms]
        assert min(sent) >= 0.9 * max(sent)

    def test_equal_seeds_ask_the_same(self, prepared: Experiment) -> None:
        first, second = prepared.requests(5), prepared.requests(5)
        assert list(first) == list(second)
        assert len({each.id for each in first}) == len(first)

    def test_every_request_has_an_answer_that_stays(self, prepared: Experiment) -> None:
        requests = prepared.requests(5)
        for arm in prepared.arms if requests else ():
            first = prepared.answers(arm.id, requests).by_request
            assert set(first) == {each.id for each in requests}
            again = prepared.answers(arm.id, requests).by_request
            assert {key: set(found) for key, found in again.items()} == {
                key: set(found) for key, found in first.items()
            }

    def test_what_is_right_is_about_what_was_asked(self, prepared: Experiment) -> None:
        requests = prepared.requests(5)
        right = prepared.right(requests)
        if right is not None:
            assert set(right.by_request) == {each.id for each in requests}

    def test_a_footprint_is_known_or_not_and_never_negative(self, prepared: Experiment) -> None:
        for arm in prepared.arms:
            found = prepared.footprint(arm.id)
            for value in (found.memory_bytes, found.disk_bytes, found.monthly_cost):
                assert value is None or 0 <= value < math.inf

    def test_versions_are_words(self, prepared: Experiment) -> None:
        versions = prepared.versions()
        assert all(isinstance(each, str) and each for pair in versions.items() for each in pair)

    def test_closing_twice_is_closing_once(self, experiment: Experiment) -> None:
        experiment.close()
        experiment.close()
