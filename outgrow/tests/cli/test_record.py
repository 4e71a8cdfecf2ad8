"""``outgrow record --once`` from cron: its exit code says whether somebody must look."""

from __future__ import annotations

from pathlib import Path

import pytest

from outgrow.testing.scripted_target import ScriptedTarget

DECLARATION = """
apiVersion: outgrow/v1
users: {{signal: users}}
signals:
  users: {{unit: users, metric: users_total, value: true}}
  memory: {{unit: bytes, metric: memory_bytes, value: true}}
points:
- id: one
  monitor_from: 1000
  complete_before: 2000
  triggers:
  - {{id: t, title: memory, signal: memory, threshold: 8GB}}
sources:
- {{kind: scrape, targets: ["{url}"]}}
"""


@pytest.mark.parametrize(
    ("exposed", "code"),
    [
        ("users_total 900\nmemory_bytes 1e9\n", 0),
        ("users_total 1500\nmemory_bytes 9e9\n", 1),
        ("users_total 1500\nmemory_bytes NaN\n", 3),
        ("memory_bytes 9e9\n", 1),
        ("", 3),
    ],
)
def test_once_ends_with_1_where_a_trigger_fires_and_3_where_a_signal_is_unknown(
    outgrow, tmp_path: Path, exposed: str, code: int
) -> None:
    with ScriptedTarget(exposed) as target:
        (tmp_path / "outgrow.yaml").write_text(DECLARATION.format(url=target.url))
        ran = outgrow("record", "--once", cwd=tmp_path)
        assert ran.code == code, ran.out + ran.err
        assert outgrow("record", "--once", "--json", cwd=tmp_path).code == code


def test_nobody_to_ask_is_3(outgrow, tmp_path: Path) -> None:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION.format(url="http://127.0.0.1:1/metrics"))
    assert outgrow("record", "--once", cwd=tmp_path).code == 3
