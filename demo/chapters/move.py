"""Chapter 5: venture by venture, under load and writes, with a way back; the tool and the index are killed in it."""

from __future__ import annotations

import signal
import time

from demo import declaring
from demo.declaring import POINT
from demo.story import Story
from demo.telling import Failed
from demo.writing import Writer

KILL_AFTER_SECONDS = 1.8
MOST_TRIES = 4
STOPPED = 4
"""How a move ends that stopped and is safe."""
BESIDE_PER_SECOND = 10.0
"""Requests of all kinds, beside the move."""
MOVED = ("ready:", "switched:")
WRITER = "user0.seed1@population.example"


def told(story: Story) -> None:
    """Leaves every venture on the new layout; a write that was lost is a fault. Raises: Failed."""
    teller, plan = story.teller, story.plan
    teller.chapter(5, f"The move from shared to {story.layout}, while it is used")
    declaring.put(story.config, declaring.retargeted(story.config.read_text(), story.layout))
    writer = Writer(story.platform.url, WRITER, (story.folder / "password").read_text())
    writer.start()
    rate = f"{BESIDE_PER_SECOND / plan.users:.6f}"
    words = ("load", *plan.population, "--seconds", f"{plan.move_seconds:g}", "--rate-per-user", rate)
    teller.told("ventures", *words, "&")
    load = teller.started("ventures", *words)
    try:
        moved(story)
    finally:
        writer.stop()
        teller.ended(load, signal.SIGINT)
    accounted(story, writer)


def moved(story: Story) -> None:
    """Created, begun, killed, gone on with, tried there and back, switched."""
    teller = story.teller
    created = story.outgrow("migrate", POINT, "create", fine=(0,))
    tenants = sum(len(wave["tenants"]) for wave in created["waves"])
    first = created["waves"][0]["tenants"][0]
    teller.say(f"  {tenants:,} ventures in {len(created['waves'])} waves, the smallest first")
    teller.told("outgrow", "migrate", POINT, "start", "&")
    tool = teller.started("outgrow", "migrate", POINT, "start")
    time.sleep(KILL_AFTER_SECONDS)
    was_at_it = tool.poll() is None
    teller.told(f"kill -9 {tool.pid}")
    teller.ended(tool, signal.SIGKILL)
    killed = story.platform.kill_index()
    teller.told(f"kill -9 {killed}")
    teller.say(
        f"  The tool {'was killed in the middle' if was_at_it else 'was done already'}, and with it the process "
        "that holds the index; PostgreSQL answers searches meanwhile. The same command goes on."
    )
    until_done(story, "start")
    if story.plan.whole:
        teller.say("There and back again with one venture: the way back is tried before it is needed.")
        words = ("migrate", POINT, "switch", "--rehearse", "--tenant", first, "--yes")
        teller.run("outgrow", *words, said=(first,))
    if f"switched: {tenants} of {tenants} tenants" not in until_done(story, "switch", "--all", "--yes"):
        raise Failed("not every venture is switched")


def until_done(story: Story, *words: str) -> str:
    """What stopped and is safe goes on with the same command. What it said in the end."""
    for _ in range(MOST_TRIES):
        done = story.teller.run("outgrow", "migrate", POINT, *words, fine=(0, STOPPED), said=MOVED)
        if done.code == 0:
            return done.said
    raise Failed(f"`outgrow migrate {POINT} {words[0]}` stopped {MOST_TRIES} times")


def accounted(story: Story, writer: Writer) -> None:
    """Every acknowledged write is looked for."""
    with story.teller.doing("looking for all that was acknowledged"):
        gone, unfound, by = writer.missing()
    answered = ", ".join(f"{count} by {name}" for name, count in by.items())
    story.teller.say(
        f"Somebody wrote all the while: {writer.count:,} items were acknowledged, {writer.refused} were not, the "
        f"longest wait was {writer.longest_seconds:.2f} s."
    )
    if gone or unfound:
        sentence = f"LOST: {len(gone)} of the acknowledged items are gone, {len(unfound)} are not in the new index"
        story.teller.say(f"{sentence} (searches answered {answered})", "bold red")
        story.faults.append(sentence)
    else:
        story.teller.say(
            f"All of them are there, and the new index finds each (searches answered {answered}).", "bold green"
        )
