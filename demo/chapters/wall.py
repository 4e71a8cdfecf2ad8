"""Chapter 3: where it broke, held against what was said of it."""

from __future__ import annotations

from demo.figures import judged, reached_at
from demo.story import Story
from demo.telling import Failed, milliseconds


def told(story: Story) -> None:
    """Leaves the step that broke it; a warning that came late is a fault. Raises: Failed where none can be judged."""
    plan, teller, known = story.plan, story.teller, story.foretold
    teller.chapter(3, "The wall, and what was said of it")
    limit, place = plan.scale.breaks, story.broke_at
    if place is None:
        raise Failed(f"{story.steps[-1].users:,} users did not bring it to its wall: nothing can be judged")
    if known.users is None and place < plan.half:
        raise Failed("the wall came before half-way: this machine is too busy for the story, so nothing was judged")
    upto = story.steps[: place + 1]
    wall = max(reached_at([one.users for one in upto[-2:]], [one.vector for one in upto[-2:]], limit) or 0.0, 1.0)
    story.before = last = story.load_of(*story.reports[place], story.steps[place])
    days = (place + 1 - known.days_after) * plan.stairs.step_seconds * plan.scale.days
    found = judged(known.users, wall, days_said=known.days, days=days)
    late = "no search had to be answered by PostgreSQL yet"
    if last.exact >= 0.005:
        late = f"{last.exact:.0%} of the searches were given up on and answered by PostgreSQL"
    teller.say(
        f"With {last.users:,} users a vector query takes {milliseconds(last.vector)} (p95), over "
        f"{milliseconds(limit)}; {late}."
    )
    if known.users is not None:
        date = f"; a date was given with {known.days_with:,}." if known.days_with else "; a date was given at no time."
        teller.say(f"The forecast was made with {known.users_with:,} users{date}")
    teller.say(found.sentence, "bold red" if found.how == "late" else "bold green")
    if found.how == "late":
        story.faults.append(found.sentence)
