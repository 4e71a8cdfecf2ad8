"""Before any comparison: arms are set up, the rate is settled, the machine is judged, answers are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outgrow.evidence.design import fitness_seed, round_orders
from outgrow.evidence.fitness import fitness, only_too_wide
from outgrow.evidence.parity import parity
from outgrow.evidence.records import Fit, Round
from outgrow.ports import Answers, ExperimentFailed
from outgrow.proving.records import FEW_REQUESTS
from outgrow.proving.under_way import Run, round_of_arm
from outgrow.quantities import format_duration


def prepare(run: Run) -> None:
    """Sets every arm up; one that fails is left out."""
    arms = tuple(run.alive)
    for place, arm in enumerate(arms):
        run.say("prepare", place, len(arms), arm)

        def heard(text: str, place: int = place, arm: str = arm) -> None:
            run.say("prepare", place, len(arms), arm, text)

        try:
            run.experiment.prepare(arm, heard)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "prepare")
    run.say("prepare", len(arms), len(arms))


def settle_rate(run: Run) -> None:
    """The rate for all arms: as declared, or the load's share of what the slowest can answer."""
    comparison = run.asked.comparison
    arms, found = tuple(run.alive), dict[str, float]()
    for place, arm in enumerate(arms):
        run.say("capacity", place, len(arms), arm)
        try:
            capacity = run.experiment.capacity(arm)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "capacity")
            continue
        if capacity is not None:
            found[arm] = capacity
            run.change(arm, capacity_per_second=capacity)
    run.say("capacity", len(arms), len(arms))
    slowest = min((found[arm] for arm in run.alive if arm in found), default=None)
    run.rate = comparison.rate or (None if slowest is None else comparison.load * slowest)
    if run.rate is not None and run.rate * comparison.round_seconds < FEW_REQUESTS:
        longer = format_duration(math.ceil(FEW_REQUESTS / run.rate))
        run.say("capacity", 1, 1, said=f"few requests make a round's p95; with round_seconds: {longer} it tells more")


def judge_machine(run: Run) -> Fit:
    """An arm against itself: the baseline, or the first there is.

    Where the bounds are only too far apart, it goes on to as many rounds as arms are compared in: what then is still
    too wide for this, would be for that.
    """
    arm = run.experiment.baseline if run.experiment.baseline in run.alive else run.alive[0]
    first = run.asked.comparison.fitness_rounds
    orders = round_orders(("a", "b"), max(first, run.asked.rounds), run.asked.seed)
    pairs: list[tuple[Round, Round]] = []
    try:
        _pairs_of_itself(run, arm, orders[:first], pairs)
        found = fitness(arm, pairs)
        if only_too_wide(found) and len(orders) > first:
            run.fitness_left = 2 * (len(orders) - first)
            run.say("fitness", first, len(orders), arm, "the machine is noisy; the baseline is asked for longer")
            _pairs_of_itself(run, arm, orders, pairs)
            found = fitness(arm, pairs)
    except ExperimentFailed as failed:
        run.leave_out(arm, failed.message, "fitness")
        return Fit(arm, None, len(pairs), f"{arm} failed when it was compared with itself: {failed.message}")
    run.say("fitness", len(pairs), len(pairs))
    return found


def _pairs_of_itself(run: Run, arm: str, orders: Sequence[tuple[str, ...]], pairs: list[tuple[Round, Round]]) -> None:
    for number in range(len(pairs), len(orders)):
        halves = {}
        for place, half in enumerate(orders[number]):
            run.say("fitness", number, len(orders), arm)
            measured = run.measure(arm, fitness_seed(run.asked.seed, number))
            run.fitness_left -= 1
            halves[half] = round_of_arm(number, arm, place, measured)
        pairs.append((halves["a"], halves["b"]))


def compare_answers(run: Run) -> None:
    """The parity gate: an arm that answers wrongly is left out."""
    requests = run.experiment.requests(run.asked.seed)
    if not requests:
        run.say("parity", 1, 1, said="answers were not compared: the experiment has none that could be")
        return
    right, answers = run.experiment.right(requests), dict[str, Answers]()
    arms = tuple(run.alive)
    for place, arm in enumerate(arms):
        run.say("parity", place, len(arms), arm)
        try:
            answers[arm] = run.experiment.answers(arm, requests)
        except ExperimentFailed as failed:
            run.leave_out(arm, failed.message, "parity")
    texts = {each.id: each.text for each in requests}
    like = answers.get(run.experiment.baseline)
    for arm, given in answers.items():
        if like is None and right is None:
            break
        against = {} if like is None else like.by_request
        found = parity(given.by_request, against, right.by_request if right else None, texts,
                       run.asked.comparison.least_recall)  # fmt: skip
        run.change(arm, recall=found.recall if right else None, parity=found.same if like else None)
        if found.why_not:
            run.leave_out(arm, found.why_not, "parity")
    run.say("parity", len(arms), len(arms))
