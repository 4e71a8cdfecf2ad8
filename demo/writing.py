"""Somebody who writes while everything moves, and keeps account of what was acknowledged."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from demo.telling import Failed

ANSWER_SECONDS = 20.0
AT_ONCE = 40
"""Items that one search is narrowed to."""
FOUND_SECONDS = 45.0
QUESTION = "what was promised while the index moved"


@dataclass
class Writer:
    """Drafts items in the ventures of a person, one after the other. kept: venture → ids that were acknowledged."""

    url: str
    email: str
    password: str
    pause_seconds: float = 0.2
    kept: dict[str, list[str]] = field(default_factory=dict)
    refused: int = 0
    longest_seconds: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _headers: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Signs in and begins. Raises: Failed."""
        with self._client() as client:
            answer = client.post("/v1/sessions", json={"email": self.email, "password": self.password})
            if answer.status_code != 201:
                raise Failed(f"the writer cannot sign in: {answer.text[:300]}")
            cookie = answer.headers["set-cookie"].partition(";")[0]
            self._headers = {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]}
            told = client.get("/v1/ventures", headers=self._headers).json()
            may = [one["venture"]["id"] for one in told["items"] if one["role"] in ("owner", "manager", "author")]
        if not may:
            raise Failed("the writer has no venture to write in")
        self.kept = {venture: [] for venture in may}
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """How many were acknowledged so far."""
        return sum(len(ids) for ids in self.kept.values())

    def stop(self) -> None:
        """Ends after what is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def missing(self) -> tuple[list[str], list[str], dict[str, int]]:
        """Of the acknowledged items: those that are not there, those that the index does not find by their meaning, and
        who answered the searches, how often. The index is given some seconds to hear of the last ones.
        """
        gone: list[str] = []
        not_found: list[str] = []
        by: dict[str, int] = {}
        with self._client() as client:
            for venture, ids in self.kept.items():
                items = f"/v1/ventures/{venture}/items"
                gone += [one for one in ids if client.get(f"{items}/{one}", headers=self._headers).status_code != 200]
                for first in range(0, len(ids), AT_ONCE):
                    part = ids[first : first + AT_ONCE]
                    not_found += self._unfound(client, venture, part, by)
        return gone, not_found, by

    def _unfound(self, client: httpx2.Client, venture: str, ids: list[str], by: dict[str, int]) -> list[str]:
        until = time.monotonic() + FOUND_SECONDS
        while True:
            asked: dict[str, str | int | list[str]] = {"q": QUESTION, "item": ids, "limit": 100, "explain": "true"}
            answer = client.get(f"/v1/ventures/{venture}/search", params=asked, headers=self._headers)
            told: dict[str, Any] = {"items": [], "answered_by": "nobody"}
            if answer.status_code == 200:
                told = answer.json()
            near = {hit["item"] for hit in told["items"] if (hit["reason"] or {}).get("vector_rank") is not None}
            left = [item for item in ids if item not in near]
            if (not left and told["answered_by"] == "index") or time.monotonic() > until:
                by[told["answered_by"]] = by.get(told["answered_by"], 0) + 1
                return left
            time.sleep(0.5)

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=ANSWER_SECONDS, trust_env=False)

    def _write(self) -> None:
        number = 0
        with self._client() as client:
            while not self._stop.is_set():
                for venture in self.kept:
                    number += 1
                    self._one(client, venture, number)
                    if self._stop.wait(self.pause_seconds):
                        return

    def _one(self, client: httpx2.Client, venture: str, number: int) -> None:
        """Counted once it was acknowledged, and only then."""
        began = time.monotonic()
        words = f"Promise {number}. What was promised while the index moved is kept: this text is number {number}."
        with suppress(httpx2.HTTPError):
            answer = client.post(
                f"/v1/ventures/{venture}/items",
                json={"title": f"Promise {number}", "body": words},
                headers={**self._headers, "Idempotency-Key": uuid4().hex},
            )
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
            if answer.status_code == 201:
                self.kept[venture].append(str(answer.json()["id"]))
                return
        self.refused += 1
