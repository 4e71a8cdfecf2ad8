"""The command line as a user meets it: data on stdout, messages on stderr, exit codes, stable JSON."""

from __future__ import annotations

import shutil
import time
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from outgrow.cli import COMMANDS
from outgrow.points.templates import NAMES

DAY = 86400.0
DECLARATION = (Path(__file__).parent / "declaration.yaml").read_text()


def test_help_names_every_command(outgrow, tmp_path: Path) -> None:
    shown = outgrow("--help", cwd=tmp_path)
    assert shown.code == 0
    assert all(f" {command} " in shown.out for command in COMMANDS)
    assert outgrow("--version", cwd=tmp_path).out.strip() == f"outgrow {version('outgrow')}"
    assert "status" in outgrow("statsu", cwd=tmp_path).err


def test_the_version_is_said_once() -> None:
    package = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(package.read_text())["project"]["version"] == version("outgrow")


@pytest.mark.parametrize("template", NAMES)
def test_init_writes_a_file_that_passes_check(outgrow, tmp_path: Path, template: str) -> None:
    made = outgrow("init", "--template", template, cwd=tmp_path)
    assert made.code == 0
    assert (tmp_path / "outgrow.schema.json").exists()
    checked = outgrow("check", "--offline", "--json", cwd=tmp_path)
    assert checked.code == 0
    assert checked.json["schema"] == "outgrow/v1"
    assert checked.json["ok"] is True
    if template == "venture-platform":
        assert (checked.json["points"], checked.json["triggers"], checked.json["options"]) == (4, 16, 13)
    again = outgrow("init", cwd=tmp_path)
    assert again.code == 2
    assert "left as it is" in again.err


def test_a_wrong_file_ends_with_every_finding_and_2(outgrow, tmp_path: Path) -> None:
    outgrow("init", cwd=tmp_path)
    path = tmp_path / "outgrow.yaml"
    text = path.read_text().replace("threshold: 1s ", "treshold: 1s ").replace("[0.5, 1]", "[2, 1]")
    path.write_text(text)
    for command in (["check"], ["status"], ["forecast"], ["record", "--once"]):
        ran = outgrow(*command, cwd=tmp_path)
        assert ran.code == 2, command
        assert "outgrow.yaml:32:5: points[0].triggers[0].treshold: is not a known key" in ran.err
        assert "effort_weeks: low is above high" in ran.err
        assert "Traceback" not in ran.err
    found = outgrow("check", "--json", cwd=tmp_path).json
    assert found["ok"] is False
    assert {"file", "line", "column", "path", "message"} == set(found["errors"][0])


def test_settings_of_a_source_are_found_at_their_line(outgrow, tmp_path: Path) -> None:
    outgrow("init", cwd=tmp_path)
    path = tmp_path / "outgrow.yaml"
    path.write_text(path.read_text().replace("kind: prometheus, url", "kind: prometheus, retries: 3, url"))
    ran = outgrow("check", cwd=tmp_path)
    assert ran.code == 2
    assert "outgrow.yaml:50:" in ran.err
    assert "sources[0].retries" in ran.err
    path.write_text(path.read_text().replace("kind: prometheus", "kind: promtheus"))
    assert "there is no plugin 'promtheus'" in outgrow("check", cwd=tmp_path).err


def test_a_source_that_is_down_is_unknown_and_3(outgrow, tmp_path: Path) -> None:
    outgrow("init", "--prometheus", "http://127.0.0.1:9", cwd=tmp_path)
    assert outgrow("check", cwd=tmp_path).code == 3
    ran = outgrow("status", "--json", cwd=tmp_path)
    assert ran.code == 3
    assert ran.json["points"][0]["state"] == "unknown"
    assert "127.0.0.1:9" in ran.json["points"][0]["triggers"][0]["reason"]


def test_status_and_forecast_say_when(outgrow, workspace: Path) -> None:
    status = outgrow("status", "--json", cwd=workspace)
    point = status.json["points"][0]
    assert {"id", "state", "sentence", "triggers"} <= set(point)
    assert point["state"] == "approaching"
    assert status.code == 0
    forecast = outgrow("forecast", "data-architecture", "--json", cwd=workspace)
    made = forecast.json["points"][0]
    assert made["trigger"] == "slow-search"
    assert made["verdict"] == "dated"
    truth = 90 * (1 - 0.05 / 3) / (0.03 * 1.09)
    users = made["users_at_limit"]
    assert users["p10"] <= users["p50"] <= users["p90"]
    assert users["p50"] == pytest.approx(truth, rel=0.25)
    dates = [date.fromisoformat(made["crossing_date"][key]) for key in ("p10", "p50", "p90")]
    assert dates == sorted(dates)
    assert date.fromisoformat(made["start_by"]) < dates[0]
    assert sum(made["doubt"].values()) == pytest.approx(1)
    assert made["warn"]["users_at_limit"]["p50"] < users["p50"]


def test_the_same_ledger_gives_the_same_forecast(outgrow, workspace: Path) -> None:
    first, second = (outgrow("forecast", "--json", cwd=workspace).json["points"] for _ in range(2))
    assert first == second


def test_human_output_has_the_next_command_on_stderr_and_no_colour(outgrow, workspace: Path) -> None:
    ran = outgrow("status", "--triggers", cwd=workspace)
    assert "Data architecture" in ran.out
    assert ran.err.startswith("next: outgrow forecast data-architecture")
    assert "\x1b" not in ran.out + ran.err
    plain = outgrow("status", "--plain", cwd=workspace)
    assert plain.out.split("\t")[:2] == ["approaching", "data-architecture"]
    explained = outgrow("forecast", "1", "--explain", cwd=workspace)
    assert "step by step" in explained.out


