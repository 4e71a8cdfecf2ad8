"""The built-in notifier against a real receiver, and what it does with secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from outgrow.errors import UsageError
from outgrow.notifiers.apprise import AppriseNotifiers, _without_secrets, open_notifier
from outgrow.ports import Message
from outgrow.testing import FixedClock

MESSAGE = Message(
    "p/t/warning/1", "Warning: search is slow", "line one\nline <two> & *three*", "warning", "https://x.test/r"
)


def secret_file(folder: Path, *lines: str, mode: int = 0o600) -> Path:
    path = folder / "urls"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(mode)
    return path


def test_a_message_arrives_as_it_was_written(receivers: Callable[[], Any], tmp_path: Path) -> None:
    receiver = receivers()
    notifier = open_notifier({"url_file": str(secret_file(tmp_path, "# chat", "", receiver.url))}, FixedClock(0))
    assert notifier.deliver(MESSAGE) is None
    (taken,) = receiver.taken
    assert taken["title"] == MESSAGE.title
    assert taken["message"] == f"{MESSAGE.body}\n{MESSAGE.url}"
    assert taken["type"] == "warning"


def test_a_refusal_is_a_reason_that_holds_no_secret(
    receivers: Callable[[], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receivers()
    receiver.answers = [500]
    notifier = open_notifier({"url_file": str(secret_file(tmp_path, receiver.url))}, FixedClock(0))
    reason = notifier.deliver(MESSAGE)
    assert reason is not None
    assert "line 1" in reason
    assert "500" in reason
    assert "".join(capfd.readouterr()) + caplog.text == "", "the library's own log may hold an address"
    for secret in ("s3cr3t-word", "hook-t0ken", "someone"):
        assert secret not in reason + repr(notifier)


@pytest.mark.parametrize(
    ("url", "log"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "rejected TIiajkdnlazkcOXrIdevi7FQ of T1JJ3T3L2"),
        ("mailto://ann:p%40ss@mail.test?to=bob@mail.test", "login as ann with p@ss (p%40ss) at\nmail.test refused"),
    ],
)
def test_a_reason_holds_nothing_of_the_address(url: str, log: str) -> None:
    hidden = _without_secrets(log, url)
    for secret in ("TIiajkdnlazkcOXrIdevi7FQ", "T1JJ3T3L2", "p@ss", "p%40ss", "mail.test", "ann "):
        assert secret not in hidden
    assert len(_without_secrets("x" * 1000, url)) == 200


def test_a_receiver_that_is_not_there_is_a_reason(receivers: Callable[[], Any], tmp_path: Path) -> None:
    receiver = receivers()
    receiver.server.server_close()
    reason = open_notifier({"url_file": str(secret_file(tmp_path, receiver.url))}, FixedClock(0)).deliver(MESSAGE)
    assert reason is not None
    assert "s3cr3t-word" not in reason


def test_an_unknown_kind_of_address_is_a_reason(tmp_path: Path) -> None:
    reason = open_notifier({"url_file": str(secret_file(tmp_path, "nosuch://s3cr3t"))}, FixedClock(0)).deliver(MESSAGE)
    assert reason is not None
    assert "not an address" in reason
    assert "s3cr3t" not in reason


def test_addresses_come_from_the_environment(receivers: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = receivers(), receivers()
    monkeypatch.setenv("WARN_URLS", f"{one.url}\n{two.url}")
    notifier = open_notifier({"url_env": "WARN_URLS", "name": "chat"}, FixedClock(0))
    assert isinstance(notifier, AppriseNotifiers)
    assert [part.name for part in notifier.parts] == ["chat", "chat#2"]
    two.answers = [503]
    reason = notifier.deliver(MESSAGE)
    assert reason is not None
    assert "$WARN_URLS, address 2" in reason
    assert one.titles == [MESSAGE.title]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_file_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, "json://x", mode=mode)
    with pytest.raises(UsageError, match="chmod 600"):
        open_notifier({"url_file": str(path)}, FixedClock(0))


def test_a_file_is_named_when_it_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        open_notifier({"url_file": str(tmp_path / "missing")}, FixedClock(0))
    with pytest.raises(UsageError, match="has no address"):
        open_notifier({"url_file": str(secret_file(tmp_path, "# nothing"))}, FixedClock(0))
    with pytest.raises(UsageError, match="not set"):
        open_notifier({"url_env": "OUTGROW_SURELY_NOT_SET"}, FixedClock(0))
    assert "OUTGROW_SURELY_NOT_SET" not in os.environ


@pytest.mark.parametrize(
    "config",
    [{}, {"url_file": "a", "url_env": "B"}, {"url": "json://secret"}, {"url_env": "json://secret"}],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_read(config: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        open_notifier(config, FixedClock(0))
