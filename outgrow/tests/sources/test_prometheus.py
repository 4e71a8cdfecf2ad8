"""Prometheus as a source: the contract against a real server, and what it does with servers that fail or lie."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from outgrow.points.declaration import Signal
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


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"unit": "x", **keys})


LOAD = signal(metric="requests_total", rate=True)
MEMORY = signal(metric="memory_bytes", value=True)


def reason(source: PrometheusSource, one: Signal = MEMORY) -> str:
    seen = source.observe({"it": one}, AT)
    assert not seen.samples
    return seen.unknown["it"]


class TestQueries:
    def test_each_signal_is_one_post_at_the_time_asked_for(self, serve: Any, vector: Any) -> None:
        server = serve(lambda asked: vector() if "up" in asked.form["query"] else vector(({}, AT, "7")))
        seen = opened(server.url).observe({"load": LOAD, "memory": MEMORY}, AT)
        assert {(sample.signal, sample.value, sample.time) for sample in seen.samples} == {
            ("load", 7.0, AT),
            ("memory", 7.0, AT),
        }
        assert {asked.form["query"] for asked in server.asked} == {
            "count(min_over_time(up[5m]) == 0)",
            "sum(rate(requests_total[5m]))",
            "sum(memory_bytes)",
        }
        assert {(asked.method, asked.path, asked.form["time"]) for asked in server.asked} == {
            ("POST", "/api/v1/query", f"{AT:.3f}")
        }

    def test_a_gateway_that_lets_only_get_through_is_asked_with_get(self, serve: Any, reply: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            if asked.method == "POST":
                return reply(b"no", "text/plain", 405)
            return vector() if "up" in asked.form["query"] else vector(({}, AT, "7"))

        server = serve(respond)
        assert opened(server.url).observe({"memory": MEMORY}, AT).samples[0].value == 7
        assert [asked.method for asked in server.asked] == ["POST", "GET", "GET"]

    def test_promql_of_ones_own_is_passed_on_and_may_give_a_scalar(self, serve: Any, reply: Any) -> None:
        body = b'{"status":"success","data":{"resultType":"scalar","result":[%d,"3"]}}' % AT
        server = serve(lambda asked: reply(body))
        source = opened(server.url, missing_targets="accept")
        assert source.observe({"it": signal(promql="scalar(x)")}, AT).samples[0].value == 3
        assert server.asked[-1].form["query"] == "scalar(x)"

    def test_members_of_promql_come_by_their_label(self, serve: Any, vector: Any) -> None:
        elements = (({"region": "eu"}, AT, "3"), ({"region": "us"}, AT, "4"), ({}, AT, "9"))
        server = serve(lambda asked: vector(*elements))
        source = opened(server.url, missing_targets="accept")
        seen = source.observe({"it": signal(promql="x", by="region")}, AT)
        assert {sample.member: sample.value for sample in seen.samples} == {"eu": 3, "us": 4}

    def test_a_path_before_the_api_is_kept(self, serve: Any, vector: Any) -> None:
        server = serve(lambda asked: vector(({}, AT, "7")))
        assert opened(f"{server.url}/prom/").reachable() is None
        assert server.asked[0].path == "/prom/api/v1/query"


class TestHistory:
    def test_a_long_past_is_asked_in_parts(self, serve: Any, reply: Any) -> None:
        def respond(asked: Any) -> Any:
            start, end, step = (float(asked.form[key]) for key in ("start", "end", "step"))
            points = [[start + place * step, str(place)] for place in range(round((end - start) / step) + 1)]
            return reply(matrix(points))

        server = serve(respond)
        count = 2 * MAX_POINTS + 500
        past = opened(server.url).history({"it": MEMORY}, AT, AT + (count - 1) * 60, 60)
        assert not past.unknown
        assert past.series["it", ""].times.tolist() == [AT + place * 60 for place in range(count)]
        spans = [(float(asked.form["end"]) - float(asked.form["start"])) / 60 + 1 for asked in server.asked]
        assert sorted(spans) == [500, MAX_POINTS, MAX_POINTS]

    def test_a_part_that_fails_is_a_gap_with_its_reason(self, serve: Any, reply: Any) -> None:
        def respond(asked: Any) -> Any:
            start = float(asked.form["start"])
            if start > AT:
                return reply(b'{"status":"error","errorType":"execution","error":"no such shard"}', status=422)
            return reply(matrix([[start, "1"], [start + 60, "NaN"], [start + 120, "3"]]))

        past = opened(serve(respond).url).history({"it": MEMORY}, AT, AT + 60 * (MAX_POINTS + 5), 60)
        assert past.series["it", ""].values.tolist() == [1, 3]
        assert past.unknown["it"].startswith("1 of 2 parts of its past are missing")
        assert "no such shard" in past.unknown["it"]

    @pytest.mark.parametrize("too_much", ["samples", "timeout", "bytes"])
    def test_a_part_that_is_too_much_is_asked_in_halves(self, serve: Any, reply: Any, too_much: str) -> None:
        def respond(asked: Any) -> Any:
            start, end = float(asked.form["start"]), float(asked.form["end"])
            if (end - start) / 60 >= 30:
                if too_much == "bytes":
                    return reply(b" " * 2_000_000)
                text = "query processing would load too many samples" if too_much == "samples" else "it timed out"
                error = {"status": "error", "errorType": "timeout" if too_much == "timeout" else "x", "error": text}
                return reply(json.dumps(error).encode(), status=503)
            return reply(matrix([[start + place * 60, "1"] for place in range(round((end - start) / 60) + 1)]))

        source = opened(serve(respond).url, max_bytes="1MB")
        past = source.history({"it": MEMORY}, AT, AT + 99 * 60, 60)
        assert past.series["it", ""].times.tolist() == [AT + place * 60 for place in range(100)]
        assert not past.unknown
        past = source.history({"it": MEMORY}, AT, AT + 999 * 60, 60)
        assert past.unknown["it"].startswith("8 of 8 parts of its past are missing")

    def test_a_server_that_says_nothing_is_not_asked_for_ever(self, serve: Any, reply: Any) -> None:
        server = serve(lambda asked: reply(b"{}", drip=True))
        past = opened(server.url, timeout="100ms").history({"it": MEMORY}, AT, AT + 9999 * 60, 60)
        assert "did not answer within" in past.unknown["it"]
        assert len(server.asked) <= 4

    def test_a_past_that_goes_back_in_time_is_refused(self, serve: Any, reply: Any) -> None:
        server = serve(lambda asked: reply(matrix([[AT + 60, "1"], [AT, "2"]])))
        past = opened(server.url).history({"it": MEMORY}, AT, AT + 600, 60)
        assert not past.series
        assert "go back" in past.unknown["it"]

    def test_times_without_all_targets_are_left_out(self, serve: Any, reply: Any) -> None:
        server = serve(lambda asked: reply(matrix([[AT, "1"]])))
        opened(server.url).history({"it": MEMORY}, AT, AT + 600, 60)
        assert server.asked[0].form["query"] == "(sum(memory_bytes)) unless on () (up == 0 and on (job) (memory_bytes))"


def matrix(points: list[list[Any]]) -> bytes:
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": points}] if points else []}
    return json.dumps({"status": "success", "data": data}).encode()


class TestFaults:
    """A real server that misbehaves: the affected signals are unknown with the reason, and nothing else is lost."""

    def test_down(self) -> None:
        assert "cannot connect to http://127.0.0.1:1" in reason(opened("http://127.0.0.1:1"))

    def test_slow(self, serve: Any, vector: Any) -> None:
        release = threading.Event()

        def respond(asked: Any) -> Any:
            release.wait(30)
            return vector(({}, AT, "7"))

        server = serve(respond)
        source = opened(server.url, timeout="200ms")
        signals = {f"s{number}": MEMORY for number in range(50)}
        seen = source.observe(signals, AT)
        release.set()
        assert set(seen.unknown.values()) == {f"{server.url}/api/v1/query did not answer within 0.2 s"}
        assert len(server.asked) <= 1  # nobody waits fifty times for the same silence

    def test_dripping(self, serve: Any, reply: Any) -> None:
        """A body that takes ten seconds, in bytes that each come in time."""
        server = serve(lambda asked: reply(drip=True))
        assert "did not answer within" in reason(opened(server.url, timeout="300ms"))

    def test_html_with_200(self, serve: Any, reply: Any) -> None:
        why = reason(opened(serve(lambda asked: reply(b"<html>log in</html>", "text/html")).url))
        assert "answered 200 with text/html instead of JSON" in why

    def test_html_that_claims_to_be_json(self, serve: Any, reply: Any) -> None:
        why = reason(opened(serve(lambda asked: reply(b"<html>log in</html>")).url))
        assert "something that is not JSON" in why

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"{}",
            b'{"status":"success"}',
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}',
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}',
            b'{"status":"success","data":{"resultType":"vector","result":{"a":1}}}',
            b'{"status":"success","data":{"resultType":"string","result":[1,"x"]}}',
            b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[]}]}}',
            b"[" * 100_000,
        ],
    )
    def test_other_json(self, serve: Any, reply: Any, body: bytes) -> None:
        assert len(reason(opened(serve(lambda asked: reply(body)).url))) > 20

    def test_a_redirect_elsewhere_is_not_followed_and_carries_no_secret(
        self, serve: Any, reply: Any, tmp_path: Path
    ) -> None:
        elsewhere = serve(lambda asked: reply(b"{}"))
        location = {"Location": f"{elsewhere.url}/login?next=secret"}
        server = serve(lambda asked: reply(b"", status=302, headers=location))
        why = reason(opened(server.url, token_file=str(secret(tmp_path, "t0ken"))))
        assert f"redirects to {elsewhere.url}/login; " in why
        assert not elsewhere.asked
        assert "secret" not in why

    @pytest.mark.parametrize("status", [401, 403])
    def test_not_let_in(self, serve: Any, reply: Any, status: int) -> None:
        assert "does not let us in" in reason(opened(serve(lambda asked: reply(b"no", "text/plain", status)).url))

    def test_one_bad_query_does_not_lose_the_others(self, serve: Any, reply: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            if "requests" in asked.form["query"]:
                return reply(b'{"status":"error","errorType":"bad_data","error":"parse\\n error"}', status=400)
            return vector() if "up" in asked.form["query"] else vector(({}, AT, "7"))

        seen = opened(serve(respond).url).observe({"load": LOAD, "memory": MEMORY}, AT)
        assert [(sample.signal, sample.value) for sample in seen.samples] == [("memory", 7.0)]
        assert seen.unknown["load"].endswith("refused the query: parse error")

    def test_a_server_without_up_is_taken_at_its_word(self, serve: Any, reply: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            if "up" in asked.form["query"]:
                return reply(b'{"status":"error","errorType":"execution","error":"no"}', status=422)
            return vector(({}, AT, "7"))

        assert opened(serve(respond).url).observe({"memory": MEMORY}, AT).samples[0].value == 7

    @pytest.mark.parametrize(
        ("value", "word"), [("NaN", "NaN"), ("+Inf", "division by zero"), ("-Inf", "division by zero")]
    )
    def test_no_number(self, serve: Any, vector: Any, value: str, word: str) -> None:
        assert word in reason(opened(serve(healthy(vector, ({}, AT, value))).url))

    def test_no_series(self, serve: Any, vector: Any) -> None:
        assert "sum(memory_bytes) gives nothing" in reason(opened(serve(healthy(vector)).url))

    def test_several_series_where_one_is_needed(self, serve: Any, vector: Any) -> None:
        elements = (({"instance": "a"}, AT, "1"), ({"instance": "b"}, AT, "2"))
        why = reason(opened(serve(healthy(vector, *elements)).url), signal(promql="memory_bytes"))
        assert 'ambiguous: it gives 2 series ({instance="a"}, {instance="b"})' in why

    def test_two_members_of_the_same_name(self, serve: Any, vector: Any) -> None:
        elements = (({"region": "eu", "n": "1"}, AT, "1"), ({"region": "eu", "n": "2"}, AT, "2"))
        why = reason(opened(serve(healthy(vector, *elements)).url), signal(promql="x", by="region"))
        assert 'several series have region="eu"' in why

    def test_too_many_members(self, serve: Any, vector: Any) -> None:
        elements = [({"user": str(number)}, AT, "1") for number in range(600)]
        assert "600 members" in reason(opened(serve(healthy(vector, *elements)).url), signal(promql="x", by="user"))

    def test_an_answer_for_another_time(self, serve: Any, vector: Any) -> None:
        assert "has gone elsewhere" in reason(opened(serve(healthy(vector, ({}, AT - 3600, "1"))).url))

    def test_a_part_of_a_cluster_is_no_whole(self, serve: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            return vector(({}, AT, "1"), warnings=["store 2 did not answer"])

        why = reason(opened(serve(respond).url))
        assert "may not be whole: store 2 did not answer" in why

    def test_a_hint_is_no_warning(self, serve: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            if "up" in asked.form["query"]:
                return vector()
            return vector(({}, AT, "1"), warnings=["PromQL info: might not be a counter"])

        assert opened(serve(respond).url).observe({"it": MEMORY}, AT).samples[0].value == 1

    def test_a_missing_target_is_named(self, serve: Any, vector: Any) -> None:
        def respond(asked: Any) -> Any:
            if "min_over_time(up" in asked.form["query"]:
                return vector(({}, AT, "1"))
            if "up == 0 and on" in asked.form["query"]:
                return vector(({"instance": "api-3:9100", "job": "api"}, AT, "0"))
            return vector(({}, AT, "7"))

        server = serve(respond)
        assert "1 of its targets (api-3:9100) down" in reason(opened(server.url))
        accepting = opened(server.url, missing_targets="accept")
        assert accepting.observe({"it": MEMORY}, AT).samples[0].value == 7

    def test_huge(self, serve: Any, reply: Any) -> None:
        server = serve(lambda asked: reply(b" " * 3_000_000))
        assert "more than 1 MB" in reason(opened(server.url, max_bytes="1MB"))

    def test_huge_only_once_unpacked(self, serve: Any, reply: Any) -> None:
        bomb = gzip.compress(b" " * 50_000_000)
        server = serve(lambda asked: reply(bomb, headers={"Content-Encoding": "gzip"}))
        assert "more than 1 MB" in reason(opened(server.url, max_bytes="1MB"))

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n{not gzip}",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ],
    )
    def test_truncated_or_no_http(self, serve: Any, reply: Any, raw: bytes) -> None:
        assert len(reason(opened(serve(lambda asked: reply(raw=raw)).url))) > 20


def healthy(vector: Any, *elements: Any) -> Any:
    return lambda asked: vector() if "up[" in asked.form["query"] else vector(*elements)


def secret(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return path


class TestCredentials:
    def test_basic_from_a_file(self, serve: Any, vector: Any, tmp_path: Path) -> None:
        server = serve(lambda asked: vector(({}, AT, "1")))
        file = secret(tmp_path, "pässwort")
        assert opened(server.url, username="ann", password_file=str(file)).reachable() is None
        expected = base64.b64encode("ann:pässwort".encode()).decode()
        assert server.asked[0].headers["Authorization"] == f"Basic {expected}"

    def test_a_token_is_read_anew_each_time(self, serve: Any, vector: Any, tmp_path: Path) -> None:
        server = serve(lambda asked: vector(({}, AT, "1")))
        source = opened(server.url, token_file=str(secret(tmp_path, "one")))
        source.reachable()
        secret(tmp_path, "two")
        source.reachable()
        assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer one", "Bearer two"]

    def test_a_secret_everyone_can_read_is_refused(self, serve: Any, vector: Any, tmp_path: Path) -> None:
        server = serve(lambda asked: vector(({}, AT, "1")))
        why = opened(server.url, token_file=str(secret(tmp_path, "t0ken", 0o644))).reachable() or ""
        assert "everyone on this machine can read" in why
        assert "t0ken" not in why
        assert not server.asked

    def test_a_secret_that_is_not_there_or_not_one_line(self, tmp_path: Path) -> None:
        assert "cannot be read" in (opened("http://127.0.0.1:1", token_file=str(tmp_path / "no")).reachable() or "")
        lines = secret(tmp_path, "one\ntwo")
        assert "one line of text" in (opened("http://127.0.0.1:1", token_file=str(lines)).reachable() or "")

    def test_the_keyring(self, serve: Any, vector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        keyring = pytest.importorskip("keyring")
        monkeypatch.setattr(keyring, "get_password", lambda service, user: {"prom/ann": "pw"}.get(f"{service}/{user}"))
        server = serve(lambda asked: vector(({}, AT, "1")))
        assert opened(server.url, username="ann", keyring="prom/ann").reachable() is None
        assert server.asked[0].headers["Authorization"].startswith("Basic ")
        assert "holds nothing for prom/bob" in (opened(server.url, keyring="prom/bob").reachable() or "")

    @pytest.mark.parametrize(
        ("settings", "word"),
        [
            ({}, "url"),
            ({"url": "http://127.0.0.1:1", "wrong": 1}, "wrong"),
            ({"url": "localhost:9090"}, "not a URL"),
            ({"url": "ftp://127.0.0.1"}, "not a URL"),
            ({"url": "http://127.0.0.1:99999"}, "not a URL"),
            ({"url": "http://127.0.0.1:1/?x=1"}, "no ?query"),
            ({"url": "http://ann:pw@127.0.0.1:1"}, "must not hold credentials"),
            ({"url": "http://127.0.0.1:1", "password": "pw"}, "does not belong into this file"),
            ({"url": "http://127.0.0.1:1", "token": "pw"}, "does not belong into this file"),
            ({"url": "http://127.0.0.1:1", "username": "ann"}, "needs a password_file"),
            ({"url": "http://127.0.0.1:1", "password_file": "x"}, "needs a username"),
            ({"url": "http://127.0.0.1:1", "token_file": "x", "keyring": "a/b"}, "exclude each other"),
            ({"url": "http://prom.example", "token_file": "x"}, "unencrypted"),
            ({"url": "https://prom.example", "insecure_skip_verify": True}, "accept-the-risk"),
            ({"url": "https://prom.example", "insecure_skip_verify": "yes"}, "accept-the-risk"),
            ({"url": "https://prom.example", "cert_file": "x"}, "belong together"),
            ({"url": "https://prom.example", "timeout": "0s"}, "timeout"),
        ],
    )
    def test_settings_that_are_refused(self, settings: Mapping[str, Any], word: str) -> None:
        with pytest.raises(ValidationError) as refused:
            open_source(settings, FixedClock(AT))
        assert word in str(refused.value)
        assert "pw" not in str(refused.value)

    def test_a_risk_in_so_many_words_is_taken(self) -> None:
        opened("http://prom.example", token_file="x", insecure_plain_http="accept-the-risk")
        opened("https://prom.example", insecure_skip_verify="accept-the-risk")


class TestTls:
    @pytest.fixture
    def tls(self, serve: Any, vector: Any, tmp_path: Path) -> tuple[Any, Path]:
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        subprocess.run(command, check=True, capture_output=True)
        server = serve(lambda asked: vector(({}, AT, "1")))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        return server.url.replace("http:", "https:"), certificate

    def test_an_unknown_certificate_is_refused_unless_named(self, tls: tuple[str, Path]) -> None:
        url, certificate = tls
        assert "certificate" in (opened(url).reachable() or "").lower()
        assert opened(url, ca_file=str(certificate)).reachable() is None
        assert opened(url, insecure_skip_verify="accept-the-risk").reachable() is None

    def test_certificate_files_that_cannot_be_used(self, tls: tuple[str, Path], tmp_path: Path) -> None:
        url, _ = tls
        assert "cannot be used" in (opened(url, ca_file=str(tmp_path / "no.pem")).reachable() or "")
        (tmp_path / "key.pem").chmod(0o644)
        both = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
        assert "everyone on this machine can read" in (opened(url, **both).reachable() or "")
