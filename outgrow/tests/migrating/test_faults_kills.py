"""Ten random kills of a real move under live writers; ``python -m benchmarks.faults`` does a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.kills import at_random
from benchmarks.faults.notes import Noted
from benchmarks.faults.world import Database, Tool, World


@pytest.fixture
def world(postgresql_server: str, tmp_path: Path) -> Iterator[World]:
    tool = Tool(tmp_path / "plugins")
    made = World(tmp_path / "w", "rows", Database(given=postgresql_server), tool, {"a": 20, "b": 10})
    try:
        yield made
    finally:
        made.close()
        tool.close()


def test_ten_random_kills_lose_nothing(world: World) -> None:
    tally = at_random(world, 10, "ci")
    assert (tally.stuck, tally.wrong, tally.differing) == ([], [], 0)
    assert sum(tally.kills.values()) == 10
    assert tally.looks >= 5
    assert tally.acknowledged > 0


def noted(folder: Path, *lines: str) -> Noted:
    (folder / "writer-0.notes").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = Noted(folder)
    found.look()
    return found


ACK = '["ack", "a", {}, {}, 1.0, 0.1]'
TRY = '["try", "a", {}, {}, 1.0, 0.0]'


@pytest.mark.parametrize(
    ("lines", "held", "how"),
    [
        ([ACK.format(1, '"x"')], {1: "x"}, []),
        ([ACK.format(1, '"x"')], {}, ["lost"]),
        ([ACK.format(1, '"x"')], {1: "w"}, ["stale"]),
        ([ACK.format(1, '"x"'), ACK.format(1, "null")], {1: "x"}, ["came back"]),
        ([ACK.format(1, '"x"'), TRY.format(1, "null")], {}, []),
        ([ACK.format(1, '"x"'), TRY.format(1, "null")], {1: "x"}, []),
        ([ACK.format(1, '"x"'), TRY.format(1, '"y"'), ACK.format(1, '"y"')], {1: "x"}, ["stale"]),
        ([TRY.format(2, '"y"')], {2: "y"}, []),
        ([TRY.format(2, '"y"')], {2: "z"}, ["from nowhere"]),
        ([], {3: "x"}, ["from nowhere"]),
        ([ACK.format(1, '"x"'), '["ack", "a", 1, "tor'], {1: "x"}, []),
    ],
)
def test_what_notes_demand(tmp_path: Path, lines: list[str], held: dict[int, str], how: list[str]) -> None:
    assert [one.how for one in noted(tmp_path, *lines).judged("a", held)] == how


def test_a_lost_write_is_seen(world: World) -> None:
    """The harness itself: what the application did not do is found."""
    world.ask("DELETE FROM public.items WHERE no = 3")
    world.ask("UPDATE public.items SET v = 'other' WHERE tenant = 'a' AND no = 4")
    world.ask("INSERT INTO public.items VALUES ('b', 99, 'other')")
    assert sorted((one.tenant, one.number, one.how) for one in world.wrong()) == [
        ("a", 3, "lost"),
        ("a", 4, "stale"),
        ("b", 3, "lost"),
        ("b", 99, "from nowhere"),
    ]


def test_killed_between_the_last_tenant_s_end_and_its_own(world: World) -> None:
    """The next command ends the migration, and another one can begin."""
    for verb in ("create", "start", "switch", "complete"):
        world.finish(verb)
    world.ask("UPDATE outgrow.migration SET ended_at = NULL")
    ran = world.run("complete")
    assert (ran.code, world.is_done("complete")) == (2, True)
    assert "has ended" in ran.err
    world.ask("UPDATE outgrow.migration SET ended_at = NULL")
    world.forward = False
    world.declare()
    assert world.run("create").code == 0
