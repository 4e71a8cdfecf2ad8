"""``outgrow validate`` and ``outgrow baseline record`` as a team meets them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from outgrow.ledger import default_location, open_ledger
from outgrow.ledger.moves_opening import open_move_ledger
from outgrow.migration.records import Migration
from outgrow.quantities import DAY
from outgrow.validation.records import Signature, signature_body

Opened = Callable[..., str]


class Ran:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment() -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OUTGROW")}
    return {**clean, "NO_COLOR": "1"}


def outgrow(folder: Path, *words: str) -> Ran:
    return Ran(
        subprocess.run(
            [sys.executable, "-m", "outgrow", *words],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    )


@pytest.fixture
def shop() -> Iterator[Opened]:
    servers = []

    def open_shop(seconds: float = 0.0, wrong: str = "") -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                time.sleep(seconds)
                body = json.dumps({"path": self.path, "ok": self.path != wrong}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield open_shop
    for server in servers:
        server.shutdown()
        server.server_close()


def declared(folder: Path, old: str, new: str, **validation: Any) -> Path:
    """A workspace whose point has been moved; YAML reads JSON."""
    workload = {
        "kind": "http", "rounds": 6, "round_seconds": 0.25, "rate": 40, "timeout": "10s",
        "requests": [{"path": f"/{n}"} for n in range(8)],
        "arms": [{"id": "old", "url": old}, {"id": "new", "option": "A", "url": new}],
    }  # fmt: skip
    point = {
        "id": "search", "title": "Search", "monitor_from": 1000, "complete_before": 2000,
        "triggers": [{"id": "slow", "signal": "p95", "threshold": 1, "runbook": "look at the index"}],
        "migration": {"source": "old", "target": "new", "mover": {"kind": "points"}},
        "validation": {"workload": workload, "before": "old", "after": "new", "current_rate": 40, **validation},
    }  # fmt: skip
    whole = {
        "apiVersion": "outgrow/v1", "users": {"signal": "users"}, "handbook": "{point}.md",
        "signals": {"users": {"unit": "users", "imported": True}, "p95": {"unit": "seconds", "imported": True}},
        "team": {"names": ["ana", "bo"]}, "points": [point],
    }  # fmt: skip
    (folder / "outgrow.yaml").write_text(json.dumps(whole, indent=1))
    return folder


def moved(folder: Path, name: str = "search-1", rehearsed_days_ago: float | None = 1.0) -> None:
    """A migration of the point, its way back rehearsed so long ago."""
    (folder / ".outgrow").mkdir(exist_ok=True)
    moves = open_move_ledger(folder / ".outgrow" / "moves.sqlite")
    moves.create(Migration(name, "search", "copying", "old", "new", time.time()), (), "ana")
    moves.close()
    at = None if rehearsed_days_ago is None else time.time() - rehearsed_days_ago * DAY
    with sqlite3.connect(folder / ".outgrow" / "moves.sqlite") as database:
        database.execute("UPDATE migration SET rehearsed_at = ? WHERE id = ?", (at, name))


def signs(folder: Path, move: str, *names: str) -> None:
    ledger = open_ledger(default_location(folder / "outgrow.yaml", {}, None))
    for name in names:
        body = signature_body(Signature(name, time.time(), "", move))
        ledger.add_record("validation", "search", time.time(), name, body)
    ledger.close()


def kept(folder: Path, kind: Any) -> list[dict[str, Any]]:
    ledger = open_ledger(default_location(folder / "outgrow.yaml", {}, None))
    try:
        return [dict(record.body) for record in ledger.records(kind, "search")]
    finally:
        ledger.close()


def test_a_move_is_validated_and_kept(shop: Opened, tmp_path: Path) -> None:
    folder = declared(tmp_path, shop(0.4), shop(), suite=["sh", "-c", 'test -n "$OUTGROW_BASE_URL"'])
    (folder / "search.md").write_text("# Search\n")
    moved(folder)
    signs(folder, "search-1", "bo")
    signed = outgrow(folder, "validate", "search", "--sign", "ana", "--note", "read it")
    assert signed.code == 0, signed.err
    assert "ana can run search after search-1" in signed.err
    ran = outgrow(folder, "validate", "search", "--json")
    assert ran.code == 0, ran.out
    said = ran.json
    assert [(each["id"], each["ok"]) for each in said["checks"]] == [
        ("load", True), ("parity", True), ("improvement", True), ("readiness", True),
    ]  # fmt: skip
    assert (said["point"], said["ok"], said["next"]) == ("search", True, "outgrow migrate search complete")
    assert said["checks"][0]["evidence"]["run"]["sent"] == 120
    assert "improvement: round 6 of 6" in ran.err
    assert [each["what"] for each in kept(folder, "validation")] == ["signature", "signature", "checks"]


def test_what_people_read(shop: Opened, tmp_path: Path) -> None:
    folder = declared(tmp_path, shop(), shop(wrong="/5"))
    moved(folder, rehearsed_days_ago=40)
    ran = outgrow(folder, "validate", "1", "--only", "parity", "--only", "readiness")
    assert ran.code == 1
    lines = [line.strip() for line in ran.out.splitlines()]
    assert lines[:3] == ["Search", "● parity: not ok", "1 of 8 requests are answered otherwise."]
    assert any(line.startswith("GET /5: other answer: 200 ") for line in lines)
    assert "● readiness: not ok" in lines
    told = " ".join(lines)
    for words in ("no handbook page at search.md", "more than 30 days ago", "ana, bo have not signed"):
        assert words in told
    assert "every trigger has a runbook" in told
    plain = outgrow(folder, "validate", "1", "--only", "readiness", "--plain")
    assert plain.out.startswith("not ok\treadiness\tthere is no handbook page")


def test_a_signature_for_another_move_does_not_count(shop: Opened, tmp_path: Path) -> None:
    folder = declared(tmp_path, shop(), shop())
    (folder / "search.md").write_text("# Search\n")
    moved(folder)
    signs(folder, "search-1", "ana", "bo")
    with sqlite3.connect(folder / ".outgrow" / "moves.sqlite") as database:
        database.execute("UPDATE migration SET ended_at = ?", (time.time(),))
    moved(folder, "search-2")
    ran = outgrow(folder, "validate", "search", "--only", "readiness", "--json")
    assert ran.code == 1
    assert "ana (only for an earlier move)" in ran.json["checks"][0]["sentence"]


def test_a_baseline_stands_in_for_a_service_that_is_gone(shop: Opened, tmp_path: Path) -> None:
    folder = declared(tmp_path, shop(0.4), shop())
    ran = outgrow(folder, "baseline", "record", "search", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["rounds"], ran.json["dropped"], ran.json["rate_per_second"]) == (6, 0, 40)
    assert "10 requests a round are few for a p95" in ran.err
    declared(tmp_path, "http://127.0.0.1:9", shop())
    told = outgrow(folder, "validate", "search", "--only", "improvement", "--only", "parity", "--json")
    assert told.code == 3
    parity, improvement = told.json["checks"]
    assert (parity["ok"], improvement["ok"]) == (None, True)
    assert improvement["evidence"]["how"] == "against a kept baseline"


def test_ctrl_c_keeps_what_is_finished(shop: Opened, tmp_path: Path) -> None:
    folder = declared(tmp_path, shop(), shop())
    process = subprocess.Popen(
        [sys.executable, "-m", "outgrow", "validate", "search", "--json"], cwd=folder, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("improvement: round 2"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate()
    assert process.returncode == 130, err
    said = json.loads(out)
    assert (said["interrupted"], [each["id"] for each in said["checks"]]) == (True, ["parity", "readiness"])
    (body,) = kept(folder, "validation")
    assert [each["id"] for each in body["checks"]] == ["parity", "readiness"]


def test_what_is_declared_wrongly_is_said_at_its_place(tmp_path: Path) -> None:
    folder = declared(tmp_path, "no-url", "http://127.0.0.1:9")
    ran = outgrow(folder, "validate", "search")
    assert ran.code == 2
    assert "points[0].validation.workload" in ran.err
    whole = json.loads((folder / "outgrow.yaml").read_text())
    del whole["points"][0]["validation"]
    (folder / "outgrow.yaml").write_text(json.dumps(whole))
    without = outgrow(folder, "validate", "search")
    assert without.code == 2
    assert "declares no validation" in without.err
    assert "write under search: validation:" in without.err
