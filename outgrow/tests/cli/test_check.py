"""``outgrow check``: everything wrong at once, and nothing touched by looking."""

from __future__ import annotations

from pathlib import Path

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
