"""The recorder's source: the contract, and what it does with targets that fail, lie or disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from outgrow.points.declaration import Signal
from outgrow.sources.scrape import ScrapeSource, open_source
from outgrow.testing import FixedClock, MemoryLedger
from outgrow.testing.scripted_target import ScriptedTarget
from outgrow.testing.source_contract import INSTANCES, JOB, SIGNALS, START, STORY, Played, SourceContract


def opened(config: Mapping[str, Any], ledger: MemoryLedger | None = None) -> ScrapeSource:
    return open_source(config, FixedClock(START), ledger)


class TestContract(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def played(cls) -> Iterator[Played]:
        with ExitStack() as stack:
            targets = {name: stack.enter_context(ScriptedTarget()) for name in INSTANCES}
            named = [{"url": target.url, "name": name} for name, target in targets.items()]
            source = opened({"targets": named, "labels": {"job": JOB}, "timeout": "2s"})
            seen = []
            for step in STORY:
                for name, text in step.exposed.items():
                    if text is None:
                        targets[name].vanish()
                    else:
                        targets[name].come_back()
                        targets[name].show(text)
                seen.append(source.observe(SIGNALS, step.at))
            yield Played(source, tuple(seen))
            source.close()

    @pytest.fixture
    def broken(self) -> ScrapeSource:
        return opened({"targets": ["http://127.0.0.1:1/metrics"], "timeout": "1s"})
