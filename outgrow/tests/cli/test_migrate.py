"""``outgrow migrate`` as people use it: processes of their own, stores in files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from outgrow.ledger.moves_opening import open_move_ledger

HERE = Path(__file__).parent
FileStore: Any = run_path(str(HERE / "file_mover.py"))["FileStore"]
MAIN = "import outgrow.cli as c; c.COMMANDS.setdefault('migrate', ('outgrow.cli.migrate', 'migrate')); c.main()"
DECLARATION = """
apiVersion: outgrow/v1
users: {{signal: users}}
signals: {{users: {{unit: users, metric: users_total, value: true}}}}
points:
- id: search
  monitor_from: 1000
  complete_before: 2000
  rollback: {rollback}
  triggers: [{{id: t, signal: users, threshold: 1500}}]
  migration:
    source: old
    target: new
    internal: [us]
    mover: {{kind: test-files, source_path: old.sqlite, target_path: new.sqlite, delay: {delay}}}
    pace: {{batch: 10, first_wave: 1, stop_file: stop}}
"""
TENANTS = {"us": 30, "ana": 20, "bo": 40}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Folder:
    path: Path

    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
        return {**clean, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join([str(self.path), *sys.path])}

    def command(self, *words: str, run: str = MAIN) -> list[str]:
        return [sys.executable, "-c", run, "migrate", "search", *words]

    def run(self, *words: str, run: str = MAIN) -> Ran:
        done = subprocess.run(
            self.command(*words, run=run), cwd=self.path, env=self.environment(), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words), cwd=self.path, env=self.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def declare(self, mover: str) -> None:
        """Another mover, and what belongs to it, instead of the file's."""
        file = self.path / "outgrow.yaml"
        file.write_text(file.read_text().partition("    mover:")[0] + mover)

    def store(self, name: str) -> Any:
        return FileStore(str(self.path / f"{name}.sqlite"), name)

    def held(self, name: str, tenant: str) -> dict[str, bytes]:
        return {item.key: item.body or b"" for item in self.store(name).page(tenant, "", 1000)}


Maker = Callable[..., Folder]


