"""``outgrow check``: everything wrong at once, and nothing touched by looking."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from outgrow.wiring import BACKFILL, RECORDER, open_workspace

SIGNALS = """\
apiVersion: outgrow/v1
users: {signal: users}
signals:
  users: {unit: users, metric: users, value: true}
points:
- id: one
  monitor_from: 10
  complete_before: 20
  triggers:
  - {id: many, signal: users, threshold: 5}
"""

PLUGINS = """\
sources:
- {kind: prometheus, url: "http://127.0.0.1:9", bogus: 1}
- {kind: scrape, targets: [{url: "http://127.0.0.1:9", bogus: 1}]}
notify:
- {kind: apprise, url_env: NOSUCH, bogus: 1}
- {kind: apprise, foo: 1}
- {kind: nosuch}
"""

WRONG_PLUGINS = [
    "sources[0].bogus",
    "sources[1].targets[0].bogus",
    "notify[0].bogus",
    "notify[1].foo",
    "notify[2].kind",
]


def declare(folder: Path, text: str) -> Path:
    path = folder / "outgrow.yaml"
    path.write_text(text)
    return path


def test_settings_of_all_plugins_are_found_at_once(outgrow, tmp_path: Path) -> None:
    declare(tmp_path, SIGNALS + PLUGINS)
    checked = outgrow("check", "--json", cwd=tmp_path)
    assert checked.code == 2
    assert [error["path"] for error in checked.json["errors"]] == WRONG_PLUGINS
    assert checked.json["errors"][0]["line"] == 12
    assert checked.json["errors"][0]["message"] == "is not a known key"
    recorded = outgrow("record", "--once", cwd=tmp_path)
    assert recorded.code == 2
    assert all(path in recorded.err for path in WRONG_PLUGINS)


def test_a_wrong_file_and_wrong_settings_are_found_together(outgrow, tmp_path: Path) -> None:
    declare(tmp_path, SIGNALS.replace("threshold: 5", "treshold: 5") + PLUGINS + "- {name: without kind}\n")
    checked = outgrow("check", "--json", cwd=tmp_path)
    assert checked.code == 2
    assert [error["path"] for error in checked.json["errors"]] == [
        "points[0].triggers[0].treshold",
        *WRONG_PLUGINS,
        "notify[3].kind",
    ]


MEASURED = """\
  experiment: {kind: htpp}
  validation: {workload: {kind: nobody, arms: [{id: old}, {id: new}]}, before: odl, after: new}
"""
MOVED = """\
  migration:
    mover: {kind: sql-tabel}
    source: here
    target: here
    truth: TRUTH
    pace: PACE
