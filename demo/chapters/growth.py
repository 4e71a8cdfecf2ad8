"""Chapter 2: growth by steps until the wall was measured; forecasts are made on the way."""

from __future__ import annotations

import json
import signal
import time
from math import isfinite

from demo import declaring
from demo.declaring import POINT
from demo.figures import bounds_of, in_days, span_of
from demo.growing import Stairs, Window
from demo.story import Foretold, Story
from demo.telling import milliseconds

MOST_RAMPS = 4
BAR = 30
"""Columns of the longest bar, which is twice the limit."""


def told(story: Story) -> None:
    """Leaves the steps that were measured, and what was said beforehand."""
    teller, plan = story.teller, story.plan
    stairs, scale = plan.stairs, plan.scale
    teller.chapter(2, "It grows, and is watched")
    teller.say(
        f"All the data is there from the beginning, {plan.users * plan.passages:,} passages of {plan.ventures} "
        f"ventures; what grows is how many are at work with it, {stairs.apart} more every "
        f"{stairs.step_seconds:g} s, which are {stairs.step_seconds * scale.days:.0f} days on its clock."
    )
    teller.told("outgrow", "record", "--every", "1s", "&")
    recorder = teller.started("outgrow", "record", "--every", "1s", silent=True)
    began = time.monotonic()
    try:
        for number in range(MOST_RAMPS):
            if number:
                teller.say("  This machine carries more than was thought; so it grows further.")
            grown(story, stairs, f"growth-{number}.json")
            if story.broke_at is not None:
                break
            stairs = stairs.further
    finally:
        teller.ended(recorder, signal.SIGINT)
    teller.timed(began, "growth")


def grown(story: Story, stairs: Stairs, report: str) -> None:
    """Step by step, until the end or the wall; a forecast is asked for now and then."""
    plan, began = story.plan, len(story.steps)
    rising = story.rising(stairs, report)
    try:
        with story.teller.doing("people search"):
            for window in rising.windows():
                story.steps.append(window)
                shown(story, window)
                if story.broke_at is not None:
                    break
                since = len(story.steps) - plan.look_after
                if window.vector <= plan.scale.breaks and since >= 0 and since % plan.look_every == 0:
                    foretell(story)
    finally:
        story.ended(rising)
    story.reports += [(report, place) for place in range(len(story.steps) - began)]


def shown(story: Story, load: Window) -> None:
    """A step on a line: a bar for its p95, with a mark at the limit."""
    scale = story.plan.scale
    if len(story.steps) == 1:
        story.teller.say(
            f"  p95 is how long a search waits for its vectors; it warns at {scale.warn * 1000:.0f} ms, and ┊ is where "
            f"it breaks, {scale.breaks * 1000:.0f} ms.",
            "dim",
        )
    length = min(BAR, max(1, round(load.vector / scale.breaks * BAR / 2)))
    bar = "".join("▇" if place < length else "┊" if place == BAR // 2 else " " for place in range(BAR)).rstrip()
    style = "red" if load.vector > scale.breaks else "yellow" if load.vector > scale.warn else "green"
    figures = f"{load.users:>5,} users  {load.per_second:5.1f} searches/s  p95 {milliseconds(load.vector):>7}"
    story.teller.say(f"  {figures}  {bar}", style)


def foretell(story: Story) -> None:
    """Asks for a forecast, at the lowest priority: what asks must not slow what it asks about."""
    teller, steps = story.teller, story.steps
    first = not story.foretold
    if first:
        teller.say(f"After {len(steps)} steps: what does outgrow say, from what it has seen so far?")
    answer = story.outgrow("forecast", POINT, "--offline", shown=first, gently=True)
    (story.folder / "forecast.json").write_text(json.dumps(answer, indent=1))
    made = declaring.forecast_of(answer)
    said, days = bounds_of(made["users_at_limit"]), bounds_of(made["days_left"])
    days = days if days is not None and isfinite(days.high) else None
    dated_before = story.dated is not None
    story.foretold.append(Foretold(steps[-1].users, len(steps), answer["as_of"], said, days))
    if said is None:
        teller.say(f"  It refuses: {made['reason']}", "yellow")
        return
    middle = f", {said.mid:,.0f} in the middle" if isfinite(said.mid) else ""
    span = f"{span_of(said)} users{middle}"
    if days is None:
        if first:
            teller.say(f"  It gives no date: {made['reason']}", "yellow")
        lead = "What it knows all the same" if first else "Asked again, no date yet"
        teller.say(f"  {lead}: it breaks at {span}.", "bold")
    elif dated_before:
        teller.say(f"  Asked again: {in_days(days)}; it breaks at {span}.", "bold")
    else:
        teller.say(f"  Now it gives a date: {in_days(days)}; it breaks at {span}.", "bold")
