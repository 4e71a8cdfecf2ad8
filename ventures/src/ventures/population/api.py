"""What the commands use of a population."""

from ventures.population.populating import Interrupted, Outcome, Progress, populate
from ventures.population.shape import Plan

__all__ = ["Interrupted", "Outcome", "Plan", "Progress", "populate"]
