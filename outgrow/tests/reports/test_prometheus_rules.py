"""The rules against promtool itself, which also plays them: an alert fires, and it does not flap."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.points.declaration import Declaration
from outgrow.reports.prometheus_rules import alert_name, left_out, prometheus_rules, record_names

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "deploy" / "prometheus" / "rules.yml"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        message = "promtool is not installed (Debian package prometheus): the alert rules were NOT checked"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    return found


def accepted(promtool: str, path: Path, *verb: str) -> str:
    done = subprocess.run([promtool, *verb, path.name], cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parsed(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)


def alerts(text: str) -> list[dict[str, Any]]:
    return [rule for group in parsed(text)["groups"] for rule in group["rules"] if "alert" in rule]


def test_the_deployed_rules_are_those_of_the_template(venture_platform: Declaration) -> None:
    """Else write them anew: outgrow export prometheus-rules in a folder with the template, to deploy/prometheus."""
    assert prometheus_rules(venture_platform) == GOLDEN.read_text(encoding="utf-8")


def test_promtool_accepts_the_rules(promtool: str, declare: Any, tmp_path: Path) -> None:
    assert "SUCCESS" in accepted(promtool, GOLDEN, "check", "rules")
    path = tmp_path / "rules.yml"
    path.write_text(prometheus_rules(declare()))
    assert "SUCCESS" in accepted(promtool, path, "check", "rules")


def test_every_threshold_warns_and_every_break_is_critical(venture_platform: Declaration) -> None:
    found = {
        (alert["labels"]["point"], alert["labels"]["trigger"], alert["labels"]["severity"])
        for alert in alerts(prometheus_rules(venture_platform))
        if "trigger" in alert["labels"]
    }
    expected = {
        (point.id, trigger.id, severity)
        for point in venture_platform.points
        for trigger in point.triggers
        if trigger.kind in ("threshold", "spread")
        for severity, value in (("warning", trigger.threshold), ("critical", trigger.breaks_at))
        if value is not None
    }
    assert found == expected
    said = prometheus_rules(venture_platform)
    for name in left_out(venture_platform):
        assert f"# left out: {name.split('/')[1]} " in said


def test_what_an_alert_says(declare: Any) -> None:
    warning, critical, *_ = (alert for alert in alerts(prometheus_rules(declare())) if "trigger" in alert["labels"])
    assert warning["alert"] == critical["alert"] == "OutgrowDataSlowSearch"
    assert warning["expr"] == "outgrow:search_p95 > 5"
    assert (warning["for"], warning["keep_firing_for"]) == ("10m", "10m")
    assert warning["labels"] == {"severity": "warning", "point": "data", "trigger": "slow-search"}
    assert warning["annotations"]["summary"] == (
        "Data: search is slow, {{ $value | humanizeDuration }}, past 5 s (its early warning)"
    )
    assert warning["annotations"]["runbook_url"] == "https://example.org/runbooks/search"
    assert "Felt by users: search unusable." in critical["annotations"]["description"]
    assert "runbook_url" not in alerts(prometheus_rules(declare(runbook="look first")))[2]["annotations"]


def test_an_alert_leads_to_its_section_of_the_handbook(promtool: str, declare: Any, tmp_path: Path) -> None:
    """A page on the web is linked; a runbook with an address of its own stands in the words then."""
    declaration = declare().model_copy(update={"handbook": "https://wiki.example.org/outgrow/{point}"})
    rules = prometheus_rules(declaration)
    (tmp_path / "rules.yml").write_text(rules)
    accepted(promtool, tmp_path / "rules.yml", "check", "rules")
    warning, *_ = (alert for alert in alerts(rules) if "trigger" in alert["labels"])
    assert warning["annotations"]["runbook_url"] == "https://wiki.example.org/outgrow/data#slow-search"
    assert "First: see https://example.org/runbooks/search Next: " in warning["annotations"]["description"]
    for alert in alerts(rules):
        if "point" in alert["labels"]:
            page = alert["annotations"]["runbook_url"]
            assert page.partition("#")[2] == alert["labels"].get("trigger", "")
    anchored = declare().model_copy(update={"handbook": "https://wiki.example.org/outgrow#{point}"})
    assert 'runbook_url: "https://wiki.example.org/outgrow#data"' in prometheus_rules(anchored)


def test_a_handbook_that_is_a_file_stays_a_path(declare: Any) -> None:
    (first, *_) = (alert for alert in alerts(prometheus_rules(declare(runbook=""))) if "trigger" in alert["labels"])
    assert "Handbook: docs/handbook/data.md#slow-search. Next: " in first["annotations"]["description"]
    assert "runbook_url" not in first["annotations"]


def test_signals_whose_names_would_collide_stay_apart(declare: Any) -> None:
    assert record_names(declare())["search.p95"] == "outgrow:search_p95"
    assert record_names(declare())["search-p95"] == "outgrow:search_p95_2"
    assert alert_name("data", "slow-search") == "OutgrowDataSlowSearch"


PLAYED = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: users, values: '1640x120'}
  - {series: 'search_seconds_bucket{le="4"}', values: '0x9 0+0x20 0+60x80'}
  - {series: 'search_seconds_bucket{le="8"}', values: '0+60x110'}
  - {series: 'search_seconds_bucket{le="+Inf"}', values: '0+60x110'}
  - {series: queue, values: '50x20 150x100'}
  - {series: requests_total, values: '0+600x40 24000+6000x20 144000+600x60'}
  - {series: 'active{region="eu"}', values: '100x120'}
  - {series: 'active{region="us"}', values: '100x120'}
  - {series: 'active{region="ap"}', values: '100x120'}
  - {series: 'active{region="sa"}', values: '3x30 100x90'}
  alert_rule_test:
  - {eval_time: 9m, alertname: OutgrowDataSlowSearch, exp_alerts: []}
  - eval_time: 20m
    alertname: OutgrowDataSlowSearch
    exp_alerts:
    - exp_labels: {severity: warning, point: data, trigger: slow-search}
      exp_annotations:
        summary: 'Data: search is slow, 7.8s, past 5 s (its early warning)'
        description: 'Users now: 1.64k; to be complete before 2,000.
          Handbook: docs/handbook/data.md#slow-search. Next: outgrow forecast data'
        runbook_url: https://example.org/runbooks/search
  - {eval_time: 60m, alertname: OutgrowDataSlowSearch, exp_alerts: []}
  - {eval_time: 20m, alertname: OutgrowDataSpread, exp_alerts: []}
  - eval_time: 35m
    alertname: OutgrowDataSpread
    exp_alerts:
    - exp_labels: {severity: warning, point: data, trigger: spread}
      exp_annotations:
        summary: 'Data: spread, 4, past 3 (its early warning)'
        description: 'Users now: 1.64k; to be complete before 2,000.
          Handbook: docs/handbook/data.md#spread. Next: outgrow forecast data'
"""


