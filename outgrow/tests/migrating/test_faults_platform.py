"""The platform's own move: a few random kills of the tool and of the platform's processes while people write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from benchmarks.faults.kills import at_random
from benchmarks.faults.platform import PlatformWorld, platform
from benchmarks.faults.platform_writer import ItemWriter, body_of, said_by, title_of
from benchmarks.faults.world import Stuck
from benchmarks.faults.writer import Spec
from ventures.client.records import ChangedItem, NewItem

KILLS = 3


@pytest.fixture
def world() -> Iterator[PlatformWorld]:
    with TemporaryDirectory(prefix="faults-") as name:
        Path(name).chmod(0o711)  # a PostgreSQL that root starts runs as another account
        with platform(Path(name) / "p", "ci", ventures=2, items=3) as made:
            yield made


def test_random_kills_lose_nothing_and_what_is_lost_is_seen(world: PlatformWorld) -> None:
    tally = at_random(world, KILLS, "ci")
    assert (tally.stuck, tally.wrong, tally.differing) == ([], [], 0)
    assert sum(tally.kills.values()) == KILLS
    assert tally.looks > 0
    assert tally.acknowledged > 0
    _write(world)
    assert world.wrong() == []
    tenant = next(iter(world.tenants))
    content, venture = world.client.content, UUID(tenant)
    items = {said_by(item)[0]: item for item in content.list_items(venture)}
    content.delete_item(venture, items[0].id, version=items[0])
    content.edit_item(venture, items[1].id, ChangedItem(body=body_of("another")), version=items[1])
    content.draft_item(venture, NewItem(title=title_of(7, "nobody's"), body=body_of("nobody's")))
    assert [(one.number, one.how) for one in world.wrong()] == [(0, "lost"), (1, "stale"), (7, "from nowhere")]
    content.draft_item(venture, NewItem(title=title_of(2, "again"), body=body_of("again")))
    with pytest.raises(Stuck, match="there twice"):
        world.wrong()


def _write(world: PlatformWorld) -> None:
    """Every number of every venture, by somebody who keeps account of it."""
    spec = Spec("index", world.served.url, "", str(world.folder), 0, 1, world.tenants, 0.0, world.stores[0])
    writer = ItemWriter(spec)
    for tenant, count in world.tenants.items():
        for number in range(count):
            writer.write(tenant, number, f"of {number}")
    assert writer.client is not None
    writer.client.close()
