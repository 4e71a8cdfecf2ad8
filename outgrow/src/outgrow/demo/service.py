"""A small search service with real work and real metrics: ``python -m outgrow.demo.service --port 0 --port-file FILE``.

It answers ``GET /search?q=words`` and ``GET /metrics`` on 127.0.0.1. One thread searches, at least 5 ms of processor
time each, and requests wait for it in a queue: near its capacity the latency bends upwards as that of any single
server does. ``/metrics`` is answered beside that queue. It stops by itself when its parent dies and after a while.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from outgrow.demo.corpus import Corpus, build_corpus, calibrated_corpus

HOST = "127.0.0.1"
MOST_WAITING = 2000
HEAD_BYTES = 8192
IDLE_SECONDS = 60.0
# 5 ms to 30 s in steps of a quarter: a quantile read from them is at most an eighth off.
BUCKETS = (*(round(0.005 * 1.25**step, 6) for step in range(39)), 30.0)
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@dataclass(slots=True)
class Meters:
    """What the service tells about itself, in a registry of its own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    seconds: Histogram = field(init=False)
    requests: Counter = field(init=False)
    cpu: Counter = field(init=False)
    wall: Counter = field(init=False)
    waiting: Gauge = field(init=False)

    def __post_init__(self) -> None:
        own = self.registry
        self.seconds = Histogram(
            "search_seconds", "From arrival to answer, queueing included.", buckets=BUCKETS, registry=own
        )
        self.requests = Counter("http_requests", "Answered requests.", ("path", "code"), registry=own)
        self.cpu = Counter("search_cpu_seconds", "Processor time spent searching.", registry=own)
        self.wall = Counter("search_wall_seconds", "Time that passed while searching.", registry=own)
        self.waiting = Gauge("search_queue_length", "Searches that arrived and are not answered.", registry=own)
        ProcessCollector(registry=own)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    code: int
    body: bytes
    content_type: str = "application/json"


@dataclass(slots=True)
class SearchService:
    """The service: one searching thread behind a queue, meters beside it."""

    corpus: Corpus
    meters: Meters = field(default_factory=Meters)
    searcher: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="search"))
    waiting: int = 0

    def _search(self, query: str) -> list[tuple[int, float, str]]:
        started, started_cpu = time.perf_counter(), time.thread_time()
        hits = self.corpus.search(query)
        self.meters.cpu.inc(time.thread_time() - started_cpu)
        self.meters.wall.inc(time.perf_counter() - started)
        return hits

    async def search(self, query: str, arrived: float) -> Answer:
        """Queue one search; ``arrived`` (``time.perf_counter``) is where its latency starts."""
        if self.waiting >= MOST_WAITING:
            return Answer(503, b'{"error": "too many searches are waiting"}\n')
        self.waiting += 1
        self.meters.waiting.set(self.waiting)
        try:
            hits = await asyncio.get_running_loop().run_in_executor(self.searcher, self._search, query)
        finally:
            self.waiting -= 1
            self.meters.waiting.set(self.waiting)
        self.meters.seconds.observe(time.perf_counter() - arrived)
        found = [{"passage": number, "score": round(score, 3), "text": text} for number, score, text in hits]
        return Answer(200, json.dumps({"query": query, "hits": found}).encode() + b"\n")

    async def answer(self, method: str, target: str, accept: str, arrived: float) -> Answer:
        """The answer to one request."""
        url = urlsplit(target)
        if url.path not in ("/search", "/metrics"):
            return Answer(404, b'{"error": "there is /search?q=words and /metrics"}\n')
        if method != "GET":
            return Answer(405, b'{"error": "only GET"}\n')
        if url.path == "/metrics":
            encode, content_type = choose_encoder(accept)
            return Answer(200, encode(self.meters.registry), content_type)
        query = parse_qs(url.query).get("q", [""])[0].strip()
        if not query:
            return Answer(400, b'{"error": "say what to search for: /search?q=words"}\n')
        return await self.search(query[:500], arrived)

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after the other, until it is closed or idle."""
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                arrived = time.perf_counter()
                lines = head.decode("latin-1").split("\r\n")
                method, target, *_ = [*lines[0].split(" "), "", ""]
                headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
                answer = await self.answer(method, target, headers.get("accept", ""), arrived)
                self.meters.requests.labels(_known(target), str(answer.code)).inc()
                close = headers.get("connection", "").lower() == "close"
                writer.write(_head(answer, close=close) + answer.body)
                await writer.drain()
                if close:
                    return
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return
        finally:
            writer.close()


def _known(target: str) -> str:
    path = target.partition("?")[0]
    return path if path in ("/search", "/metrics") else "other"


def _head(answer: Answer, *, close: bool) -> bytes:
    return (
        f"HTTP/1.1 {answer.code} {REASONS[answer.code]}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n"
    ).encode()


async def serve(service: SearchService, *, port: int, port_file: Path | None, parent: int, lifetime: float) -> None:
    """Serve on ``HOST`` until told to stop, until process ``parent`` is gone, or for ``lifetime`` seconds.

    The port actually used is written to ``port_file`` once requests are answered.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await asyncio.start_server(service.serve_connection, HOST, port, limit=HEAD_BYTES, backlog=1024)
    if port_file is not None:
        part = port_file.with_name(f".{port_file.name}.part")
        part.write_text(f"{server.sockets[0].getsockname()[1]}\n")
        part.replace(port_file)
    deadline = time.monotonic() + lifetime
    while os.getppid() == parent and time.monotonic() < deadline and not stop.is_set():
        try:
            async with asyncio.timeout(0.5):
                await stop.wait()
        except TimeoutError:
            continue
    server.close()
    service.searcher.shutdown(wait=False, cancel_futures=True)


def main() -> None:
    """Entry point of ``python -m outgrow.demo.service``."""
    parser = argparse.ArgumentParser(prog="python -m outgrow.demo.service", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--port-file", type=Path, help="where to write the chosen port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--passages", type=int, help="size of the corpus; left out: until a search costs enough")
    parser.add_argument("--lifetime", type=float, default=600.0, help="seconds after which it stops by itself")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process with which it ends")
    chosen = parser.parse_args()
    corpus = build_corpus(chosen.passages, chosen.seed) if chosen.passages else calibrated_corpus(chosen.seed)
    life = {"port": chosen.port, "port_file": chosen.port_file, "parent": chosen.parent, "lifetime": chosen.lifetime}
    asyncio.run(serve(SearchService(corpus), **life))


if __name__ == "__main__":
    main()