"""
KINDS = {
    "points[0].experiment.kind": "there is no plugin 'htpp'; did you mean 'http'?",
    "points[0].validation.workload.kind": "there is no plugin 'nobody'; there is command, http, vectors",
    "points[0].migration.mover.kind": "there is no plugin 'sql-tabel'; did you mean 'sql-table'?",
}


@pytest.mark.parametrize(
    ("truth", "pace", "said"),
    [
        ("ftp://db/shop", "{p95_limit: 2s}", {"truth": "is no URL of a PostgreSQL", "pace.p95_limit": "needs p95_s"}),
        ("postgresql://me:hidden@db/shop", "{p95_signal: userz, p95_limit: 1s}",
         {"truth": "a password would stand", "pace.p95_signal": "no signal 'userz'; did you mean 'users'?"}),
        ("postgresql://db/shop?password=hidden", "{p95_signal: users}",
         {"truth": "a password would stand", "pace.p95_signal": "needs p95_limit"}),
        ("postgresql://me@/shop?host=%2Frun%2Fdb", "{p95_signal: users, p95_limit: 1s}", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_in_moving_and_measuring(
    outgrow, tmp_path: Path, truth: str, pace: str, said: dict[str, str]
) -> None:
    lines = (SIGNALS + MEASURED + MOVED.replace("TRUTH", f'"{truth}"').replace("PACE", pace)).splitlines()
    declare(tmp_path, "\n".join(lines) + "\n")
    expected = {
        "points[0].migration.target": "is 'here', and so is source",
        "points[0].validation.before": "'odl' is none of the workload's arms: old, new",
        **{f"points[0].migration.{key}": message for key, message in said.items()},
    }
    checked = outgrow("check", "--offline", "--json", cwd=tmp_path)
    assert checked.code == 2
    found = {error["path"]: error for error in checked.json["errors"]}
    assert found.keys() == {*expected, *KINDS}
    for path, message in expected.items():
        assert message in found[path]["message"]
    for path, message in KINDS.items():
        assert found[path]["message"].startswith(message)
    for path, error in found.items():
        key = path.rpartition(".")[2]
        assert lines[error["line"] - 1][error["column"] - 1 :].startswith(f"{key}:")
    assert "hidden" not in checked.out + checked.err


@pytest.fixture(scope="module")
def metrics_url() -> Iterator[str]:
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(b"other 7\n")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_missing_file_has_the_same_fields(outgrow, tmp_path: Path) -> None:
    for words in ((), ("--offline",)):
        checked = outgrow("check", "--json", *words, cwd=tmp_path)
        assert checked.code == 2
        assert {key: checked.json[key] for key in ("ok", "points", "triggers", "options")} == {
            "ok": False,
            "points": None,
            "triggers": None,
            "options": None,
        }
        assert checked.json["errors"] == [
            {"file": None, "line": None, "column": None, "path": None, "message": "there is no outgrow.yaml"}
        ]
        assert checked.json["next"] == "outgrow init"


def test_looking_at_the_file_alone_leaves_no_ledger(outgrow, tmp_path: Path) -> None:
    declare(tmp_path, SIGNALS + 'sources:\n- {kind: prometheus, url: "http://127.0.0.1:9"}\n')
    checked = outgrow("check", "--offline", "--json", cwd=tmp_path)
    assert checked.code == 0
    assert checked.json["sources"] == [{"name": "prometheus", "kind": "prometheus", "reachable": None, "reason": None}]
    assert [path.name for path in tmp_path.iterdir()] == ["outgrow.yaml"]


def test_signals_are_asked_where_one_source_of_two_is_down(outgrow, tmp_path: Path, metrics_url: str) -> None:
    signals = SIGNALS.replace(
        "points:",
        "  there: {metric: other, value: true}\n"
        "  nowhere: {metric: nowhere, value: true, source: scrape}\n"
        "  beyond: {metric: other, value: true, source: prometheus}\n"
        "points:",
    )
    declare(
        tmp_path,
        signals + 'sources:\n- {kind: prometheus, url: "http://127.0.0.1:9"}\n'
        f'- {{kind: scrape, targets: ["{metrics_url}"]}}\n',
    )
    checked = outgrow("check", "--json", cwd=tmp_path)
    assert checked.code == 3
    assert [source["reachable"] for source in checked.json["sources"]] == [False, True]
    warnings = {warning["signal"]: warning["message"] for warning in checked.json["warnings"]}
    assert set(warnings) == {"users", "nowhere", "beyond"}
    assert "127.0.0.1:9" in warnings["beyond"]
    assert "nowhere" in warnings["nowhere"]


@pytest.mark.parametrize(
    "address",
    [
        ("--prometheus", "http://host:9090/?token=hunter2"),
        ("--prometheus", "http://host:9090/?tenant=hunter2"),
        ("--prometheus", "http://me:hunter2@host:9090"),
        ("--prometheus", "http://host:9090/#hunter2"),
        ("--scrape", "http://host/metrics?access_token=hunter2"),
        ("--scrape", "http://me:hunter2@host/metrics"),
        ("--scrape", "http://[hunter2"),
    ],
)
def test_no_secret_of_an_address_is_written(outgrow, tmp_path: Path, address: tuple[str, str]) -> None:
    made = outgrow("init", *address, cwd=tmp_path)
    assert made.code == 2
    assert "hunter2" not in made.err + made.out
    assert not list(tmp_path.iterdir())


def test_a_page_may_be_asked_with_a_query(outgrow, tmp_path: Path) -> None:
    made = outgrow("init", "--scrape", "http://host/metrics?format=prometheus", cwd=tmp_path)
    assert made.code == 0
    assert "metrics?format=prometheus" in (tmp_path / "outgrow.yaml").read_text()


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"5", b"{}", b'{"at": "soon", "unknown": {}, "names": 4}'])
def test_a_damaged_memory_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = declare(tmp_path, SIGNALS + 'sources:\n- {kind: prometheus, url: "http://127.0.0.1:9"}\n')
    with open_workspace(path) as workspace:
        workspace.ledger.put_memory(RECORDER, "last", content)
        workspace.ledger.put_memory(BACKFILL, "prometheus", content)
        assert workspace.recorded() is None
        assert workspace.backfill(say=lambda _: None) == {}
        workspace.remember_recording(5.0, {"users": "gone"})
        assert workspace.recorded() == (5.0, {"users": "gone"})


def test_a_damaged_beginning_of_a_rehearsal_is_set_anew(tmp_path: Path) -> None:
    path = declare(tmp_path, SIGNALS + "time_scale: 1s=1d\n")
    with open_workspace(path) as workspace:
        workspace.ledger.put_memory("clock", "began 1s=1d", b"once")
    with open_workspace(path) as workspace:
        assert workspace.clock.scale == "1s=1d"


def test_a_time_scale_that_stands_still_is_a_finding(outgrow, tmp_path: Path) -> None:
    declare(tmp_path, SIGNALS + "time_scale: 1s=0d\n")
    checked = outgrow("check", "--json", cwd=tmp_path)
    assert checked.code == 2
    assert [error["path"] for error in checked.json["errors"]] == ["time_scale"]
