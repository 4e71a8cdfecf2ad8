"""What the ledger file survives, and what it refuses without touching a byte."""

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from outgrow.errors import LedgerError
from outgrow.ledger import open_ledger
from outgrow.ledger.database import REVISIONS
from outgrow.ledger.sqlite import APPLICATION_ID
from outgrow.ports import Ledger

WRITER = """
import sys
import numpy as np
from outgrow.ledger import open_ledger

path, signal, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ledger = open_ledger(path)
print("open", flush=True)
for batch in range(first, first + count):
    times = 1.7e9 + 600.0 * batch + 6.0 * np.arange(100)
    ledger.add_samples(signal, times, np.full(100, float(batch)), origin="measured", source="test")
    ledger.add_note("p", signal, str(batch), source="test", at=0.0, made_at=0.0)
    print(batch, flush=True)
"""


def start_writer(path: Path, signal: str, first: int, count: int) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", WRITER, str(path), signal, str(first), str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def assert_whole(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def assert_hours_agree(ledger: Ledger, signal: str) -> None:
    series, hourly = ledger.series(signal, ""), ledger.hourly(signal, "", "mean")
    hours = np.floor(series.times / 3600) * 3600
    assert hourly.times.tolist() == np.unique(hours).tolist()
    for start, mean in zip(hourly.times, hourly.values, strict=True):
        assert mean == pytest.approx(series.values[hours == start].mean())


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    chance = random.Random(20260301)
    acknowledged: set[int] = set()
    for attempt in range(8):
        writer = start_writer(path, "s", 10_000 * attempt, 10_000)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        wanted = chance.randrange(1, 30)
        lines = [writer.stdout.readline() for _ in range(wanted)]
        time.sleep(chance.random() * 0.01)
        writer.kill()
        lines += writer.stdout.readlines()
        writer.wait()
        acknowledged |= {int(line) for line in lines if line.endswith("\n")}
    ledger = open_ledger(path)
    series = ledger.series("s", "")
    batches, counts = np.unique(series.values, return_counts=True)
    assert acknowledged <= set(batches.astype(int).tolist())
    assert set(counts.tolist()) == {100}, "a batch is there as a whole or not at all"
    assert len(acknowledged) >= 8
    assert {int(note.text) for note in ledger.notes()} >= acknowledged
    assert_hours_agree(ledger, "s")
    ledger.close()
    assert_whole(path)


def test_a_writer_killed_while_it_creates_the_file_does_no_harm(tmp_path: Path) -> None:
    for attempt in range(5):
        path = tmp_path / f"{attempt}.sqlite"
        writer = start_writer(path, "s", 0, 5)
        started = time.monotonic()
        while not path.exists() and time.monotonic() - started < 30:
            time.sleep(0.001)
        time.sleep(0.15 * attempt)
        writer.kill()
        writer.wait()
        ledger = open_ledger(path)
        ledger.add_samples("t", [0.0], [1.0], origin="measured", source="test")
        assert len(ledger.series("t", "")) == 1
        ledger.close()
        assert_whole(path)


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    writers = [start_writer(path, signal, 0, 80) for signal in ("a", "b")]  # both also create it
    for writer in writers:
        output, _ = writer.communicate()
        assert writer.returncode == 0
        assert output.split() == ["open", *map(str, range(80))]
    ledger = open_ledger(path)
    assert [(summary.signal, summary.count) for summary in ledger.signals()] == [("a", 8000), ("b", 8000)]
    notes = ledger.notes()
    assert len({note.id for note in notes}) == len(notes) == 160
    assert_hours_agree(ledger, "a")
    ledger.close()
    assert_whole(path)


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite")

    def write(signal: str) -> None:
        for batch in range(40):
            with ledger.transaction():
                ledger.add_samples(signal, [60.0 * batch], [1.0], origin="measured", source="test")
                ledger.series(signal, "")

    threads = [threading.Thread(target=write, args=(signal,)) for signal in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(summary.signal, summary.count) for summary in ledger.signals()] == [(name, 40) for name in "abcd"]
    ledger.close()


def newer(path: Path, *, killed: bool) -> None:
    """A ledger with a revision from the future; ``killed`` leaves that revision in the log only."""
    open_ledger(path).close()
    change = f"import sqlite3, os; c = sqlite3.connect({str(path)!r})\n"
    change += "c.execute(\"UPDATE alembic_version SET version_num = '9999'\"); c.commit()\n"
    change += "os._exit(9)" if killed else "c.close()"
    subprocess.run([sys.executable, "-c", change], check=False)


