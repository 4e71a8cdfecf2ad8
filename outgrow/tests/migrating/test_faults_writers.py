"""The harness's writers: whoever tells them to stand still, one at once after the other, is heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.world import Database, Tool, World


@pytest.fixture
def world(postgresql_server: str, tmp_path: Path) -> Iterator[World]:
    tool = Tool(tmp_path / "plugins")
    made = World(tmp_path / "w", "rows", Database(given=postgresql_server), tool, {"a": 20})
    try:
        yield made
    finally:
        made.close()
        tool.close()


def test_writers_stand_still_as_often_as_they_are_told(world: World) -> None:
    world.start_writers()
    for _ in range(20):
        assert world.wrong() == []
    world.stop_writers()
    world.noted.look()
    assert world.noted.writes
