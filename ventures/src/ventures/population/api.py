"""What the commands use of a population."""

from ventures.population.loading import Level, Step, levels
from ventures.population.populating import Interrupted, Outcome, Progress, populate
from ventures.population.report import Report, ramp_csv, step_report, table
from ventures.population.running import Wanted, load
from ventures.population.shape import Plan

__all__ = [
    "Interrupted",
    "Level",
    "Outcome",
    "Plan",
    "Progress",
    "Report",
    "Step",
    "Wanted",
    "levels",
    "load",
    "populate",
    "ramp_csv",
    "step_report",
    "table",
]
