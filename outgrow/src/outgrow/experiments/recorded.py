"""Requests as they are declared or recorded: JSON lines of the same keys, or a HAR file of a browser or a proxy."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

SAFE = ("GET", "HEAD", "OPTIONS")
SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token")
)
MOST_BYTES = 256_000_000
MOST_RECORDED = 100_000
_KEPT_HEADERS = ("accept", "accept-language", "content-type")


def _path(path: str) -> str:
    if not path.startswith("/") or path.startswith("//") or "#" in path or any(ord(each) <= 32 for each in path):
        raise ValueError("should be a path on the service, with what follows ?, such as /search?q=tea")
    return path


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in SECRET_HEADERS:
            raise ValueError(f"{name}: a secret does not belong into this file; use headers_file or headers_env")
        if not sendable(name, value):
            raise ValueError(f"{name!r} is no header that can be sent")
    return headers


def sendable(name: str, value: str) -> bool:
    """Whether a header can be sent as it is, and leaves the request's frame alone."""
    token = bool(name) and all(each.isascii() and (each.isalnum() or each in "!#$%&'*+-.^_`|~") for each in name)
    framing = name.lower() in ("host", "content-length", "transfer-encoding", "connection")
    return token and not framing and value.isascii() and value.isprintable()


class DeclaredRequest(BaseModel):
    """One request, without the host."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, Field(max_length=20_000), AfterValidator(_path)]
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = {}
    body: str | dict[str, Any] | list[Any] | None = Field(None, description="Text, or what is sent as JSON.")

    @property
    def content(self) -> bytes | None:
        """The body's bytes."""
        if self.body is None or isinstance(self.body, str):
            return None if self.body is None else self.body.encode()
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def sent_headers(self) -> dict[str, str]:
        """With the content type of a body that is sent as JSON."""
        typed = any(name.lower() == "content-type" for name in self.headers)
        if typed or self.body is None or isinstance(self.body, str):
            return dict(self.headers)
        return {**self.headers, "Content-Type": "application/json"}

    @property
    def text(self) -> str:
        """As people are told of it."""
        return f"{self.method} {self.path}"[:200]


@dataclass(frozen=True)
class Recording:
    """What a file has. ``left_out``: why others of its requests are not sent → how many."""

    requests: tuple[DeclaredRequest, ...]
    left_out: Mapping[str, int]

    @cached_property
    def fingerprint(self) -> str:
        """Stands for the requests, and their order."""
        found = hashlib.blake2b(digest_size=8)
        for request in self.requests:
            found.update(request.model_dump_json().encode() + b"\n")
        return found.hexdigest()


def read_recording(path: Path, *, writes: bool) -> Recording:
    """The requests in a file, in their order.

    Headers of a HAR file other than those of content and language are left behind: they hold the secrets of whoever
    recorded it. Of its hosts, the one asked most often counts.

    Raises:
        ValueError: it cannot be read, or nothing of it can be sent.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB; record less")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as failed:
        raise ValueError(f"{path} cannot be read: {failed.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8") from None
    har = _har(text)
    found, left_out = list[DeclaredRequest](), Counter[str]()
    for request in _lines(text, path.name) if har is None else _entries(har, path.name, left_out):
        if len(found) >= MOST_RECORDED:
            left_out[f"beyond the first {MOST_RECORDED:,}"] += 1
        elif request.method in SAFE or writes:
            found.append(request)
        else:
            left_out["they write, and writes: true is not declared"] += 1
    if not found:
        reasons = "; ".join(f"{reason} ({number})" for reason, number in left_out.items())
        raise ValueError(f"{path.name} has no request that can be sent{': ' if reasons else ''}{reasons}")
    return Recording(tuple(found), dict(left_out))


def _har(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    log = whole.get("log") if isinstance(whole, dict) else None
    return log if isinstance(log, dict) else None


def _lines(text: str, name: str) -> Iterator[DeclaredRequest]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield DeclaredRequest.model_validate_json(line)
        except ValidationError as error:
            said = error.errors()[0]
            where = ".".join(map(str, said["loc"]))
            message = said["msg"].removeprefix("Value error, ")
            raise ValueError(f"{name}:{number}: {where + ': ' if where else ''}{message}") from None


def _entries(log: dict[str, Any], name: str, left_out: Counter[str]) -> Iterator[DeclaredRequest]:
    entries = log.get("entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{name}: log.entries is no list of requests, so this is no HAR file")
    hosts = Counter(urlsplit(_asked(entry).get("url", "")).netloc for entry in entries)
    usual = hosts.most_common(1)[0][0] if hosts else ""
    for entry in entries:
        asked, answer = _asked(entry), entry.get("response")
        url = urlsplit(asked.get("url", ""))
        status = answer.get("status") if isinstance(answer, dict) else None
        if url.netloc != usual:
            left_out[f"they went to another host than {usual}"] += 1
        elif isinstance(status, int) and not 200 <= status < 400:
            left_out["they were not answered well when they were recorded"] += 1
        else:
            try:
                yield _from_har(asked, f"{url.path or '/'}{'?' + url.query if url.query else ''}")
            except ValueError:
                left_out["they cannot be sent as they were recorded"] += 1


def _asked(entry: dict[str, Any]) -> dict[str, Any]:
    asked = entry.get("request")
    return asked if isinstance(asked, dict) and isinstance(asked.get("url"), str) else {}


def _from_har(asked: dict[str, Any], path: str) -> DeclaredRequest:
    headers = {
        each["name"]: each["value"]
        for each in asked.get("headers") or ()
        if isinstance(each, dict) and str(each.get("name", "")).lower() in _KEPT_HEADERS
    }
    posted = asked.get("postData")
    body = posted.get("text") if isinstance(posted, dict) else None
    if body is not None and isinstance(posted, dict) and posted.get("encoding") == "base64":
        body = base64.b64decode(body, validate=True).decode()
    return DeclaredRequest(method=asked.get("method", "GET"), path=path, headers=headers, body=body)
