"""Chapter 3: where it broke, held against what was said of it."""

from __future__ import annotations

from math import isfinite

from demo.figures import in_days, judged, reached_at, span_of
from demo.story import Foretold, Story
from demo.telling import Failed, milliseconds


def told(story: Story) -> None:
    """Leaves the step that broke it; a warning that came late is a fault. Raises: Failed where none can be judged."""
    plan, teller, warned, dated = story.plan, story.teller, story.warned, story.dated
    teller.chapter(3, "The wall, and what was said of it")
    limit, place = plan.scale.breaks, story.broke_at
    if place is None:
        raise Failed(f"{story.steps[-1].users:,} users did not bring it to its wall: nothing can be judged")
    if warned is None and place < plan.look_after:
        raise Failed(
            "the wall came before the first forecast: this machine is too busy for the story, so nothing was judged"
        )
    upto = story.steps[: place + 1]
    wall = max(reached_at([one.users for one in upto[-2:]], [one.vector for one in upto[-2:]], limit) or 0.0, 1.0)
    story.before = last = story.load_of(*story.reports[place], story.steps[place])

    def took(one: Foretold) -> float:
        return (place + 1 - one.steps) * plan.stairs.step_seconds * plan.scale.days

    late = "no search had to be answered by PostgreSQL yet"
    if last.exact >= 0.005:
        late = f"{last.exact:.0%} of the searches were given up on and answered by PostgreSQL"
    teller.say(
        f"With {last.users:,} users a vector query takes {milliseconds(last.vector)} (p95), over "
        f"{milliseconds(limit)}; {late}."
    )
    rows = [row(one, took(one)) for one in story.foretold]
    if rows:
        teller.table(("asked with", "it breaks at", "in the middle", "date", "it took"), rows)
    found = judged(
        warned.at_users if warned else None,
        wall,
        days_said=dated.days if dated else None,
        days=took(dated) if dated else 0.0,
    )
    teller.say(found.sentence, "bold red" if found.how == "late" else "bold green")
    if found.how == "late":
        story.faults.append(found.sentence)


def row(one: Foretold, took: float) -> tuple[str, ...]:
    """What was said, beside how many days it took until the wall."""
    said, days = one.at_users, one.days
    return (
        f"{one.users:,} users",
        f"{span_of(said)} users" if said else "refused",
        f"{said.mid:,.0f}" if said and isfinite(said.mid) else "",
        in_days(days) if days else "no date",
        f"{took:,.0f} days",
    )
