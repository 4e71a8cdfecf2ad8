"""Chapter 4: the options side by side, the decision, the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo import declaring
from demo.declaring import LAYOUT_OF, POINT
from demo.story import Story
from demo.telling import milliseconds

TUNE = "tune"
OPTION_WORDS = {"tune": "tune", "A": "partition", "B": "migrate"}


def told(story: Story) -> None:
    """Leaves the layout that was decided on; the platform's own default where nothing could be."""
    teller, scale, plan, wall = story.teller, story.plan.scale, story.plan, story.wall
    teller.chapter(4, "Tune, partition or migrate? Measured, on the team's own ventures")
    rate, passages = wall.users / plan.search_seconds, plan.users * plan.passages
    text = declaring.to_prove(story.config.read_text(), scale, wall.users, rate, passages)
    declaring.put(story.config, text)
    teller.say(
        f"The measured limit governs now: outgrow.yaml says complete_before {int(wall.users * scale.early):,} users, "
        f"{scale.early:.0%} of it, and an experiment: each layout gets all {passages:,} passages and "
        f"{rate * scale.early:.0f} searches a second."
    )
    teller.say(
        "The layout that is there is measured against itself first: a machine that sees a difference there can judge "
        "nothing. That takes a minute, and the four layouts side by side another."
    )
    proof = proved(story)
    if proof["ended"] != "finished":
        teller.say(f"  {proof['sentence']}", "bold yellow")
        teller.say("So nothing is decided by it, and the story goes on with the platform's own default.")
        return
    side_by_side(story, proof)
    decided = story.outgrow("decide", POINT)
    teller.say(f"  {decided['verdict']}: {decided['option'] or 'no option'}", "bold green")
    for reason in decided["reasons"]:
        if reason not in proof["reasons"]:
            teller.say(f"  {reason}")
    if decided["option"] in LAYOUT_OF:
        story.layout = LAYOUT_OF[decided["option"]]
    else:
        teller.say("So the story goes on with the platform's own default.", "yellow")
    planned(story, decided["option"] or "")


def planned(story: Story, option: str) -> None:
    """The plan of the day on which the forecast was made: today there is nothing left to plan, it has broken."""
    if not story.foretold:
        return
    day = story.foretold[0].day
    teller = story.teller
    teller.say(
        f"On {day}, when the first forecast was made: could two people carry all that this growth brings, in time?"
    )
    pinned = ("--option", f"{POINT}={option}") if option else ()
    answer = story.outgrow("plan", "--as-of", day, *pinned, "--scenarios", str(story.plan.scenarios))
    if answer.get("reason"):
        teller.say(f"  No plan can be made: {answer['reason']}", "yellow")
        return
    teller.say(f"  {answer['verdict']['sentence']}", "bold green" if answer["feasible"] else "bold yellow")
    rows = [rewrite(one) for one in answer["rewrites"]]
    teller.table(("rewrite", "who", "starts", "done", "its wall", "in time"), rows, words=2)


def rewrite(one: Mapping[str, Any]) -> tuple[str, ...]:
    """A rewrite of a plan: the middle of each date. What is past already has no chance to be in time."""
    wall = "past already" if one["past"] else (one["wall"] or {}).get("p50") or "not in sight"
    ratio = one["in_time_ratio"]
    return (
        f"{one['number']}{'' if one['option'] == TUNE else one['option']} {one['option_title']}",
        str(one["who"] or "–"),
        str(one["start"] or "–"),
        str((one["finish"] or {}).get("p50") or "–"),
        wall,
        "–" if ratio is None else f"{ratio:.0%}",
    )


def proved(story: Story) -> Mapping[str, Any]:
    """What `outgrow prove` says; asked once more where this machine was unfit to judge, as what was beside it may have
    ended. In rounds no longer than the first: what lasts as long as they do disturbs long ones as much.
    """
    proof = story.outgrow("prove", POINT)
    if proof["ended"] != "unfit":
        return proof
    story.teller.say(f"  {proof['sentence']}", "yellow")
    story.teller.say("  Something else uses this machine. It may have ended, so once more.")
    return story.outgrow("prove", POINT)


def side_by_side(story: Story, proof: Mapping[str, Any]) -> None:
    """What was measured of each layout, and what is said of it."""
    rows = [
        (
            arm["id"],
            OPTION_WORDS.get(arm["option"] or "", arm["option"] or "as it is"),
            milliseconds(arm["p50_seconds"]),
            milliseconds(arm["p95_seconds"]),
            "–" if arm.get("recall") is None else f"{arm['recall']:.3f}",
            "–" if not arm.get("memory_bytes") else f"{arm['memory_bytes'] / 1e6:,.0f} MB",
        )
        for arm in proof["arms"]
    ]
    story.teller.table(("layout", "option", "p50", "p95", "recall", "memory"), rows, words=2)
    for line in proof["reasons"]:
        story.teller.say(f"  {line}")
