"""Chapter 6: the load that broke it, once more and twice as much, beside what it was."""

from __future__ import annotations

import time

from demo import declaring
from demo.declaring import POINT
from demo.growing import Stairs
from demo.story import Load, Story
from demo.telling import Failed, milliseconds

HEADS = ("", "users", "searches", "vectors", "p50", "p95", "too late", "errors")


def told(story: Story) -> None:
    """The end. That the move did not help is told, and no fault."""
    teller, before, limit = story.teller, story.wall, story.plan.scale.breaks
    teller.chapter(6, "The load that broke it, before and after")
    if story.plan.whole:
        validated(story)
    after = again(story)
    if after[0].vector > limit:
        teller.say(f"  {milliseconds(after[0].vector)}: once more, since a machine may stall", "yellow")
        after = again(story)
    names = ("shared, before", f"{story.layout}, the same", f"{story.layout}, twice")
    teller.say("  vectors: p95 of asking the index; p50 and p95: of whole searches, as people wait for them.", "dim")
    teller.table(HEADS, [row(name, load) for name, load in zip(names, (before, *after), strict=True)])
    if after[0].vector > limit:
        sentence = f"The same load still takes {milliseconds(after[0].vector)}: this move did not help here."
        teller.say(sentence, "bold red")


def validated(story: Story) -> None:
    """The four checks."""
    teller, text = story.teller, story.config.read_text()
    rate = story.wall.users / story.plan.search_seconds
    declaring.put(story.config, declaring.validated(text, story.layout, rate))
    teller.run("outgrow", "validate", POINT, fine=(0, 1, 3), show=24)
    teller.say("Readiness is for people: pages of the handbook and names under them, which a story does not have.")


def again(story: Story) -> list[Load]:
    """The load that broke it, and twice as much, of the platform as it is now. Raises: Failed."""
    stairs = Stairs(story.wall.users, story.wall.users, 2, story.plan.after_seconds)
    began = time.monotonic()
    rising = story.rising(stairs, "after.json")
    try:
        with story.teller.doing("the same load, then twice") as going:
            found = []
            for window in rising.windows():
                going(f"{window.users:,} users: p95 {milliseconds(window.vector)}")
                found.append(window)
    finally:
        story.ended(rising)
    story.teller.timed(began, "the same load, then twice")
    if len(found) < stairs.steps:
        raise Failed("the load ended before its time")
    return [story.load_of("after.json", place, window) for place, window in enumerate(found)]


def row(name: str, load: Load) -> tuple[str, ...]:
    """A load as the table has it."""
    return (
        name,
        f"{load.users:,}",
        f"{load.per_second:.0f}/s",
        milliseconds(load.vector),
        milliseconds(load.p50),
        milliseconds(load.p95),
        f"{load.exact:.0%}",
        str(load.errors),
    )
