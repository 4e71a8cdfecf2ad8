"""The scripted experiment keeps the contract that every experiment keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outgrow.ports import Experiment
from outgrow.testing.experiment_contract import ExperimentContract
from outgrow.testing.scripted_experiment import ScriptedArm, ScriptedExperiment


class TestScripted(ExperimentContract):
    @pytest.fixture
    def experiment(self) -> Iterator[Experiment]:
        arms = [ScriptedArm("current", None, 0.2), ScriptedArm("tune", "tune", 0.02, measures={"slow": 0.02})]
        made = ScriptedExperiment(arms, right={"q1": ("a", "b"), "q2": ()})
        yield made
        made.close()
