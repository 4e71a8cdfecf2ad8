"""Signals that come from imports alone: both exports leave them out and say so."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from outgrow.points.declaration import Declaration
from outgrow.reports.grafana import grafana_dashboard
from outgrow.reports.grafana import left_out as without_panel
from outgrow.reports.prometheus_rules import left_out, prometheus_rules


def with_imported(declaration: Declaration, *names: str) -> Declaration:
    """The declaration with these signals from imports alone."""
    document: dict[str, Any] = declaration.model_dump(by_alias=True, exclude_unset=True)
    for name in names:
        document["signals"][name] = {"unit": declaration.signals[name].unit, "imported": True}
    return Declaration.model_validate(document)


@pytest.mark.parametrize("names", [("search.p95",), ("users",), ("load",), ("users", "load", "search.p95", "queue")])
def test_what_prometheus_does_not_know_is_left_out_and_said(declare: Any, names: tuple[str, ...]) -> None:
    declaration = with_imported(declare(when="normal-load"), *names)
    text = prometheus_rules(declaration)
    groups = yaml.safe_load(text)["groups"]
    records = {rule.get("record") for group in groups for rule in group["rules"]}
    for name in names:
        assert f"# left out: {name} comes from imports alone" in text
        assert f"outgrow:{name.replace('.', '_')}" not in records
        assert not [
            rule for group in groups for rule in group["rules"]
            if f"outgrow:{name.replace('.', '_')}" in f"{rule['expr']} {rule.get('annotations')}".split()
        ]  # fmt: skip
    alerted = {rule["labels"].get("trigger") for group in groups for rule in group["rules"] if "alert" in rule}
    if "load" in names or "search.p95" in names:
        assert "data/slow-search" in left_out(declaration)
        assert "slow-search" not in alerted
    assert without_panel(declaration) == tuple(name for name in declaration.signals if name in names)
    shown = json.dumps(grafana_dashboard(declaration))
    assert ("Not drawn at all" in shown) == ("search.p95" in names)
    assert ("Users against the declared limit" in shown) == ("users" not in names)