def test_pictures_are_written(outgrow, workspace: Path, tmp_path: Path) -> None:
    svg, png = tmp_path / "f.svg", tmp_path / "f.png"
    ran = outgrow("forecast", "1", "--svg", str(svg), "--png", str(png), cwd=workspace)
    assert ran.code == 0, ran.err
    assert svg.read_text().startswith("<svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert outgrow("forecast", "--svg", str(svg), cwd=workspace).code == 0
    assert outgrow("forecast", "1", "--svg", str(png), cwd=workspace).code == 2
    assert outgrow("forecast", "nowhere", cwd=workspace).code == 2


def test_looking_from_an_earlier_day_stores_nothing(outgrow, workspace: Path) -> None:
    early = outgrow("forecast", "--as-of", "2020-01-01", "--json", cwd=workspace)
    assert early.json["points"][0]["verdict"] == "unknown"
    assert early.code == 3
    assert outgrow("status", "--as-of", "yesterday", cwd=workspace).code == 2


def test_a_note_makes_a_fact_fire_and_withdrawing_calms_it(outgrow, workspace: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(workspace, tmp_path / "copy")
    assert outgrow("note", "data-architecture", "contract", "EU customer", "--source", "sales", cwd=folder).code == 0
    fired = outgrow("status", "--json", cwd=folder)
    assert fired.code == 1
    assert fired.json["points"][0]["state"] == "firing"
    assert outgrow("note", "data-architecture", "contract", "--withdraw", "1", cwd=folder).code == 0
    assert outgrow("status", cwd=folder).code == 0
    assert outgrow("note", "data-architecture", "no-such", "x", cwd=folder).code == 2


def test_broken_csv_names_the_line_and_imports_nothing(outgrow, workspace: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(workspace, tmp_path / "copy")
    broken = tmp_path / "broken.csv"
    broken.write_text("time,signal,value\n2026-01-01,vector_p95,1\n2026-01-02,vector_p95,many\n")
    before = outgrow("status", "--json", cwd=folder).json
    ran = outgrow("import", str(broken), cwd=folder)
    assert ran.code == 2
    assert "broken.csv:3:" in ran.err
    assert "nothing of this file was imported" in ran.err
    assert outgrow("status", "--json", cwd=folder).json == before


def test_a_ramp_in_another_unit_is_refused(outgrow, workspace: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(workspace, tmp_path / "copy")
    (tmp_path / "ramp.csv").write_text("load_per_second,p95_seconds\n10,58\n20,70\n40,90\n80,400\n")
    ran = outgrow("import", str(tmp_path / "ramp.csv"), "--signal", "vector_p95", cwd=folder)
    assert ran.code == 2
    assert "another unit" in ran.err


def test_without_a_source_it_looks_from_the_end_of_what_was_imported(outgrow, tmp_path: Path) -> None:
    (tmp_path / "outgrow.yaml").write_text(DECLARATION)
    now = time.time()
    values = {"registered_users": 400, "requests_per_second": 12, "vector_p95": 0.06}
    rows = [f"{now - DAY * (age + 2):.0f},{name},{value}" for age in range(40) for name, value in values.items()]
    (tmp_path / "history.csv").write_text("\n".join(["time,signal,value", *rows]) + "\n")
    assert outgrow("import", "history.csv", cwd=tmp_path).code == 0
    ran = outgrow("status", "--json", cwd=tmp_path)
    assert ran.json["points"][0]["state"] == "quiet"
    assert "the end of what was imported" in ran.err
    old = "\n".join(["time,signal,value", "2024-01-01,registered_users,400", "2024-01-01,vector_p95,0.06"])
    (tmp_path / "old.csv").write_text(old + "\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "outgrow.yaml").write_text(DECLARATION)
    assert outgrow("import", str(tmp_path / "old.csv"), cwd=other).code == 0
    ran = outgrow("status", "--json", cwd=other)
    assert (ran.code, ran.json["points"][0]["state"]) == (3, "unknown")
    assert "--as-of 2024-01-01" in ran.err


def test_a_ledger_of_a_newer_version_is_refused_untouched(outgrow, workspace: Path, tmp_path: Path) -> None:
    import sqlite3

    folder = shutil.copytree(workspace, tmp_path / "copy")
    ledger = folder / ".outgrow" / "ledger.sqlite"
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = ledger.read_bytes()
    ran = outgrow("status", cwd=folder)
    assert ran.code == 3
    assert "newer" in ran.err
    assert ledger.read_bytes() == before


def test_exports(outgrow, workspace: Path, tmp_path: Path) -> None:
    assert "alert:" in outgrow("export", "prometheus-rules", cwd=workspace).out
    assert outgrow("export", "grafana", cwd=workspace).json["panels"]
    page = tmp_path / "report.html"
    assert outgrow("export", "report", "--output", str(page), cwd=workspace).code == 0
    assert "Data architecture" in page.read_text()


def test_pace_needs_no_file(outgrow, tmp_path: Path) -> None:
    ran = outgrow("pace", "--users", "1000", "--growth", "15%", "--people", "2", cwd=tmp_path)
    assert ran.code == 0
    assert "Data architecture" in ran.out
    assert outgrow("pace", "--growth", "fast", cwd=tmp_path).code == 2
