"""The search service does real work, tells the truth about it, and never outlives who started it."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outgrow.demo.children import RunningService, running_service
from outgrow.demo.corpus import LEAST_CPU_SECONDS, build_corpus


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("service"), lifetime_seconds=120) as running:
        yield running


def ask(service: RunningService, path: str, method: str = "GET") -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def metrics(service: RunningService) -> dict[str, float]:
    status, body = ask(service, "/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            found[sample.name + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items()))] = sample.value
    return found


def gone(pid: int) -> bool:
    """Whether the process has ended (or waits only to be collected)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    while not gone(pid):  # the suite's own time limit ends a wait that never does
        time.sleep(0.05)


def test_a_search_costs_real_processor_time(service: RunningService) -> None:
    before = metrics(service)
    for number in range(15):
        assert ask(service, f"/search?q=badego+lamo{number}")[0] == 200
    after = metrics(service)
    spent = after["search_cpu_seconds_total"] - before["search_cpu_seconds_total"]
    assert spent / 15 >= LEAST_CPU_SECONDS
    of_process = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    assert of_process >= 0.8 * spent, "the operating system saw that work too"
    assert after["search_wall_seconds_total"] >= after["search_cpu_seconds_total"] * 0.99


def test_metrics_count_what_was_asked(service: RunningService) -> None:
    before = metrics(service)
    for _ in range(3):
        ask(service, "/search?q=kumora")
    ask(service, "/search")
    ask(service, "/nowhere")
    after = metrics(service)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown("http_requests_total code=200 path=/search") == 3
    assert grown("http_requests_total code=400 path=/search") == 1
    assert grown("http_requests_total code=404 path=other") == 1
    assert grown("search_seconds_count") == 3
    assert grown("search_seconds_bucket le=+Inf") == 3
    assert grown("search_seconds_bucket le=0.005") == 0
    assert after["process_resident_memory_bytes"] > 1e7
    assert "registered_users" not in after


def test_buckets_are_dense_from_5_ms_to_30_s(service: RunningService) -> None:
    edges = sorted(
        float(name.partition("le=")[2]) for name in metrics(service) if name.startswith("search_seconds_bucket")
    )
    assert (edges[0], edges[-2]) == (0.005, 30.0)
    assert all(high / low < 1.27 for low, high in itertools.pairwise(edges[:-1]))


def test_metrics_answer_while_searches_wait_and_waiting_counts(service: RunningService) -> None:
    before = metrics(service)
    sockets = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(40)]
    try:
        for one in sockets:
            one.sendall(b"GET /search?q=sofide HTTP/1.1\r\n\r\n")
        during = metrics(service)
        assert during["search_queue_length"] > 0, "answered although searches wait"
        for one in sockets:
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for one in sockets:
            one.close()
    after = metrics(service)
    mean = (after["search_seconds_sum"] - before["search_seconds_sum"]) / 40
    assert mean > 10 * LEAST_CPU_SECONDS, "latency counts from arrival: the last of 40 waited for 39"


def test_what_it_finds_is_what_was_asked_for() -> None:
    corpus = build_corpus(5000, seed=1)
    number, score, text = corpus.search(corpus.text(77))[0]
    assert (number, score, text) == (77, 1.0, corpus.text(77))
    assert [hit[0] for hit in corpus.search("badego lamo")] == [
        hit[0] for hit in build_corpus(5000, seed=1).search("badego lamo")
    ]


def test_wrong_requests_are_answered_kindly(service: RunningService) -> None:
    assert ask(service, "/search?q=a", method="POST")[0] == 405
    assert b"/search?q=words" in ask(service, "/search")[1]
    with closing(socket.create_connection(("127.0.0.1", service.port))) as one:
        one.sendall(b"\x00nonsense\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 404")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_it_listens_on_loopback_only(service: RunningService) -> None:
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{service.port:04X}")}
    assert listening == {f"0100007F:{service.port:04X}"}


def test_it_ends_with_the_block_with_its_parent_and_by_itself(tmp_path: Path) -> None:
    with running_service(tmp_path, passages=100) as running:
        assert not gone(running.pid)
    assert gone(running.pid)

    port_file = tmp_path / "orphan.port"
    script = (
        "import os, subprocess, sys, time, pathlib\n"
        "command = [sys.executable, '-m', 'outgrow.demo.service', '--port-file', sys.argv[1]]\n"
        "command += ['--lifetime', '3600', '--passages', '100']\n"
        "print(subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True).pid, flush=True)\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", script, str(port_file)], capture_output=True, text=True)
    assert parent.returncode == -9
    assert port_file.exists()
    wait_until_gone(int(parent.stdout))

    with running_service(tmp_path, passages=100, lifetime_seconds=0.2) as brief:
        wait_until_gone(brief.pid)
