"""An experiment that another process can import: it waits in every run, and says in a file what became of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.ports import Load, Measured
from outgrow.testing.scripted_experiment import ScriptedArm, ScriptedExperiment


class Slow(ScriptedExperiment):
    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__([ScriptedArm("old", None, 0.1), ScriptedArm("new", "A", 0.1, fails={"capacity": "no disk"})])
        self.settings = settings

    def run(self, arm: str, load: Load) -> Measured:
        Path(self.settings["file"]).write_text(f"{os.getpid()}")
        if load.seconds == 13:
            raise ZeroDivisionError("thirteen")
        time.sleep(load.seconds)
        return super().run(arm, Load(1, load.seed))

    def close(self) -> None:
        Path(self.settings["file"]).write_text("closed")


def open_slow(settings: Mapping[str, Any]) -> Slow:
    return Slow(settings)