@pytest.mark.parametrize("killed", [False, True])
def test_a_newer_ledger_is_refused_and_left_byte_for_byte(tmp_path: Path, killed: bool) -> None:
    path = tmp_path / "ledger.sqlite"
    newer(path, killed=killed)
    log = path.with_name("ledger.sqlite-wal")
    assert (log.exists() and log.stat().st_size > 0) is killed
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
    with pytest.raises(LedgerError, match="newer outgrow") as refused:
        open_ledger(path)
    assert "upgrade outgrow" in refused.value.next_step
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
    assert after == before


def test_the_code_knows_every_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import outgrow.ledger

    config = Config()
    config.set_main_option("script_location", str(Path(outgrow.ledger.__file__).parent / "migrations"))
    newest_first = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in newest_first)[::-1] == REVISIONS


@pytest.mark.parametrize("content", [b"time,signal,value\n1,a,2\n", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_what_is_no_ledger_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite") as refused:
        open_ledger(path)
    assert refused.value.next_step
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_the_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "app.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (id)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="another program"):
        open_ledger(path)
    assert path.read_bytes() == before


def test_a_damaged_ledger_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    ledger.add_samples("s", 60.0 * np.arange(50_000), np.arange(50_000.0), origin="measured", source="test")
    ledger.close()
    content = bytearray(path.read_bytes())
    content[200_000:400_000] = b"\x5a" * 200_000
    path.write_bytes(content)
    damaged = open_ledger(path)
    with pytest.raises(LedgerError, match="is damaged") as refused:
        damaged.series("s", "")
    assert "copy" in refused.value.next_step
    damaged.close()


def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "ledger.sqlite"):
        with pytest.raises(LedgerError) as refused:
            open_ledger(path)
        assert "OUTGROW_LEDGER" in refused.value.next_step


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(LedgerError, match="cannot be opened for writing") as refused:
        open_ledger(folder / "ledger.sqlite")
    assert "make it writable" in refused.value.next_step


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = open_ledger(path)
    ledger.add_samples("s", [0.0], [1.0], origin="measured", source="test")
    pages = sqlite3.connect(path).execute("PRAGMA page_count").fetchone()[0]
    ledger._database._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(LedgerError, match="disk is full") as refused:
        ledger.add_samples("s", 60.0 * np.arange(50_000), np.zeros(50_000), origin="measured", source="test")
    assert "free some space" in refused.value.next_step
    assert ledger.series("s", "").values.tolist() == [1.0]
    ledger.add_samples("s", [60.0], [2.0], origin="measured", source="test")
    assert ledger.series("s", "").values.tolist() == [1.0, 2.0]
    ledger.close()
    assert_whole(path)


def test_a_ledger_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        ledger = open_ledger(tmp_path / ".outgrow" / "ledger.sqlite")
        ledger.add_samples("s", [0.0], [1.0], origin="measured", source="test")
    finally:
        os.umask(mask)
    files = sorted((tmp_path / ".outgrow").glob("ledger.sqlite*"))
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / ".outgrow").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".outgrow" / ".gitignore").read_text() == "*\n"
    ledger.close()
    with pytest.raises(LedgerError, match="already closed"):
        ledger.notes()


def test_an_existing_ledger_opens_without_the_heavy_libraries(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    open_ledger(path).close()
    check = f"""
import sys
from outgrow.ledger import open_ledger
open_ledger({str(path)!r}).series("s", "")
heavy = {{"sqlalchemy", "alembic", "scipy", "pydantic", "platformdirs", "psycopg"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    import outgrow.ledger

    path = tmp_path / "ledger.sqlite"
    config = Config()
    config.set_main_option("script_location", str(Path(outgrow.ledger.__file__).parent / "migrations"))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(
            "INSERT INTO note (point, \"trigger\", text, source, at, made_at) VALUES ('p', 't', 'old', 's', 1, 2)"
        )
    engine.dispose()
    ledger = open_ledger(path)
    assert [note.text for note in ledger.notes()] == ["old"]
    ledger.add_record("plan", "", 3.0, "d", {"feasible": True})
    ledger.close()
    again = open_ledger(path)
    assert [record.body for record in again.records("plan")] == [{"feasible": True}]
    again.close()
