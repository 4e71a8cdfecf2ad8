"""The recorder's source: the contract, and what it does with targets that fail, lie or disagree."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from pydantic import ValidationError

from outgrow.errors import LedgerError
from outgrow.points.declaration import Signal
from outgrow.ports import Observation
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


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"unit": "x", "window": 60, **keys})


LOAD = signal(metric="requests_total", rate=True)
MEMORY = signal(metric="memory_bytes", value=True)
BOTH = {"load": LOAD, "memory": MEMORY}
AT = START


def exposing(requests: float, memory: float | str = 100, *more: str) -> str:
    return "\n".join([f"requests_total {requests}", f"memory_bytes {memory}", *more, ""])


def values(seen: Observation) -> dict[str, float]:
    return {sample.signal + (f"/{sample.member}" if sample.member else ""): sample.value for sample in seen.samples}


@pytest.fixture
def targets() -> Iterator[tuple[ScriptedTarget, ScriptedTarget]]:
    with ScriptedTarget(exposing(0)) as one, ScriptedTarget(exposing(0)) as other:
        yield one, other


class TestReading:
    def test_several_targets_become_one(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        one, other = targets
        source = opened({"targets": [one.url, other.url]})
        first = source.observe(BOTH, AT)
        assert values(first) == {"memory": 200}
        assert "a rate needs two" in first.unknown["load"]
        one.show(exposing(30))
        other.show(exposing(15))
        assert values(source.observe(BOTH, AT + 15)) == {"load": pytest.approx(45 / 60), "memory": 200}

    def test_names_and_labels_tell_targets_apart(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        one, other = targets
        named = [{"url": one.url, "name": "a"}, {"url": other.url, "labels": {"zone": "x"}}]
        source = opened({"targets": named, "labels": {"job": "api"}})
        other.show(exposing(0, 7, 'memory_bytes{instance="own",job=""} 5'))
        asked = {
            "a": signal(metric="memory_bytes", labels={"instance": "a", "job": "api"}, value=True),
            "b": signal(metric="memory_bytes", labels={"instance": other.address, "exported_instance": ""}, value=True),
            "zone": signal(metric="memory_bytes", labels={"zone": "~x|y"}, value=True),
            "own": signal(metric="memory_bytes", labels={"exported_instance": "own"}, value=True),
        }
        assert values(source.observe(asked, AT)) == {"a": 100, "b": 7, "zone": 12, "own": 5}

    def test_openmetrics(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        registry = CollectorRegistry()
        requests = Counter("requests", "served", registry=registry)
        target = targets[0]
        source = opened({"targets": [target.url]})
        for place in range(2):
            requests.inc(30, exemplar={"trace": 'a } " # {'})
            target.show(openmetrics_latest(registry), "application/openmetrics-text; version=1.0.0")
            seen = source.observe({"load": LOAD}, AT + place * 15)
        assert values(seen) == {"load": pytest.approx(30 / 60 * (15 + 7.5 + 0) / 15)}

    def test_a_counter_without_total_keeps_its_name(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        targets[0].show("# TYPE jobs counter\njobs 3\n")
        source = opened({"targets": [targets[0].url]})
        assert values(source.observe({"jobs": signal(metric="jobs", value=True)}, AT)) == {"jobs": 3}

    def test_a_path_is_metrics_unless_told(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url.removesuffix("/metrics")]})
        assert source.reachable() is None

    def test_times_of_the_target_count(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url]})
        for place in range(3):
            targets[0].show(f"requests_total {place * 10} {(AT + place * 10) * 1000:.0f}\n")
            seen = source.observe({"load": LOAD}, AT + place * 20)
        assert values(seen) == {
            "load": pytest.approx(20 * (20 + 5) / 20 / 60)
        }  # half a sample beyond its last, as ever


class TestFaults:
    """Targets that misbehave: the affected signals are unknown with the reason, and nothing else is lost."""

    def test_a_missing_target_is_a_gap_and_not_a_zero(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        one, other = targets
        source = opened({"targets": [one.url, other.url]})
        source.observe(BOTH, AT)
        other.vanish()
        seen = source.observe(BOTH, AT + 15)
        assert not seen.samples
        for why in seen.unknown.values():
            assert why.startswith(f"{other.address}: ")
            assert "would pass for the whole" in why

    def test_a_target_that_has_no_part_in_a_signal_may_be_down(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        one, other = targets
        other.show("index_bytes 5\n")
        source = opened({"targets": [one.url, other.url]})
        asked = {"memory": MEMORY, "index": signal(metric="index_bytes", value=True)}
        assert values(source.observe(asked, AT)) == {"memory": 100, "index": 5}
        other.vanish()
        seen = source.observe(asked, AT + 15)
        assert values(seen) == {"memory": 100}
        assert other.address in seen.unknown["index"]

    def test_a_target_that_never_answered_may_have_part_in_everything_it_is_not_excluded_from(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        one, other = targets
        other.vanish()
        source = opened({"targets": [{"url": one.url, "name": "a"}, {"url": other.url, "name": "b"}]})
        only_a = signal(metric="memory_bytes", labels={"instance": "a"}, value=True)
        seen = source.observe({"memory": MEMORY, "only_a": only_a}, AT)
        assert values(seen) == {"only_a": 100}
        assert "it has never answered" in seen.unknown["memory"]

    def test_down(self) -> None:
        source = opened({"targets": ["http://127.0.0.1:1"]})
        assert "cannot connect" in source.observe(BOTH, AT).unknown["load"]

    def test_slow_targets_are_waited_for_side_by_side(
        self, serve: Any, reply: Any, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        release, together = threading.Event(), threading.Barrier(3)

        def respond(asked: Any) -> Any:
            together.wait(30)  # none is asked only after another has answered
            release.wait(30)
            return reply(b"slow_bytes 1\n", "text/plain")

        slow = [serve(respond) for _ in range(3)]
        named = [{"url": one.url, "name": f"slow{place}"} for place, one in enumerate(slow)]
        source = opened({"targets": [*named, {"url": targets[0].url, "name": "a"}], "timeout": "2s"})
        only_a = signal(metric="memory_bytes", labels={"instance": "a"}, value=True)
        seen = source.observe({"only_a": only_a, "slow": signal(metric="slow_bytes", value=True)}, AT)
        release.set()
        assert values(seen) == {"only_a": 100}
        assert "did not answer within 2 s" in seen.unknown["slow"]

    @pytest.mark.parametrize(
        ("body", "content_type", "word"),
        [
            (b"<html>hello</html>", "text/html; charset=utf-8", "answers with text/html"),
            (b"requests_total 1\n", "text/html", "answers with text/html"),
            (b'{"requests": 1}', "application/json", "answers with application/json"),
            (b"<html>hello</html>\n", "text/plain", "line 1 of its answer is no metric: '<html>"),
            (b"requests_total 1\nrequests total 2\n", "text/plain", "line 2 of its answer is no metric"),
            (b"requests_total one\n", "text/plain", "line 1 of its answer is no metric"),
            (b'requests_total{a="1} 2\n', "text/plain", "line 1 of its answer is no metric"),
            (b"requests_total 1\n", "application/openmetrics-text", "the last line is not # EOF"),
            (b'requests_total 1 # {a="b"} 1 2\n# EOF\n', "text/plain", "sends OpenMetrics"),
            (b"\xff\xfe\x00", "text/plain", "not text in UTF-8"),
            (b"\x00\x01\x02\n", "text/plain", "line 1 of its answer is no metric"),
        ],
    )
    def test_lies_about_what_it_sends(self, serve: Any, reply: Any, body: bytes, content_type: str, word: str) -> None:
        source = opened({"targets": [serve(lambda asked: reply(body, content_type)).url]})
        assert word in source.observe(BOTH, AT).unknown["load"]
        assert word in (source.reachable() or "")

    @pytest.mark.parametrize(
        ("status", "word"), [(401, "does not let us in"), (302, "redirects elsewhere"), (500, "answered 500")]
    )
    def test_other_statuses(self, serve: Any, reply: Any, status: int, word: str) -> None:
        server = serve(lambda asked: reply(b"requests_total 1\n", "text/plain", status))
        assert word in opened({"targets": [server.url]}).observe(BOTH, AT).unknown["load"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nrequests_total 1\n",
            b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nrequests_total 1",
        ],
    )
    def test_truncated(self, serve: Any, reply: Any, raw: bytes) -> None:
        source = opened({"targets": [serve(lambda asked: reply(raw=raw)).url]})
        assert "br" in source.observe(BOTH, AT).unknown["load"].split(": ", 1)[1]  # breaks off, broke off

    def test_huge(self, serve: Any, reply: Any) -> None:
        server = serve(lambda asked: reply(b"requests_total 1\n" * 100_000, "text/plain"))
        source = opened({"targets": [server.url], "max_bytes": "1MB"})
        assert "more than 1 MB" in source.observe(BOTH, AT).unknown["load"]

    @pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
    def test_no_number_is_unknown_for_its_signal_only(
        self, targets: tuple[ScriptedTarget, ScriptedTarget], value: str
    ) -> None:
        source = opened({"targets": [targets[0].url]})
        source.observe(BOTH, AT)
        targets[0].show(exposing(30, value))
        seen = source.observe(BOTH, AT + 15)
        assert seen.samples[0].signal == "load"
        assert "the target returned" in seen.unknown["memory"]

    @pytest.mark.parametrize("content_type", ["text/plain", "application/openmetrics-text"])
    def test_the_same_labels_twice_in_one_target(
        self, targets: tuple[ScriptedTarget, ScriptedTarget], content_type: str
    ) -> None:
        lines = ['memory_bytes{a="1",b="2"} 3', 'memory_bytes{b="2",a="1"} 3', "other_bytes 1", "# EOF", ""]
        targets[0].show("\n".join(lines), content_type)
        source = opened({"targets": [targets[0].url]})
        seen = source.observe({"memory": MEMORY, "other": signal(metric="other_bytes", value=True)}, AT)
        assert values(seen) == {"other": 1}
        assert "two series have the same labels, memory_bytes{" in seen.unknown["memory"]

    def test_an_empty_label_is_no_label(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        targets[0].show('memory_bytes{a=""} 3\nmemory_bytes 3\n')
        source = opened({"targets": [targets[0].url]})
        assert "two series have the same labels" in source.observe(BOTH, AT).unknown["memory"]

    def test_two_targets_with_the_same_labels(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        one, other = targets
        other.show("other_bytes 4\n" + exposing(5))
        source = opened({"targets": [{"url": one.url, "name": "a"}, {"url": other.url, "name": "a"}]})
        seen = source.observe({**BOTH, "other": signal(metric="other_bytes", value=True)}, AT)
        assert values(seen) == {"other": 4}
        assert 'requests_total{instance="a"}: a and a #2 exposed both' in seen.unknown["load"]

    def test_times_that_go_back(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url]})
        for place, stated in enumerate([100, 90, 100, 100, 110]):
            text = f"requests_total {place} {(AT + stated) * 1000:.0f}\nmemory_bytes 1\n"
            targets[0].show(text)
            seen = source.observe(BOTH, AT + 110 + place)
            went_back = "went back in time" in seen.unknown.get("load", "")
            assert went_back == (place in (1, 2, 3)), (place, seen.unknown)
            assert "memory" in values(seen)

    def test_times_far_in_the_future(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        targets[0].show(f"requests_total 1 {(AT + 3600) * 1000:.0f}\n")
        source = opened({"targets": [targets[0].url]})
        assert "1h into the future" in source.observe(BOTH, AT).unknown["load"]

    def test_an_old_gauge_is_no_value_now(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        targets[0].show(f"memory_bytes 1 {(AT - 301) * 1000:.0f}\n")
        source = opened({"targets": [targets[0].url]})
        assert "memory" in source.observe(BOTH, AT).unknown

    def test_a_series_that_ended_is_no_value_now(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url]})
        targets[0].show('memory_bytes{a="1"} 1\nmemory_bytes{a="2"} 2\n')
        assert values(source.observe(BOTH, AT)) == {"memory": 3}
        targets[0].show('memory_bytes{a="2"} 2\n')
        assert values(source.observe(BOTH, AT + 1)) == {"memory": 2}

    def test_our_own_clock_goes_back(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url]})
        source.observe(BOTH, AT)
        asked = len(targets[0].visits())
        seen = source.observe(BOTH, AT - 10)
        assert set(seen.unknown.values()) == {
            "the clock went back by 10 s since the last scrape; wait until it has caught up"
        }
        assert len(targets[0].visits()) == asked
        targets[0].show(exposing(15))
        assert "load" in values(source.observe(BOTH, AT + 15))

    def test_a_clock_that_was_days_ahead_is_not_waited_for(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        source = opened({"targets": [targets[0].url]})
        source.observe(BOTH, AT + 90 * 86400)
        assert source.observe(BOTH, AT).unknown.keys() == BOTH.keys()
        assert values(source.observe(BOTH, AT + 1)) == {"memory": 100}

    def test_promql_is_for_prometheus(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        source = opened({"targets": [targets[0].url]})
        assert "only a Prometheus-compatible source" in source.observe({"x": signal(promql="y")}, AT).unknown["x"]


class TestMemory:
    def test_a_new_process_goes_on_where_the_last_one_ended(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        ledger, config = MemoryLedger(), {"targets": [one.url for one in targets]}
        together = opened(config)
        for place in range(6):
            targets[0].show(exposing(place * 30 if place < 4 else place))
            targets[1].show(exposing(place * 15))
            if place == 3:
                targets[1].vanish()
            expected = together.observe(BOTH, AT + place * 14.9)
            seen = opened(config, ledger).observe(BOTH, AT + place * 14.9)
            assert values(seen) == values(expected)
            assert seen.unknown == expected.unknown
            targets[1].come_back()

    def test_a_target_with_other_labels_is_another(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        ledger = MemoryLedger()
        for place, job in enumerate(["old", "new", "new"]):
            targets[0].show(exposing(1000 + place * 30))
            config = {"targets": [targets[0].url], "labels": {"job": job}}
            seen = opened(config, ledger).observe(BOTH, AT + place * 15)
            assert ("load" in values(seen)) == (place == 2)

    def test_what_is_held_is_bounded_by_the_longest_window(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        ledger, sizes = MemoryLedger(), []
        source = opened({"targets": [targets[0].url]}, ledger)
        for place in range(120):
            targets[0].show(exposing(place) + "".join(f"other{n} 1\n" for n in range(50)))
            source.observe({"load": LOAD}, AT + place * 31)
            sizes += [len(content) for content in [ledger.memory("scrape", source.memory_key)] if content]
        assert max(sizes[20:]) < sizes[10] + 64

    def test_it_is_written_at_most_every_half_minute(self, targets: tuple[ScriptedTarget, ScriptedTarget]) -> None:
        written = []

        class Counting(MemoryLedger):
            def put_memory(self, source: str, key: str, content: bytes) -> None:
                written.append(key)

        source = opened({"targets": [targets[0].url]}, Counting())
        for place in range(100):
            source.observe(BOTH, AT + place)
        assert len(written) == 4

    @pytest.mark.parametrize("content", [b"", b"nonsense", zlib.compress(b"{}"), zlib.compress(b'{"version":1}')])
    def test_memory_that_cannot_be_read_is_forgotten(
        self, targets: tuple[ScriptedTarget, ScriptedTarget], content: bytes
    ) -> None:
        ledger = MemoryLedger()
        source = opened({"targets": [targets[0].url]}, ledger)
        ledger.put_memory("scrape", source.memory_key, content)
        assert values(source.observe(BOTH, AT)) == {"memory": 100}

    def test_a_ledger_that_fails_does_not_cost_the_observation(
        self, targets: tuple[ScriptedTarget, ScriptedTarget]
    ) -> None:
        class Failing(MemoryLedger):
            def put_memory(self, source: str, key: str, content: bytes) -> None:
                raise LedgerError("full")

            def memory(self, source: str, key: str) -> bytes | None:
                raise LedgerError("gone")

        assert values(opened({"targets": [targets[0].url]}, Failing()).observe(BOTH, AT)) == {"memory": 100}


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "word"),
        [
            ({}, "targets"),
            ({"targets": []}, "targets"),
            ({"targets": "http://127.0.0.1:1"}, "targets"),
            ({"targets": ["127.0.0.1:1"]}, "targets.0: not a URL"),
            ({"targets": [{"url": "http://127.0.0.1:1", "wrong": 1}]}, "wrong"),
            ({"targets": ["http://a:pw@127.0.0.1:1"]}, "must not hold credentials"),
            ({"targets": ["http://127.0.0.1:1"], "labels": {"a-b": "x"}}, "labels"),
        ],
    )
    def test_settings_that_are_refused(self, settings: Mapping[str, Any], word: str) -> None:
        with pytest.raises(ValidationError) as refused:
            opened(settings)
        assert word in str(refused.value)
        assert "pw" not in str(refused.value)
