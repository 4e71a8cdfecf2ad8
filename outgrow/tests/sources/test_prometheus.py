"""Prometheus as a source: the contract against a real server, and what it does with servers that fail or lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outgrow.points.declaration import Signal
from outgrow.ports import Observation
from outgrow.sources.prometheus import MAX_POINTS, PrometheusSource, open_source
from outgrow.testing import FixedClock
from outgrow.testing.source_contract import INSTANCES, JOB, SIGNALS, START, STORY, Played, SourceContract

AT = START


def opened(url: str, **more: Any) -> PrometheusSource:
    return open_source({"url": url, **more}, FixedClock(AT))


def story_as_openmetrics() -> str:
    """The story as a Prometheus that scraped it would hold it, its ``up`` included."""
    lines = []
    for step in STORY:
        for instance in INSTANCES:
            text = step.exposed[instance]
            lines.append(f'up{{job="{JOB}",instance="{instance}"}} {0 if text is None else 1} {step.at:.3f}')
            for family in text_string_to_metric_families(text or ""):
                for sample in family.samples:
                    labels = {**sample.labels, "job": JOB, "instance": instance}
                    shown = ",".join(f'{name}="{value}"' for name, value in labels.items())
                    lines.append(f"{sample.name}{{{shown}}} {sample.value} {step.at:.3f}")
    return "\n".join([*lines, "# EOF", ""])


class TestContract(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, prometheus_tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
        data = tmp_path_factory.mktemp("prometheus")
        prometheus_tools.backfill(story_as_openmetrics(), data)
        with prometheus_tools.running(data) as server:
            source = opened(server.url)
            yield Played(source, tuple(source.observe(SIGNALS, step.at) for step in STORY))
            source.close()

    @pytest.fixture
    def broken(self) -> PrometheusSource:
        return opened("http://127.0.0.1:1", timeout="1s")