def test_alerts_fire_and_end(promtool: str, declare: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(prometheus_rules(declare()))
    (tmp_path / "played.yml").write_text(PLAYED)
    accepted(promtool, tmp_path / "played.yml", "test", "rules")


def test_a_value_that_wavers_is_one_alert(promtool: str, tmp_path: Path, declare: Any) -> None:
    """Above the threshold for ten minutes, then every other minute: it fires at each look, without a break."""
    values = "6x12 " + "4x0 6x0 " * 20
    firing = 'count(ALERTS{alertname="OutgrowDataSlowSearch",alertstate="firing"})'
    looks = "\n".join(
        f"  - {{eval_time: {minute}m, expr: '{firing}', exp_samples: [{{value: 1}}]}}" for minute in range(11, 52)
    )
    declaration = declare(signal="queue", breaks_at=None)
    (tmp_path / "rules.yml").write_text(prometheus_rules(declaration))
    (tmp_path / "played.yml").write_text(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
        f"  - {{series: queue, values: '{values}'}}\n  - {{series: users, values: '1640x60'}}\n"
        f"  promql_expr_test:\n{looks}\n"
    )
    accepted(promtool, tmp_path / "played.yml", "test", "rules")


def test_a_peak_does_not_fire_what_is_meant_for_normal_load(promtool: str, declare: Any, tmp_path: Path) -> None:
    """The queue is long only while load is at its peak: an alert about normal load is silent, a plain one is not."""
    series = (
        "  - {series: requests_total, values: '0+60x99 6000+6000x9 66000+60x20'}\n"
        "  - {series: queue, values: '10x104 150x5 10x20'}\n  - {series: users, values: '1640x130'}\n"
    )
    for when, count in (("normal-load", 0), ("any", 1)):
        folder = tmp_path / when
        folder.mkdir()
        declaration = declare(signal="queue", threshold=100, breaks_at=None, when=when, **{"for": 0})
        (folder / "rules.yml").write_text(prometheus_rules(declaration))
        firing = 'count(ALERTS{trigger="slow-search",alertstate="firing"})'
        expected = f"[{{value: {count}}}]" if count else "[]"
        (folder / "played.yml").write_text(
            f"rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n{series}"
            f"  promql_expr_test:\n  - {{eval_time: 107m, expr: '{firing}', exp_samples: {expected}}}\n"
        )
        accepted(promtool, folder / "played.yml", "test", "rules")


def test_what_is_not_measured_is_said(promtool: str, declare: Any, tmp_path: Path) -> None:
    """No searches: the quantile is NaN, the alert cannot fire. From 1,000 users on that is said; before, it is not."""
    (tmp_path / "rules.yml").write_text(prometheus_rules(declare()))
    unknown = 'count(ALERTS{alertname="OutgrowSignalUnknown",signal="search.p95",alertstate="firing"})'
    for users, expected in ((1640, "[{value: 1}]"), (640, "[]")):
        (tmp_path / "played.yml").write_text(
            "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
            f"  - {{series: users, values: '{users}x60'}}\n"
            "  - {series: 'search_seconds_bucket{le=\"4\"}', values: '7x60'}\n"
            "  - {series: 'search_seconds_bucket{le=\"+Inf\"}', values: '7x60'}\n"
            f"  promql_expr_test:\n  - {{eval_time: 40m, expr: '{unknown}', exp_samples: {expected}}}\n"
        )
        accepted(promtool, tmp_path / "played.yml", "test", "rules")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(text=st.text(max_size=40), query=st.text(max_size=40))
def test_no_word_breaks_the_file_or_is_run_as_a_template(declare: Any, text: str, query: str) -> None:
    declaration = declare(title=text, runbook=text)
    signal = declaration.signals["search-p95"].model_copy(update={"promql": query.strip() or "1"})
    declaration = declaration.model_copy(
        update={"name": text, "signals": {**declaration.signals, "search-p95": signal}}
    )
    rules = prometheus_rules(declaration)
    recorded = {
        rule["record"]: rule["expr"] for group in parsed(rules)["groups"] for rule in group["rules"] if "record" in rule
    }
    assert recorded["outgrow:search_p95_2"] == (query.strip() or "1")
    assert prometheus_rules(declaration) == rules


def test_a_template_in_a_title_is_shown_and_not_run(promtool: str, declare: Any, tmp_path: Path) -> None:
    declaration = declare(
        title='{{ "{{" }} {{ query "up" }} {{ $value', signal="queue", breaks_at=None, runbook="{{ fail"
    )
    (tmp_path / "rules.yml").write_text(prometheus_rules(declaration))
    (tmp_path / "played.yml").write_text(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
        "  - {series: queue, values: '9x60'}\n  - {series: users, values: '1640x60'}\n  alert_rule_test:\n"
        "  - eval_time: 30m\n    alertname: OutgrowDataSlowSearch\n    exp_alerts:\n"
        "    - exp_labels: {severity: warning, point: data, trigger: slow-search}\n      exp_annotations:\n"
        '        summary: \'Data: {{ "{{" }} {{ query "up" }} {{ $value, 9, past 5 (its early warning)\'\n'
        "        description: 'Users now: 1.64k; to be complete before 2,000. First: {{ fail. "
        "Handbook: docs/handbook/data.md#slow-search. Next: outgrow forecast data'\n"
    )
    accepted(promtool, tmp_path / "played.yml", "test", "rules")
