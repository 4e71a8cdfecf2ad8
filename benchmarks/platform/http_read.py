"""A signed-in read from the database over HTTP, beside Express 5 doing the same with the same statements.

    python -m benchmarks http-read

GET /v1/ventures/{venture}/items/{item}: session, membership and item (4 kB) from PostgreSQL in one transaction on
the venture, by row-level security. Ours as `ventures serve` runs it (uvicorn, a socket for each process) and under
granian; Express 5 with `pg` under its cluster module; two processes each, eight
connections a process, PostgreSQL, servers and the load generator (autocannon, 64 connections, closed loop) on the
same cores. Rounds are interleaved, one server running at a time; every answer is checked to be 200 and the body to
be the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.platform.running import (
    database,
    durability,
    environment,
    free_port,
    process,
    python,
    settings,
    wait_for,
)
from benchmarks.report import Report, Table, Target, write_report
from ventures.accounts import sql as accounts_sql
from ventures.content import sql as content_sql
from ventures.content.api import DraftItem
from ventures.database.scope import SET_VENTURE
from ventures.identifiers import new_id
from ventures.log.api import Actor
from ventures.tenancy import sql as tenancy_sql
from ventures.tenancy.api import FoundVenture
from ventures.wiring import open_platform

EXPRESS = Path(__file__).with_name("express")
WANTED_RATIO = 0.75
CONNECTIONS = 64
PROCESSES = 2
STATEMENTS = {
    "venture": SET_VENTURE,
    "session": accounts_sql.SESSION_PRESENTED,
    "role": tenancy_sql.STANDING,
    "item": content_sql.ITEM_IN_FULL,
}


def main(arguments: list[str]) -> None:
    """Runs all rounds and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks http-read")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ventures-bench-")))
        _install(folder)
        addresses = stack.enter_context(database())
        path, cookie = asyncio.run(_populated(addresses.app))
        (folder / "statements.json").write_text(json.dumps({name: _numbered(one) for name, one in STATEMENTS.items()}))
        variables = environment(addresses) | {
            "STATEMENTS": str(folder / "statements.json"),
            "CONNECTIONS": "8",
            "PROCESSES": str(PROCESSES),
            "VENTURES_API_PROCESSES": str(PROCESSES),
            "VENTURES_WORKER_PROCESSES": "0",
            "VENTURES_DATA": str(folder / "data"),
            "NODE_ENV": "production",
        }
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(options.rounds):
            for name, command in _servers().items():
                port = free_port()
                with process(
                    [part.replace("{port}", str(port)) for part in command],
                    variables | {"PORT": str(port), "VENTURES_PORT": str(port)},
                    folder if name.startswith("Express") else None,
                ):
                    url = f"http://127.0.0.1:{port}{path}"
                    body = json.loads(wait_for(url, {"Cookie": cookie}))
                    _same(body)
                    _cannon(folder, url, cookie, 3)
                    found.setdefault(name, []).append(one := _cannon(folder, url, cookie, options.seconds))
                print(f"  {name}: {one['per_second']:.0f}/s, p99 {one['p99']:.0f} ms", flush=True)
        _report(found, options.rounds, options.seconds, durability(addresses))


def _servers() -> dict[str, list[str]]:
    granian = ["--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", "--workers", str(PROCESSES)]
    return {
        "ventures serve": python("-m", "ventures.cli", "serve"),
        "ventures, granian": python(
            "-m", "granian", "--factory", "ventures.http.app:application", *granian, "--log-level", "error"
        ),
        "Express 5": ["node", "server.js"],
    }


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json", "server.js"):
        (folder / name).write_bytes((EXPRESS / name).read_bytes())
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


