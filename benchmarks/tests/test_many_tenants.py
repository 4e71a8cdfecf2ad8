"""The benchmark of many tenants moves them all, and says where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.many_tenants import STEPS, filled, moved
from ventures.database import embedded


@pytest.fixture
def superuser(tmp_path: Path) -> Iterator[str]:
    for folder in (tmp_path, *tmp_path.parents[:3]):  # the server runs as another account where this one is root
        folder.chmod(folder.stat().st_mode | 0o011)
    server = embedded.start(tmp_path / "postgresql", settings={"fsync": "off"}, trust=True)
    try:
        yield server.superuser
    finally:
        embedded.stop(tmp_path / "postgresql")


def test_all_are_moved_and_each_step_is_timed(superuser: str) -> None:
    url = filled(superuser, 5, 3)
    took, seconds, calls = moved(url)
    assert list(took) == ["create", *(verb for verb, _ in STEPS)]
    assert calls["target.put_block"] >= 5
    assert seconds["target.put_block"] < sum(took.values())
    with psycopg.connect(url) as session:
        counted = session.execute("SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM there.notes)").fetchone()
    assert counted == (0, 15)
