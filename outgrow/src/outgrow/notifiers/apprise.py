"""Messages to chat, mail, phone or a webhook: everything the library ``apprise`` has an address for.

In ``outgrow.yaml`` (an address is a secret, so it is never written there)::

    notify:
    - {kind: apprise, url_file: /etc/outgrow/apprise-urls}    # one address a line, # begins a comment
    - {kind: apprise, name: mail, url_env: OUTGROW_MAIL_URL}  # addresses separated by blanks

The library is imported with the first message, because it is large.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from outgrow.errors import UsageError
from outgrow.ports import Clock, Message, Notifier

_TYPES = {"warning": "warning", "critical": "failure", "resolved": "success"}
_OTHERS_MAY_TOUCH = 0o006


class AppriseConfig(BaseModel):
    """The plugin's own keys: exactly one of ``url_file`` and ``url_env``."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    kind: str = "apprise"
    name: str | None = None
    url_file: Path | None = Field(None, description="File with one address a line; readable by its owner alone.")
    url_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the addresses."
    )

    @model_validator(mode="after")
    def _one_place(self) -> AppriseConfig:
        if (self.url_file is None) == (self.url_env is None):
            raise ValueError("give url_file or url_env, one of the two; an address itself is never written here")
        return self


@dataclass(frozen=True, slots=True)
class AppriseNotifier:
    """One address. ``url`` is a secret: not in ``repr``, not in reasons."""

    name: str
    origin: str
    url: str = field(repr=False)

    def deliver(self, message: Message) -> str | None:
        """None when the receiver took it, else why not, without the address."""
        import apprise

        asset = apprise.AppriseAsset(app_id="outgrow", app_desc="outgrow", app_url="", async_mode=False)
        service = apprise.Apprise(asset=asset)
        with _listening() as said:
            if not service.add(self.url):
                return f"{self.origin} is not an address that apprise knows"
            body = f"{message.body}\n{message.url}" if message.url else message.body
            try:
                taken = service.notify(
                    title=message.title,
                    body=body,
                    notify_type=apprise.NotifyType(_TYPES[message.severity]),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception as error:  # apprise lets its plugins' errors through
                return f"{self.origin}: {type(error).__name__}"
        if taken:
            return None
        return f"{self.origin}: {_without_secrets(said.text, self.url) or 'the receiver did not take it'}"


@dataclass(frozen=True, slots=True)
class AppriseNotifiers:
    """Several addresses. Whoever wants to try again one by one asks for ``parts``."""

    name: str
    parts: tuple[AppriseNotifier, ...]

    def deliver(self, message: Message) -> str | None:
        """None when every receiver took it, else why not."""
        reasons = [reason for part in self.parts if (reason := part.deliver(message)) is not None]
        return "; ".join(reasons) or None


def open_notifier(config: Mapping[str, Any], clock: Clock) -> Notifier:  # noqa: ARG001 - the signature of every factory
    """The notifier for one entry of ``notify`` in the declared file.

    Raises:
        ValidationError: the settings cannot be meant.
        UsageError: there is no address where they point, or others can read it.
    """
    settings = AppriseConfig.model_validate(dict(config))
    name = settings.name or "apprise"
    urls = _from_file(settings.url_file) if settings.url_file else _from_environment(settings.url_env or "")
    addresses = tuple(
        AppriseNotifier(name if place == 1 else f"{name}#{place}", origin, url)
        for place, (origin, url) in enumerate(urls, start=1)
    )
    return addresses[0] if len(addresses) == 1 else AppriseNotifiers(name, addresses)


def _from_file(path: Path) -> Sequence[tuple[str, str]]:
    place = path.expanduser()
    try:
        with place.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS_MAY_TOUCH:
                raise UsageError(
                    f"{place} holds secrets, and others on this machine can read or write it; run: chmod 600 {place}"
                )
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
        raise UsageError(
            f"{place}, which should hold addresses for warnings, cannot be read: {reason}; "
            "write one apprise address a line into it"
        ) from None
    urls = [
        (f"{place}, line {number}", line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.strip().startswith("#")
    ]
    if not urls:
        raise UsageError(f"{place} has no address for warnings; write one apprise address a line into it")
    return urls


def _from_environment(variable: str) -> Sequence[tuple[str, str]]:
    urls = os.environ.get(variable, "").split()
    if not urls:
        raise UsageError(
            f"the environment variable {variable}, which should hold addresses for warnings, is not set; "
            "set it, or use url_file"
        )
    where = f"${variable}"
    return [(where if len(urls) == 1 else f"{where}, address {n}", url) for n, url in enumerate(urls, start=1)]


class _LastWarning(logging.Handler):
    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


@contextmanager
def _listening() -> Iterator[_LastWarning]:
    """Keeps the library's log to itself for a while: its last warning is the reason, and it may hold an address."""
    logger, handler = logging.getLogger("apprise"), _LastWarning(logging.WARNING)
    before = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.propagate = before[0]
        logger.setLevel(before[1])


def _without_secrets(text: str, url: str) -> str:
    """``text`` on one line, cut to 200 characters, without anything that the address holds besides its scheme."""
    parts = urlsplit(url)
    pieces = {piece for piece in re.split(r"[/@:?&=#,;]+", url.removeprefix(f"{parts.scheme}:")) if len(piece) > 2}
    hidden = " ".join(text.split())
    for piece in sorted(pieces | {unquote(piece) for piece in pieces}, key=len, reverse=True):
        hidden = hidden.replace(piece, "…")
    return hidden[:200]
