"""The harness's writers: whoever tells them to stand still, one at once after the other, is heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.notes import Acknowledged
from benchmarks.faults.world import Database, Tool, World, until


@pytest.fixture
def world(postgresql_server: str, tmp_path: Path) -> Iterator[World]:
    tool = Tool(tmp_path / "plugins")
    made = World(tmp_path / "w", "rows", Database(given=postgresql_server), tool, {"a": 20})
    try:
        yield made
    finally:
        made.close()
        tool.close()


def noted(world: World) -> list[Acknowledged]:
    """All writes so far."""
    world.noted.look()
    return world.noted.writes


def test_writers_stand_still_as_often_as_they_are_told(world: World) -> None:
    world.start_writers()
    for _ in range(20):
        assert world.wrong() == []
    until(lambda: bool(noted(world)), 60.0, "they were told to stand still, and never wrote again")
    world.stop_writers()