async def _populated(address: str) -> tuple[str, str]:
    """A person, their venture with 1,000 items; → path of one item, cookie of their session."""
    from types import SimpleNamespace

    from ventures.accounts import api as accounts

    addresses = SimpleNamespace(app=address, owner=address)
    async with open_platform(settings(addresses), address) as platform:
        email, password = "reader@example.org", "a password of a benchmark"
        passwords = accounts.Passwords()
        person = await accounts.sign_up(
            platform.database,
            passwords,
            email=email,
            password=password,
            name="Reader",
            now=platform.now(),
            new_id=new_id,
        )
        signed = await accounts.sign_in(
            platform.database, passwords, email=email, password=password, address="127.0.0.1", device="benchmark",
            lasts=timedelta(days=1), now=platform.now(), new_id=new_id,
        )  # fmt: skip
        token, venture, actor = signed.token, new_id(), Actor(account=person.id)
        await platform.spine.append(venture, FoundVenture(name="Read", display_name="Reader"), actor=actor)
        item = None
        for number in range(1000):
            done = await platform.spine.append(
                venture, DraftItem(title=f"Item {number}", body="words " * 650), actor=actor
            )
            item = done.entity
    return f"/v1/ventures/{venture}/items/{item}", f"ventures_session={token}"


def _numbered(statement: str) -> dict[str, object]:
    """%(name)s → $n, and the names in order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return {"text": re.sub(r"%\((\w+)\)s", number, statement), "parameters": names}


def _same(body: dict[str, object]) -> None:
    wanted = {"id", "title", "state", "number", "author", "created_at", "version", "body"}
    if not wanted <= set(body) or body["title"] != "Item 999":
        raise RuntimeError(f"a server answers something else: {sorted(body)}")


def _cannon(folder: Path, url: str, cookie: str, seconds: int) -> dict[str, float]:
    said = subprocess.run(
        ["node", "node_modules/autocannon/autocannon.js", "-c", str(CONNECTIONS), "-d", str(seconds), "-j",
         "-H", f"Cookie: {cookie}", url],
        cwd=folder, check=True, capture_output=True, text=True, env=os.environ,
    ).stdout  # fmt: skip
    found = json.loads(said)
    if found["non2xx"] or found["errors"]:
        raise RuntimeError(f"{found['non2xx']} answers were not 200, {found['errors']} failed")
    return {
        "per_second": found["requests"]["average"],
        "p50": found["latency"]["p50"],
        "p99": found["latency"]["p99"],
        "most": found["latency"]["max"],
    }


def _report(found: dict[str, list[dict[str, float]]], rounds: int, seconds: int, facts: dict[str, str]) -> None:
    peer = [one["per_second"] for one in found["Express 5"]]
    rows, ratio = [], {}
    for name, several in found.items():
        rates = [one["per_second"] for one in several]
        ratios = [mine / theirs for mine, theirs in zip(rates, peer, strict=True)]
        ratio[name] = statistics.median(ratios)
        rows.append(
            (
                name,
                round(statistics.median(rates)),
                f"{min(rates):.0f} – {max(rates):.0f}",
                round(ratio[name], 2),
                f"{min(ratios):.2f} – {max(ratios):.2f}",
                statistics.median(one["p50"] for one in several),
                statistics.median(one["p99"] for one in several),
                max(one["most"] for one in several),
            )
        )
    serve_p99, granian_p99 = (
        statistics.median(one["p99"] for one in found[server]) for server in ("ventures serve", "ventures, granian")
    )
    write_report(
        Report(
            name="http-read",
            title="A signed-in read over HTTP, beside Express 5",
            command=f"python -m benchmarks http-read --rounds {rounds} --seconds {seconds}",
            tables=(
                Table(
                    "GET an item",
                    ("server", "requests/s, middle", "least – most", "× Express, middle of rounds", "least – most",
                     "p50 ms", "p99 ms", "most ms"),
                    tuple(rows),
                    (f"{rounds} rounds of {seconds} s, {CONNECTIONS} connections, {PROCESSES} processes each.",),
                ),
            ),
            targets=(
                Target("× Express 5, as serve runs it (aim: parity)", ratio["ventures serve"], low=WANTED_RATIO),
                Target("p99 of granian ÷ p99 of serve", granian_p99 / serve_p99),
            ),
            facts=facts,
            packages=("litestar", "uvicorn", "granian", "psycopg"),
        )
    )  # fmt: skip
