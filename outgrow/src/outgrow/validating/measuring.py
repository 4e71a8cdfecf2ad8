"""Arms asked in rounds, with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from outgrow.evidence.design import request_seed, round_orders
from outgrow.evidence.kept import KeptRound
from outgrow.evidence.records import Round
from outgrow.points.declaration import Comparison
from outgrow.ports import Experiment, ExperimentFailed, Load
from outgrow.proving.under_way import answered, round_of_arm


@dataclass(frozen=True, slots=True)
class Told:
    """How far it is: what is being done, ``done`` of ``total`` parts of it, and the seconds that are left."""

    what: str
    said: str
    done: int = 0
    total: int = 0
    seconds_left: float = 0.0


@dataclass(slots=True)
class Arms:
    """The arms of an experiment; each is set up once, when it is first needed, and what that said is remembered."""

    experiment: Experiment
    workload: Comparison
    tell: Callable[[Told], None]
    timer: Callable[[], float] = time.monotonic
    _failed: dict[str, ExperimentFailed | None] = field(default_factory=dict)

    def set_up(self, arm: str, what: str) -> None:
        """Raises ``ExperimentFailed``, also where an earlier attempt of this run failed."""
        if arm not in self._failed:
            try:
                self.experiment.prepare(arm, lambda said: self.tell(Told(what, f"{arm}: {said}")))
                self._failed[arm] = None
            except ExperimentFailed as failed:
                self._failed[arm] = failed
        failed_before = self._failed[arm]
        if failed_before is not None:
            raise failed_before

    def capacity(self, arm: str, what: str) -> float | None:
        """Requests a second that it can answer; None where nobody needs to know, or the experiment has its own rate.

        Raises ``ExperimentFailed``.
        """
        if self.workload.rate is not None:
            return None
        self.tell(Told(what, f"how much {arm} can answer"))
        return self.experiment.capacity(arm)

    def rate(self, *capacities: float | None) -> float | None:
        """As declared, or the load's share of what the slowest can answer; None: the experiment has its own."""
        known = [each for each in capacities if each is not None]
        return self.workload.rate or (self.workload.load * min(known) if known else None)

    def rounds(
        self,
        arms: Sequence[str],
        rate: float | None,
        what: str,
        into: list[Round],
        left_out: dict[str, str],
        keep: Callable[[KeptRound], None] | None = None,
    ) -> None:
        """Asks the arms in interleaved rounds of random order; only rounds in which all were asked go ``into``, and to
        ``keep``. Those that are there already are not asked again.

        An arm that fails ends it, and stands in ``left_out`` with its reason.
        """
        done = {each.round for each in into}
        workload, took = self.workload, list[float]()
        for number, order in enumerate(round_orders(arms, workload.rounds, workload.seed), 1):
            if number in done:
                continue
            ran = []
            for place, arm in enumerate(order):
                usual = sum(took) / len(took) if took else workload.round_seconds
                left = usual * ((workload.rounds - number + 1) * len(arms) - place)
                if not place:
                    said = f"round {number} of {workload.rounds}"
                    self.tell(Told(what, said, number - 1, workload.rounds, left))
                began = self.timer()
                try:
                    load = Load(workload.round_seconds, request_seed(workload.seed, number), rate)
                    measured = answered(self.experiment.run(arm, load))
                except ExperimentFailed as failed:
                    left_out[arm] = f"it failed in round {number}: {failed.message}"
                    return
                took.append(self.timer() - began)
                ran.append(round_of_arm(number, arm, place, measured))
            if keep is not None:
                keep(KeptRound(number, tuple(ran), {}))
            into += ran

    def versions(self) -> Mapping[str, str]:
        """Of what was measured; nothing where nothing was, or they cannot be told."""
        if not self._failed:
            return {}
        try:
            return dict(self.experiment.versions())
        except ExperimentFailed:
            return {}
