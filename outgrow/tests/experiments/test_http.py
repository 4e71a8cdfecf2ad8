"""Services are sent the same requests, in an open loop; what they answer is compared, and secrets go nowhere else."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from outgrow.experiments import open_loop as loops
from outgrow.experiments.http import HttpExperiment, open_experiment, open_here
from outgrow.experiments.http_answers import what_counts
from outgrow.experiments.recorded import read_recording
from outgrow.ports import Experiment, ExperimentFailed, Load
from outgrow.testing import FixedClock
from outgrow.testing.experiment_contract import ExperimentContract

REQUESTS = [{"path": f"/search?q={n}"} for n in range(5)]
LOAD = Load(0.4, seed=4, rate_per_second=50.0)


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STEP_SECONDS", 0.1)


@pytest.fixture
def opened() -> Iterator[Callable[..., HttpExperiment]]:
    """Opens experiments over two arms, ``now`` and ``new``; they are closed with the test."""
    made: list[HttpExperiment] = []

    def open_one(now: Any, new: Any, **settings: Any) -> HttpExperiment:
        if "recorded_file" not in settings:
            settings.setdefault("requests", REQUESTS)
        arms = [{"id": "now", "url": now.url}, {"id": "new", "option": "A", "url": new.url}]
        made.append(open_here({"arms": arms, **settings}))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


class TestContract(ExperimentContract):
    @pytest.fixture
    def experiment(self, shop: Any, opened: Any) -> Experiment:
        return opened(shop(), shop(), ids="/items/*/id")  # type: ignore[no-any-return]


def refusal(**settings: Any) -> str:
    arms = [{"id": "now", "url": "http://127.0.0.1:1"}, {"id": "new", "option": "A", "url": "http://127.0.0.1:2/v2"}]
    with pytest.raises(ValidationError) as refused:
        open_experiment({"arms": arms, "requests": REQUESTS, **settings}, FixedClock(0))
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in refused.value.errors())


def test_every_arm_is_sent_the_same_requests(shop: Any, opened: Any) -> None:
    now, new = shop(), shop()
    experiment = opened(now, new)
    for arm in ("now", "new"):
        measured = experiment.run(arm, LOAD)
        assert (measured.sent, measured.dropped) == (20, 0)
        assert measured.throughput_per_second > 10
    assert len(now.seen) == 20 + len(REQUESTS)  # and some to warm connections
    assert sorted(now.paths) == sorted(new.paths)
    experiment.run("now", Load(0.4, seed=5, rate_per_second=50.0))
    assert sorted(now.paths[25:]) != sorted(new.paths)


def test_what_fails_is_dropped(shop: Any, opened: Any) -> None:
    def answer(method: str, path: str) -> Any:
        return (503 if path.endswith("=1") else 200), {}, b"ok"

    measured = opened(shop(), shop(answer)).run("new", LOAD)
    assert 0 < measured.dropped < measured.sent


def test_a_hung_service_drops_and_does_not_hang_us(shop: Any, opened: Any) -> None:
    hold = threading.Event()

    def answer(method: str, path: str) -> Any:
        if path.endswith("=1"):
            hold.wait(20)
        return 200, {}, b"ok"

    measured = opened(shop(), shop(answer), timeout="300ms", in_flight=4).run("new", LOAD)
    hold.set()
    assert measured.dropped > 0
    assert measured.p99_seconds <= 0.3


def test_nobody_there_is_said_with_the_url_and_the_request(opened: Any, shop: Any) -> None:
    gone = shop()
    gone.server.server_close()
    experiment = opened(shop(), gone)
    with pytest.raises(
        ExperimentFailed, match=rf"new \({gone.url}\): GET /search\?q=0: (All connection attempts failed|it broke off)"
    ):
        experiment.prepare("new", lambda text: None)
    measured = experiment.run("new", LOAD)
    assert (measured.sent, measured.dropped, measured.answered) == (20, 20, False)
    assert "(20×)" in measured.why_dropped


def test_prepare_refuses_what_is_answered_with_an_error(opened: Any, shop: Any) -> None:
    experiment = opened(shop(lambda method, path: (401, {}, b"who are you")), shop())
    with pytest.raises(ExperimentFailed, match=r"GET /search\?q=0: status 401"):
        experiment.prepare("now", lambda text: None)


def test_capacity_is_found(opened: Any, shop: Any) -> None:
    capacity = opened(shop(), shop()).capacity("now")
    assert 5 < capacity < 100_000


# Answers


def test_the_same_content_is_the_same_answer_however_it_is_written(opened: Any, shop: Any) -> None:
    def spaced(method: str, path: str) -> Any:
        body = json.dumps(
            {"took_seconds": 9, "path": path, "items": [{"id": f"{path}-{n}"} for n in range(3)]}, indent=2
        )
        return 200, {}, body.encode()

    experiment = opened(shop(), shop(spaced), ignore=["/took_seconds"])
    requests = experiment.requests(1)
    assert [request.text for request in requests] == [f"GET /search?q={n}" for n in range(5)]
    assert experiment.answers("now", requests) == experiment.answers("new", requests)
    strict = opened(shop(), shop(spaced))
    assert strict.answers("now", requests) != strict.answers("new", requests)


def test_ids_are_found_in_order(opened: Any, shop: Any) -> None:
    experiment = opened(shop(), shop(), ids="/items/*/id")
    first = experiment.requests(1)[0]
    assert experiment.answers("now", [first]).by_request == {"1": tuple(f"/search?q=0-{n}" for n in range(3))}
    wrong = opened(shop(), shop(), ids="/hits/*/id")
    with pytest.raises(ExperimentFailed, match="none of 1 answers has an id at /hits/"):
        wrong.answers("now", [first])


def test_requests_that_are_compared_are_different_ones(opened: Any, shop: Any) -> None:
    experiment = opened(shop(), shop(), requests=[*REQUESTS, *REQUESTS], compared=3)
    requests = experiment.requests(1)
    assert len({request.text for request in requests}) == 3
    assert list(requests) == list(experiment.requests(1))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, json_values)
def test_a_digest_differs_exactly_when_content_does(one: Any, other: Any) -> None:
    def digest(value: Any) -> tuple[str, ...]:
        return what_counts(json.dumps(value).encode(), 200, None, ())

    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same


@pytest.mark.parametrize(
    ("pointer", "ids"),
    [
        ("/a/*/id", ("1", "two", "[3]")),
        ("/a/0/id", ("1",)),
        ("/a/9/id", ()),
        ("/b/*", ("x", "y")),
        ("/b/p~1q", ("x",)),
        ("/c/*", ()),
    ],
)
def test_pointers(pointer: str, ids: tuple[str, ...]) -> None:
    body = json.dumps({"a": [{"id": 1}, {"id": "two"}, {"id": [3]}, {"id": None}, 7], "b": {"p/q": "x", "r": "y"}})
    assert what_counts(body.encode(), 200, pointer, ()) == ids


def test_all_members_can_be_ignored() -> None:
    one = what_counts(b'{"items": [{"id": 1, "score": 0.5}, {"id": 2, "score": 0.4}]}', 200, None, ["/items/*/score"])
    assert one == what_counts(b'{"items": [{"id": 1}, {"id": 2}]}', 200, None, ())
    assert what_counts(b"plain", 200, None, ["/x"]) != what_counts(b"plain", 201, None, ["/x"])


# Redirects and secrets


def test_redirects_are_followed_on_the_same_host_alone(shop: Any, opened: Any) -> None:
    other = shop()

    def away(method: str, path: str) -> Any:
        return 302, {"Location": f"{other.url}/search"}, b""

    def within(method: str, path: str) -> Any:
        return (200, {}, b"ok") if path == "/there" else (307, {"Location": "/there"}, b"")

    experiment = opened(shop(away), shop(within))
    experiment.prepare("new", lambda text: None)
    with pytest.raises(ExperimentFailed, match="a redirect to another host"):
        experiment.prepare("now", lambda text: None)
    assert other.seen == []


def test_endless_redirects_end(shop: Any, opened: Any) -> None:
    experiment = opened(shop(lambda method, path: (302, {"Location": path}, b"")), shop())
    with pytest.raises(ExperimentFailed, match="more than 5 redirects"):
        experiment.prepare("now", lambda text: None)


def test_secret_headers_come_from_files_and_the_environment(
    shop: Any, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer s3cret\n\nX-Team: two people\n")
    file.chmod(0o600)
    monkeypatch.setenv("SHOP_KEY", "k3y")
    now = shop()
    experiment = opened(now, shop(), headers_file=str(file), headers_env={"X-Api-Key": "SHOP_KEY"})
    experiment.prepare("now", lambda text: None)
    headers = now.seen[0][2]
    assert (headers["Authorization"], headers["X-Team"], headers["X-Api-Key"]) == ("Bearer s3cret", "two people", "k3y")


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("Authorization: Bearer s3cret", 0o604, "everyone on this machine can read"),
        ("Bearer s3cret", 0o600, "must hold lines such as"),
        ("Host: elsewhere", 0o600, "must hold lines such as"),
        ("X-A: b\x00c", 0o600, "must hold lines such as"),
        (None, 0o600, "cannot be read: No such file"),
    ],
)
def test_a_file_of_secrets_that_cannot_be_used_is_said_without_them(
    shop: Any, opened: Any, tmp_path: Path, text: str | None, mode: int, message: str
) -> None:
    file = tmp_path / "headers"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    experiment = opened(shop(), shop(), headers_file=str(file))
    with pytest.raises(ExperimentFailed, match=message) as failed:
        experiment.prepare("now", lambda text: None)
    assert "s3cret" not in f"{failed.value.message} {failed.value.next_step}"


def test_a_variable_that_is_not_set_is_said(shop: Any, opened: Any) -> None:
    experiment = opened(shop(), shop(), headers_env={"X-Api-Key": "SHOP_KEY_NOT_SET"})
    with pytest.raises(ExperimentFailed, match="SHOP_KEY_NOT_SET, for the header X-Api-Key, is not set"):
        experiment.prepare("now", lambda text: None)


# Settings and recordings


def test_wrong_settings_are_refused_with_what_and_where() -> None:
    assert "requests.0.path: Value error, should be a path" in refusal(requests=[{"path": "search"}])
    assert "requests.0.path" in refusal(requests=[{"path": "//evil.example/x"}])
    assert "requests.0.method" in refusal(requests=[{"path": "/", "method": "BREW"}])
    secret = refusal(requests=[{"path": "/", "headers": {"authorization": "Bearer s3cret"}}])
    assert "requests.0.headers: Value error, authorization: a secret does not belong into this file" in secret
    assert "s3cret" not in secret
    assert "write writes: true" in refusal(requests=[{"path": "/", "method": "POST"}])
    assert "either by requests: or by recorded_file:" in refusal(requests=[])
    assert "ids: says all that is compared" in refusal(ids="/id", ignore=["/took"])
    assert "ids: Value error, should be a JSON pointer" in refusal(ids="items.id")
    assert "in_flight" in refusal(in_flight=5000)
    assert "extra" in refusal(token="x").lower()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://127.0.0.1", "new: not a URL"),
        ("http://ana:s3cret@127.0.0.1", "new: a URL must not hold credentials"),
        ("http://127.0.0.1/?key=s3cret", "no .query"),
        ("http://shop.example", "unencrypted; use https, or write insecure_plain_http: accept-the-risk"),
    ],
)
def test_wrong_urls_are_refused(url: str, message: str) -> None:
    arms = [{"id": "now", "url": "http://127.0.0.1:1"}, {"id": "new", "option": "A", "url": url}]
    with pytest.raises(ValidationError, match=message) as refused:
        open_experiment({"arms": arms, "requests": REQUESTS, "headers_env": {"X-Key": "KEY"}}, FixedClock(0))
    assert "s3cret" not in str(refused.value)


def test_what_writes_is_sent_where_that_is_declared(shop: Any, opened: Any) -> None:
    now = shop()
    body = {"title": "tea"}
    experiment = opened(now, shop(), requests=[{"method": "POST", "path": "/posts", "body": body}], writes=True)
    experiment.prepare("now", lambda text: None)
    method, path, headers, sent = now.seen[0]
    assert (method, path, headers["Content-Type"], json.loads(sent)) == ("POST", "/posts", "application/json", body)


def test_json_lines_are_read_and_mistakes_have_a_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"path": "/a"}\n\n{"method": "POST", "path": "/b", "body": "x"}\n')
    recording = read_recording(file, writes=False)
    assert [request.text for request in recording.requests] == ["GET /a"]
    assert recording.left_out == {"they write, and writes: true is not declared": 1}
    assert len(read_recording(file, writes=True).requests) == 2
    file.write_text('{"path": "/a"}\n{"path": 3}\n')
    with pytest.raises(ValueError, match=r"requests\.jsonl:2: path: Input should be a valid string"):
        read_recording(file, writes=True)
    file.write_text("")
    with pytest.raises(ValueError, match=r"requests\.jsonl has no request that can be sent"):
        read_recording(file, writes=True)


def entry(url: str, status: int = 200, **asked: Any) -> dict[str, Any]:
    headers = [{"name": "Cookie", "value": "s3cret"}, {"name": "Accept", "value": "application/json"}]
    return {"request": {"method": "GET", "url": url, "headers": headers, **asked}, "response": {"status": status}}


def test_a_har_file_gives_what_was_asked_of_the_usual_host_without_its_secrets(tmp_path: Path) -> None:
    encoded = base64.b64encode(b'{"q": 1}').decode()
    entries = [
        entry("https://shop.example/search?q=tea"),
        entry("https://shop.example"),
        entry("https://tracker.example/pixel"),
        entry("https://shop.example/missing", 404),
        entry("https://shop.example/search", method="POST", postData={"text": encoded, "encoding": "base64"}),
        entry("https://shop.example/odd", method="PROPFIND"),
        {"nonsense": 1},
    ]
    file = tmp_path / "session.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    recording = read_recording(file, writes=True)
    assert [request.text for request in recording.requests] == ["GET /search?q=tea", "GET /", "POST /search"]
    assert recording.requests[0].headers == {"Accept": "application/json"}
    assert recording.requests[2].content == b'{"q": 1}'
    assert sum(recording.left_out.values()) == 4


@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | json_values.map(lambda v: json.dumps({"log": v}).encode())
)
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / f"any-{threading.get_ident()}.jsonl"
    file.write_bytes(content)
    try:
        assert read_recording(file, writes=True).requests
    except ValueError as refused:
        assert str(refused)


def test_a_recording_is_told_of_and_sent(shop: Any, opened: Any, tmp_path: Path) -> None:
    now = shop()
    entries = [entry(f"http://old.example/search?q={n}") for n in range(3)] + [entry("http://cdn.example/x.css")]
    file = tmp_path / "session.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    experiment = opened(now, shop(), recorded_file=str(file))
    told: list[str] = []
    experiment.prepare("now", told.append)
    assert told[0] == "1 recorded requests are left out: they went to another host than old.example"
    assert now.paths == [f"/search?q={n}" for n in range(3)]


def test_memory_is_that_of_the_process_and_its_children(shop: Any, own_pid_file: Path) -> None:
    made = shop()
    arms = [
        {"id": "now", "url": made.url, "pid_file": str(own_pid_file)},
        {"id": "new", "option": "A", "url": made.url, "pid_file": str(own_pid_file) + "-not-there"},
    ]
    experiment = open_experiment({"arms": arms, "requests": REQUESTS}, FixedClock(0))
    memory = experiment.footprint("now").memory_bytes
    assert memory is not None
    assert 5e6 < memory < 5e10
    assert experiment.footprint("new").memory_bytes is None


def test_figures_stand_for_triggers_and_requests_have_a_fingerprint(shop: Any, opened: Any) -> None:
    one, other = shop(), shop()
    experiment = opened(one, other, measures={"slow": "p95_seconds", "failing": "answered_ratio"})
    found = experiment.run("new", LOAD)
    assert found.measures == {"slow": found.p95_seconds, "failing": 1.0}
    first = experiment.versions()["requests"]
    assert opened(one, other).versions()["requests"] == first
    assert opened(one, other, requests=[{"path": "/another"}]).versions()["requests"] != first
