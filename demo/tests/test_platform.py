"""The platform's database, a real one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from demo.platform import Platform
from ventures.database import embedded


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that the server's own account may enter when root runs the tests (pytest's folders are private)."""
    above = Path(tempfile.mkdtemp(prefix="outgrow-demo-test-"))
    above.chmod(0o711)
    yield above / "data"
    embedded.stop(above / "data")
    shutil.rmtree(above)


def test_nothing_is_left_to_tidy_up_once_it_is_settled(data: Path) -> None:
    embedded.start(data, settings={"autovacuum": "off"})
    with psycopg.connect(embedded.addresses(data).superuser, autocommit=True) as connection:
        connection.execute("CREATE TABLE many AS SELECT generate_series(1, 5000) AS number")
        connection.execute("DELETE FROM many WHERE number < 1000")
        Platform(data, {}).settled()
        left = connection.execute(
            "SELECT n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum FROM pg_stat_user_tables WHERE relname = 'many'"
        ).fetchone()
    assert left == (0, 0, 0)