@pytest.fixture
def database(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database without its password, which processes have from their environment."""
    parts = urlsplit(postgresql)
    monkeypatch.setenv("PGPASSWORD", parts.password or "")
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")).geturl()


@pytest.fixture
def folder(tmp_path: Path) -> Maker:
    def make(rollback: str = "low", delay: float = 0.0) -> Folder:
        shutil.copy(HERE / "file_mover.py", tmp_path / "files_for_test.py")
        info = tmp_path / "files_for_test-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: files-for-test\nVersion: 0\n")
        (info / "entry_points.txt").write_text("[outgrow.movers]\ntest-files = files_for_test:open_mover\n")
        (tmp_path / "outgrow.yaml").write_text(DECLARATION.format(rollback=rollback, delay=delay))
        old = FileStore(str(tmp_path / "old.sqlite"), "old")
        for tenant, count in TENANTS.items():
            for number in range(count):
                old.write(tenant, f"k{number:03}", f"{tenant}/{number}".encode())
        old.close()
        return Folder(tmp_path)

    return make


def test_a_whole_move_there_back_there_and_completed(folder: Maker) -> None:
    here = folder()
    whole = {tenant: here.held("old", tenant) for tenant in TENANTS}
    made = here.run("create")
    assert made.code == 0, made.err
    assert "wave 1: 1 tenant, 30 items (us)" in made.out
    assert "next: outgrow migrate search start" in made.err
    assert here.run("start").code == 0
    status = here.run("status", "--json").json
    assert (status["point"], status["from"], status["to"]) == ("search", "old", "new")
    assert status["tenants"] == {"ready": 3}
    assert status["next"] == "outgrow migrate search switch"
    assert {"throttled", "lag_seconds", "eta_seconds"} <= status.keys()
    dry = here.run("switch")
    assert dry.code == 0
    assert "route it to new" in dry.out
    assert "nothing was changed" in dry.err
    assert here.run("status", "--json").json["tenants"] == {"ready": 3}
    assert here.run("switch", "--yes").code == 0  # the first wave alone
    assert here.run("status", "--json").json["tenants"] == {"ready": 2, "switched": 1}
    assert here.run("switch", "--all", "--yes").code == 0
    assert here.run("reverse", "--tenant", "ana").code == 0
    assert here.run("status", "--json").json["tenants"] == {"ready": 1, "switched": 2}
    assert here.run("switch", "--all", "--yes").code == 0
    asked = here.run("complete")
    assert "DELETE its copy in old" in asked.out
    assert here.held("old", "us")
    done = here.run("complete", "--yes")
    assert done.code == 0, done.err
    assert {tenant: here.held("new", tenant) for tenant in TENANTS} == whole
    assert not any(here.held("old", tenant) for tenant in TENANTS)
    after = here.run("status", "--json").json
    assert after["ended"]
    assert after["tenants"] == {"completed": 3}
    log = here.run("log", "--tenant", "ana", "--json").json["lines"]
    assert [one["what"] for one in log if "switched" in one["what"]] == [
        "switched to new", "switched back to old", "switched to new",
    ]  # fmt: skip


def test_ctrl_c_in_mid_copy_is_4_and_start_goes_on(folder: Maker) -> None:
    here = folder(delay=0.15)
    here.run("create")
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = here.start("start")
        ledger = open_move_ledger(here.path / ".outgrow" / "moves.sqlite")
        migration = ledger.migration("search")
        assert migration is not None
        before = sum(row.copied for row in ledger.tenants(migration))
        while sum(row.copied for row in ledger.tenants(migration)) <= before and process.poll() is None:
            time.sleep(0.01)
        ledger.close()
        process.send_signal(stop)
        _, said = process.communicate()
        if stop is not signal.SIGKILL:
            assert process.returncode == 4, said
            assert "is safe" in said
            assert "next: outgrow migrate search start" in said
    went_on = here.run("start")
    assert went_on.code == 0, went_on.err
    assert here.run("status", "--json").json["tenants"] == {"ready": 3}
    for tenant in TENANTS:
        assert here.held("new", tenant) == here.held("old", tenant)


def test_verify_lists_each_key_that_differs_and_repairs_it(folder: Maker) -> None:
    here = folder()
    here.run("create")
    here.run("start")
    new = here.store("new")
    new.write("ana", "k003", None)
    new.write("ana", "k004", b"ana/4x")
    new.write("bo", "zzz", b"nobody wrote this")
    found = here.run("verify")
    assert found.code == 1
    assert found.out.splitlines() == ["ana\tk003\tmissing", "ana\tk004\tstale", "bo\tzzz\textra"]
    stuck = here.run("switch", "--all", "--yes")
    assert stuck.code == 1, stuck.err
    assert "verify --tenant" in stuck.err
    repaired = here.run("verify", "--repair", "--json")
    assert repaired.code == 0, repaired.err
    assert (repaired.json["differing"], repaired.json["left"]) == (3, 0)
    assert here.run("switch", "--all", "--yes").code == 0


def test_where_going_back_is_hard_it_is_rehearsed_first(folder: Maker) -> None:
    here = folder(rollback="high")
    here.run("create")
    here.run("start")
    refused = here.run("switch", "--yes")
    assert refused.code == 2
    assert "switch --rehearse --tenant us --yes" in refused.err
    rehearsed = here.run("switch", "--rehearse", "--tenant", "us", "--yes")
    assert rehearsed.code == 0, rehearsed.err
    assert here.run("status", "--json").json["tenants"] == {"ready": 3}
    assert here.run("switch", "--yes").code == 0


def test_a_stop_file_makes_it_wait_and_it_says_so(folder: Maker) -> None:
    here = folder()
    here.run("create")
    (here.path / "stop").touch()
    process = here.start("start")
    said = ""
    assert process.stderr is not None
    while "waits:" not in said:
        said = process.stderr.readline()
        assert said, "it ended"
    assert "the file stop is there; remove it to go on" in said
    second = here.start("start")  # two people at once: the second one says who is at it, and shows how it goes
    assert second.stderr is not None
    assert "is at this move" in second.stderr.readline()
    (here.path / "stop").unlink()
    assert process.wait() == 0
    assert second.wait() == 0
    process.communicate()
    second.communicate()


def test_paused_cancelled_and_what_cannot_be_meant(folder: Maker) -> None:
    here = folder()
    none = here.run("status")
    assert none.code == 2
    assert "next: outgrow migrate search create" in none.err
    here.run("create")
    assert here.run("create").code == 2
    assert here.run("complete", "--yes").code == 2
    assert here.run("switch", "--tenant", "nobody").code == 2
    here.run("pause")
    assert here.run("status", "--json").json["paused"]
    here.run("resume")
    here.run("start")
    cancelled = here.run("cancel", "--all", "--yes")
    assert cancelled.code == 0, cancelled.err
    assert not here.held("new", "ana")
    assert len(here.held("old", "ana")) == 20
    assert here.run("status", "--json").json["ended"]


def test_status_for_people(folder: Maker) -> None:
    here = folder()
    here.run("create")
    here.run("start", "--tenant", "us")
    shown = here.run("status")
    assert "search  old → new" in shown.out
    assert "■       1 ready" in shown.out
    assert "■       2 pending" in shown.out
    assert "nobody is at it now" in shown.out
    plain = here.run("status", "--plain")
    assert "tenants\tpending\t2" in plain.out


def test_a_table_that_is_written_meanwhile_by_an_application_that_knows_of_nothing(
    folder: Maker, database: str
) -> None:
    here = folder()
    here.declare(
        f"    truth: {database}\n"
        f"    mover: {{kind: sql-table, source_store: {{url: '{database}'}}, target_store: {{url: '{database}', "
        "schema: big}, tables: [{table: note, tenant: owner}, {table: tag, tenant: owner}]}\n"
    )
    triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    with psycopg.connect(database, autocommit=True) as application:
        application.execute("CREATE SCHEMA big")
        for schema in ("public", "big"):
            application.execute(
                SQL("CREATE TABLE {}.note (owner text, id int, body text, PRIMARY KEY (owner, id))").format(
                    Identifier(schema)
                )
            )
            application.execute(
                SQL("CREATE TABLE {}.tag (owner text, name text, PRIMARY KEY (owner, name))").format(Identifier(schema))
            )
        application.execute("INSERT INTO note SELECT 'us', i, 'n' || i FROM generate_series(1, 50) i")
        application.execute("INSERT INTO tag SELECT 'us', 't' || i FROM generate_series(1, 9) i")
        assert here.run("create", "--dry-run").code == 0
        assert application.execute(triggers).fetchone() == (0,)
        made = here.run("create")
        assert made.code == 0
        assert made.err.count("writes to public.note, public.tag") == 1
        assert made.err.count("register themselves") == 2
        assert application.execute(triggers).fetchone() == (8,)
        assert here.run("start").code == 0
        application.execute("UPDATE note SET body = 'changed' WHERE id < 10")
        application.execute("DELETE FROM note WHERE id > 40")
        application.execute("INSERT INTO note VALUES ('us', 1000, 'new')")
        application.execute("UPDATE tag SET name = 'renamed' WHERE name = 't3'")
        tags = application.execute("SELECT name FROM tag ORDER BY name").fetchall()
        before = application.execute("SELECT id, body FROM note ORDER BY id").fetchall()
        assert here.run("switch", "--yes").code == 0
        assert application.execute("SELECT id, body FROM big.note ORDER BY id").fetchall() == before
        assert application.execute("SELECT name FROM big.tag ORDER BY name").fetchall() == tags
        for late in (SQL("UPDATE note SET body = 'late' WHERE id = 1"), SQL("DELETE FROM tag")):
            with pytest.raises(psycopg.errors.SerializationFailure):  # it reads the route and goes there
                application.execute(late)
        application.execute("UPDATE big.note SET body = 'after' WHERE id = 2")
        assert here.run("reverse").code == 0
        assert application.execute("SELECT body FROM note WHERE id = 2").fetchone() == ("after",)
        assert here.run("cancel", "--yes").code == 0
        assert application.execute("SELECT count(*) FROM big.note").fetchone() == (0,)
        application.execute("UPDATE note SET body = 'free again'")
        assert application.execute(triggers).fetchone() == (0,)


def test_a_table_whose_application_registers_its_writes_itself_gets_no_triggers(folder: Maker, database: str) -> None:
    here = folder()
    tables = (
        f"    mover: {{kind: sql-table, source_store: {{url: '{database}'}}, target_store: {{url: '{database}', "
        "schema: big}, tables: [{table: note, tenant: owner}]"
    )
    here.declare(f"{tables}}}\n")
    with psycopg.connect(database, autocommit=True) as application:
        application.execute("CREATE SCHEMA big")
        for schema in ("public", "big"):
            application.execute(
                SQL("CREATE TABLE {}.note (owner text, id int, PRIMARY KEY (owner, id))").format(Identifier(schema))
            )
        application.execute("INSERT INTO note VALUES ('us', 1)")
        refused = here.run("create")
        assert refused.code == 2
        assert "write truth: postgresql://" in refused.err
        assert here.run("status").code == 2, "nothing was made"
        here.declare(f"    truth: {database}\n{tables}, register: application}}\n")
        made = here.run("create")
        assert made.code == 0
        assert "register themselves" not in made.err
        triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
        assert application.execute(triggers).fetchone() == (0,)


TURNED = ("table: small, tenant: owner, target_table: big", "table: big, tenant: owner, target_table: small")


@pytest.mark.parametrize("words", [(), ("--accept-mover",)])
def test_a_file_that_is_turned_round_deletes_nothing(folder: Maker, database: str, words: tuple[str, ...]) -> None:
    here = folder()
    config = here.path / "outgrow.yaml"
    stores = f"source_store: {{url: '{database}'}}, target_store: {{url: '{database}'}}"
    here.declare(f"    truth: {database}\n    mover: {{kind: sql-table, {stores}, tables: [{{{TURNED[0]}}}]}}\n")
    written = config.read_text()
    with psycopg.connect(database, autocommit=True) as application:
        for table in ("small", "big"):
            application.execute(
                SQL("CREATE TABLE {} (owner text, id int, PRIMARY KEY (owner, id))").format(Identifier(table))
            )
        application.execute("INSERT INTO small SELECT 'us', generate_series(1, 30)")
        for verb in (["create"], ["start"], ["switch", "--yes"]):
            done = here.run(*verb)
            assert done.code == 0, done.err
        config.write_text(written.replace(*TURNED))
        for verb in (["complete", "--yes"], ["reverse"], ["verify", "--repair"], ["cancel", "--yes"], ["start"]):
            refused = here.run(*verb, *words)
            assert refused.code == 2, refused.out
            assert "public.small in database" in refused.err
            assert "nothing was done" in " ".join(refused.err.split())
        assert application.execute("SELECT count(*) FROM big").fetchone() == (30,)
        config.write_text(written.replace(database, database + "&application_name=another"))
        done = here.run("complete", "--yes")
        assert done.code == 0, done.err
        assert application.execute("SELECT count(*) FROM big").fetchone() == (30,)
        assert application.execute("SELECT count(*) FROM small").fetchone() == (0,)


def test_a_change_of_place_is_accepted_once(folder: Maker) -> None:
    here = folder()
    assert here.run("create").code == 0
    (here.path / "old.sqlite").rename(here.path / "elsewhere.sqlite")
    config = here.path / "outgrow.yaml"
    config.write_text(config.read_text().replace("old.sqlite", "elsewhere.sqlite"))
    refused = here.run("start")
    assert refused.code == 2
    assert "source_path was old.sqlite, is elsewhere.sqlite" in " ".join(refused.err.split())
    assert "--accept-mover" in refused.err
    assert here.run("status").code == 0
    assert here.run("start", "--accept-mover").code == 0
    assert here.run("start", "--dry-run", "--tenant", "us").code == 0
    assert here.run("switch", "--all", "--yes").code == 0


DIES = """
import os
from outgrow.cli import migrate_registering
migrate_registering.Registered.end = lambda *_: os.kill(os.getpid(), 9)
"""


DIES_AT_FIRST = DIES.replace("Registered.end", "Registered.begin")
SLEEPS = """
import subprocess, sys
from outgrow.cli import migrate_registering
end = migrate_registering.Registered.end
def late(*given):
    for verb in ("create", "start"):
        subprocess.run([sys.executable, "-m", "outgrow", "migrate", "search", verb], check=True)
    end(*given)
migrate_registering.Registered.end = late
"""
TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"


def with_notes(here: Folder, database: str, application: psycopg.Connection) -> None:
    """A move of rows is declared, and there are some."""
    here.declare(
        f"    truth: {database}\n"
        f"    mover: {{kind: sql-table, source_store: {{url: '{database}'}}, target_store: {{url: '{database}', "
        "schema: big}, tables: [{table: note, tenant: owner}]}\n"
    )
    application.execute("CREATE SCHEMA big")
    for schema in ("public", "big"):
        application.execute(
            SQL("CREATE TABLE {}.note (owner text, id int, PRIMARY KEY (owner, id))").format(Identifier(schema))
        )
    application.execute("INSERT INTO note SELECT 'us', generate_series(1, 30)")


def killed_at_the_very_end(here: Folder, database: str, application: psycopg.Connection) -> None:
    """A move of rows that has ended, and whose triggers are there yet."""
    with_notes(here, database, application)
    for words in (["create"], ["start"]):
        assert here.run(*words).code == 0
    assert here.run("cancel", "--yes", run=DIES + MAIN).code == -signal.SIGKILL
    assert application.execute("SELECT ended_at IS NOT NULL FROM outgrow.migration").fetchone() == (True,)
    assert application.execute(TRIGGERS).fetchone() == (4,)


@pytest.mark.parametrize("verb", [["status"], ["complete", "--yes"], ["create"]])
def test_triggers_that_a_kill_at_the_very_end_left_are_taken_away_by_the_next_command(
    folder: Maker, database: str, verb: list[str]
) -> None:
    here = folder()
    with psycopg.connect(database, autocommit=True) as application:
        killed_at_the_very_end(here, database, application)
        done = here.run(*verb)
        assert done.code == (2 if verb[0] == "complete" else 0), done.err
        made_anew = verb == ["create"]
        assert application.execute(TRIGGERS).fetchone() == (4 if made_anew else 0,)
        lines = "SELECT count(*) FROM outgrow.journal WHERE what = 'let go'"
        assert application.execute(lines).fetchone() == (1,)
        if not made_anew:
            assert here.run("status").code == 0
            assert application.execute(lines).fetchone() == (1,), "once"


@pytest.mark.parametrize("tables_are_there", [True, False])
def test_no_move_begins_before_the_one_before_is_let_go(folder: Maker, database: str, tables_are_there: bool) -> None:
    """Its triggers would stay for good: nobody would look at it again."""
    here = folder()
    file = here.path / "outgrow.yaml"
    with psycopg.connect(database, autocommit=True) as application:
        killed_at_the_very_end(here, database, application)
        application.execute("CREATE SCHEMA bigger")
        application.execute("CREATE TABLE bigger.note (LIKE public.note INCLUDING ALL)")
        before = file.read_text()
        file.write_text(before.replace("schema: big}", "schema: bigger}"))
        if not tables_are_there:
            application.execute("DROP TABLE big.note")
        for _ in range(2):
            refused = here.run("create")
            assert refused.code == 2, refused.err
            assert "has ended, and what registers writes for it may still be there; nothing was made" in refused.err
            assert application.execute("SELECT count(*) FROM outgrow.migration").fetchone() == (1,)
        assert here.run("create", "--dry-run").code == 0
        if tables_are_there:
            assert application.execute(TRIGGERS).fetchone() == (4,)
            file.write_text(before)
            assert here.run("status").code == 0
            assert application.execute(TRIGGERS).fetchone() == (0,)
            file.write_text(before.replace("schema: big}", "schema: bigger}"))
        else:
            said = " ".join(refused.err.split())
            application.execute(said[said.index("INSERT INTO outgrow.journal") :])
        made = here.run("create")
        assert made.code == 0, made.err
        assert application.execute("SELECT count(*) FROM outgrow.migration").fetchone() == (2,)


def test_a_move_back_lets_go_of_the_one_before_whose_stores_it_turns_round(folder: Maker, database: str) -> None:
    here = folder()
    file = here.path / "outgrow.yaml"
    with psycopg.connect(database, autocommit=True) as application:
        killed_at_the_very_end(here, database, application)
        before = file.read_text()
        stores = f"{{url: '{database}'}}", f"{{url: '{database}', schema: big}}"
        there, back = (f"source_store: {source}, target_store: {target}" for source, target in (stores, stores[::-1]))
        assert there in before
        application.execute("INSERT INTO big.note SELECT 'them', generate_series(1, 30)")
        file.write_text(before.replace(there, back))
        made = here.run("create")
        assert made.code == 0, made.err
        lines = "SELECT migration LIKE '%-1' FROM outgrow.journal WHERE what = 'let go'"
        assert application.execute(lines).fetchall() == [(True,)]


DIES_AT_LAST = """
import os
from outgrow.ledger.moves import SqlMoveLedger
SqlMoveLedger.end = lambda *_: os.kill(os.getpid(), 9)
"""


def test_a_move_that_a_kill_left_without_its_end_gets_it_but_not_from_a_dry_run(folder: Maker) -> None:
    here = folder()
    for words in (["create"], ["start"]):
        assert here.run(*words).code == 0
    assert here.run("cancel", "--yes", "--all", run=DIES_AT_LAST + MAIN).code == -signal.SIGKILL
    ended = [
        here.run("log", "--plain").out.count("ended")
        for words in (("cancel", "--all", "--dry-run"), ("cancel", "--all", "--yes"))
        if here.run(*words).code == 2
    ]
    assert ended == [0, 1]


@pytest.mark.parametrize("words", [("start",), ("switch", "--yes")])
def test_what_is_copied_first_after_a_kill_within_create_is_registered(
    folder: Maker, database: str, words: tuple[str, ...]
) -> None:
    """One that switches at once copies as well: what is written meanwhile must not be lost."""
    here = folder()
    with psycopg.connect(database, autocommit=True) as application:
        with_notes(here, database, application)
        assert here.run("create", run=DIES_AT_FIRST + MAIN).code == -signal.SIGKILL
        assert application.execute(TRIGGERS).fetchone() == (0,)
        assert here.run(*words).code == 0
        assert application.execute(TRIGGERS).fetchone() == (4,)


def test_a_process_that_sleeps_before_it_takes_them_away_takes_none_of_the_next_move(
    folder: Maker, database: str
) -> None:
    """Without its triggers, that one would lose what is written meanwhile."""
    here = folder()
    with psycopg.connect(database, autocommit=True) as application:
        killed_at_the_very_end(here, database, application)
        late = here.run("status", run=SLEEPS + MAIN)
        assert late.code == 0, late.err
        assert application.execute(TRIGGERS).fetchone() == (4,)
        application.execute("UPDATE note SET id = 31 WHERE id = 30")
        assert application.execute("SELECT key FROM outgrow.intent ORDER BY key").fetchall() == [
            ("01.note/b30",), ("01.note/b31",),
        ]  # fmt: skip
        assert here.run("switch", "--yes").code == 0
        assert application.execute("SELECT max(id) FROM big.note").fetchone() == (31,)
        assert here.run("cancel", "--yes").code == 2


MEASURE = """
import json, pathlib, sqlite3
moves = pathlib.Path(".outgrow/moves.sqlite")
routes = sqlite3.connect(moves).execute("SELECT tenant FROM route WHERE store = 'new'").fetchall()
with open("asked", "a") as file:
    file.write(",".join(sorted(tenant for (tenant,) in routes)) + ";")
seconds = {"p50_seconds": 0.01, "p95_seconds": 0.02, "p99_seconds": 0.03}
print(json.dumps({**seconds, "sent": 400, "dropped": 0, "throughput_per_second": 400}))
"""
VALIDATION = """
  validation:
    before: old
    after: new
    workload:
      kind: command
      rounds: 6
      round_seconds: 1s
      arms:
      - {{id: old, command: [{python}, {script}]}}
      - {{id: new, option: tune, command: [{python}, {script}]}}
"""


def test_before_each_wave_the_service_is_measured_once(folder: Maker) -> None:
    here = folder()
    config = here.path / "outgrow.yaml"
    (here.path / "measure.py").write_text(MEASURE)
    validation = VALIDATION.format(python=sys.executable, script=here.path / "measure.py")
    config.write_text(config.read_text().rstrip() + validation)
    for words in (["create"], ["start"]):
        assert here.run(*words).code == 0
    assert not (here.path / "asked").exists()
    assert "is measured" in here.run("switch").out
    first = here.run("switch", "--yes")
    assert first.code == 0
    assert "wave 1: the service is measured as it is" in first.err
    assert "p95 of old is 20 ms" in first.err
    assert set((here.path / "asked").read_text().rstrip(";").split(";")) == {""}, "nobody was switched"
    (here.path / "asked").unlink()
    assert here.run("switch", "--tenant", "ana", "--yes", "--no-baseline").code == 0
    assert here.run("switch", "--all", "--yes").code == 0
    assert not (here.path / "asked").exists(), "of a wave that began without there is no before any more"
    (line,) = (one for one in here.run("log", "--json").json["lines"] if one["what"] == "before taken")
    assert line["facts"]["wave"] == 1
    assert "p95 of old is 20 ms" in line["facts"]["said"]


def test_a_before_that_fails_is_in_nobodys_way(folder: Maker) -> None:
    here = folder()
    config = here.path / "outgrow.yaml"
    validation = VALIDATION.format(python=sys.executable, script=here.path / "nowhere.py")
    config.write_text(config.read_text().rstrip() + validation)
    for words in (["create"], ["start"], ["switch", "--all", "--yes"]):
        done = here.run(*words)
        assert done.code == 0, done.err
    assert "wave 2: no before is taken" in done.err
    assert "the switch goes on without" in done.err
