"""The dashboard: what it shows of the declared file, and that Grafana's own rules for the JSON hold."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from outgrow.points.declaration import Declaration
from outgrow.reports.grafana import SCHEMA_VERSION, grafana_dashboard
from outgrow.signals.promql import promql_of

GOLDEN = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboard.json"


def panel(dashboard: dict[str, Any], title: str) -> dict[str, Any]:
    return next(each for each in dashboard["panels"] if each["title"] == title)


def test_the_deployed_dashboard_is_that_of_the_template(venture_platform: Declaration) -> None:
    """Else write it anew: outgrow export grafana in a folder with the template, to deploy/grafana."""
    text = json.dumps(grafana_dashboard(venture_platform), ensure_ascii=False, indent=2) + "\n"
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_a_row_for_each_point_and_a_panel_for_each_of_its_signals(venture_platform: Declaration) -> None:
    panels = grafana_dashboard(venture_platform)["panels"]
    rows = [each["title"] for each in panels if each["type"] == "row"]
    assert rows == ["Growth", *(point.title for point in venture_platform.points)]
    drawn = {target["expr"] for each in panels for target in each.get("targets", ())}
    for point in venture_platform.points:
        for trigger in point.triggers:
            if trigger.signal is not None:
                signal = venture_platform.signals[trigger.signal]
                assert promql_of(signal, by_member=trigger.kind == "spread") in drawn


def test_limits_are_lines_on_the_side_where_trouble_lies(declare: Any) -> None:
    dashboard = grafana_dashboard(declare())
    above = panel(dashboard, "search.p95")["fieldConfig"]["defaults"]
    assert above["thresholds"]["steps"] == [
        {"color": "blue", "value": None},
        {"color": "orange", "value": 5.0},
        {"color": "red", "value": 15.0},
    ]
    assert (above["unit"], above["custom"]["axisSoftMax"]) == ("s", 15.0)
    below = panel(dashboard, "success")["fieldConfig"]["defaults"]
    assert below["thresholds"]["steps"] == [{"color": "orange", "value": None}, {"color": "blue", "value": 0.95}]
    assert (below["unit"], below["custom"]["axisSoftMax"]) == ("percentunit", 1)


def test_nothing_measured_is_never_shown_as_fine(declare: Any) -> None:
    for each in grafana_dashboard(declare())["panels"]:
        if each["type"] == "timeseries":
            defaults = each["fieldConfig"]["defaults"]
            assert "unknown" in defaults["noValue"]
            assert "green" not in json.dumps(defaults)


def test_it_can_be_provisioned(venture_platform: Declaration) -> None:
    dashboard = grafana_dashboard(venture_platform)
    assert dashboard["id"] is None
    assert dashboard["schemaVersion"] == SCHEMA_VERSION
    assert 0 < len(dashboard["uid"]) <= 40
    ids = [each["id"] for each in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    (variable,) = dashboard["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    for each in dashboard["panels"]:
        if "targets" in each:
            assert each["datasource"] == {"type": "prometheus", "uid": "${" + variable["name"] + "}"}


def test_panels_neither_overlap_nor_leave_the_page(declare: Any, venture_platform: Declaration) -> None:
    for dashboard in (grafana_dashboard(declare()), grafana_dashboard(venture_platform)):
        places = [each["gridPos"] for each in dashboard["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        taken = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(taken) == len(set(taken))
        tops = [place["y"] for place in places]
        assert all(before <= after for before, after in pairwise(tops))


def test_words_stay_words(declare: Any) -> None:
    point = declare().points[0].model_copy(update={"root_cause": "<script>alert(1)</script>"})
    declaration = declare().model_copy(update={"points": (point,), "name": "Ünï / <b> " + "x" * 60})
    dashboard = grafana_dashboard(declaration)
    text = next(each for each in dashboard["panels"] if each["type"] == "text")
    assert "<script>" not in text["options"]["content"]
    assert len(dashboard["uid"]) <= 40
    assert dashboard == grafana_dashboard(declaration)
