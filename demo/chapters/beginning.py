"""Chapter 1: the platform and its people, in the shape one builds first, and its declaration made small."""

from __future__ import annotations

import time

from demo import declaring
from demo.story import Story


def told(story: Story) -> None:
    """Leaves the platform running, filled and at rest, and the declaration in the story's folder."""
    teller, plan, platform = story.teller, story.plan, story.platform
    scale = plan.scale
    teller.chapter(1, "The platform, in the shape one builds first")
    teller.say("One vector store, everybody's vectors in it, no index on whose they are.")
    teller.told("VENTURES_INDEX_LAYOUT=shared ventures serve &")
    began = time.monotonic()
    with teller.doing("starting PostgreSQL, API, worker and index"):
        platform.start()
    teller.timed(began, "starting the platform")
    teller.environment.update(platform.environment)
    teller.run("ventures", "populate", *plan.population, "--password-file", "password")
    began = time.monotonic()
    with teller.doing("the index reads what is new, and PostgreSQL tidies up"):
        platform.filled()
        platform.settled()
    teller.timed(began, "the index reads, and PostgreSQL tidies up")
    teller.say(
        "PostgreSQL tidied up after so many rows (VACUUM, CHECKPOINT): by itself it would in about a minute, in the "
        "middle of what is measured."
    )
    found = teller.run("ventures", "lookout", into="outgrow.yaml")
    declaring.put(story.config, declaring.declared(found.out, scale, story.counted.url))
    teller.say("That is outgrow.yaml as the platform ships it. For a story of minutes these are other:")
    teller.table(("", "as shipped", "here"), declaring.changes(scale, plan.search_seconds), words=3)
    teller.say(
        "This platform waits 150 ms for its index and then asks PostgreSQL, so nobody ever meets the shipped "
        f"seconds; at {scale.breaks * 1000:.0f} ms it is about to lose its index."
    )
