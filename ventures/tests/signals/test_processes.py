"""Who runs is told from who ran: by when a process began."""

import json
import os
from pathlib import Path

import msgspec
import psutil

from ventures.settings import Settings, read
from ventures.signals.api import Processes


def on(data: Path) -> Settings:
    return msgspec.structs.replace(read({}), data=data)


def identity(process: psutil.Process, **more: object) -> dict[str, object]:
    return {"pid": process.pid, "created": process.create_time(), **more}


def written(data: Path, serve: dict[str, object], *children: dict[str, object]) -> None:
    (data / "serve.json").write_text(json.dumps({**serve, "children": children}))


def test_without_a_serve_there_is_this_process_alone(tmp_path: Path) -> None:
    (alone,) = Processes(on(tmp_path)).use()
    assert (alone.kind, alone.pid) == ("api", os.getpid())
    assert alone.resident_bytes > 1_000_000
    assert alone.cpu_seconds > 0


def test_a_number_that_another_process_got_is_not_it(tmp_path: Path) -> None:
    us = psutil.Process()
    parent = us.parent()
    assert parent is not None
    stranger = {**identity(us, kind="worker", number=1), "created": us.create_time() - 60}
    written(tmp_path, identity(parent), identity(us, kind="api", number=2), stranger)
    assert [(one.kind, one.name) for one in Processes(on(tmp_path)).use()] == [("serve", "serve"), ("api", "api-2")]
    written(tmp_path, {**identity(parent), "created": 0.0}, identity(us, kind="api", number=2))
    assert [one.kind for one in Processes(on(tmp_path)).use()] == ["api"]


def test_what_was_found_is_kept_for_a_moment(tmp_path: Path) -> None:
    time = [0.0]
    processes = Processes(on(tmp_path), clock=lambda: time[0])
    first = processes.use()
    time[0] = 1.0
    assert processes.use() is first
    time[0] = 2.0
    assert processes.use() is not first


def test_a_half_written_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "serve.json").write_text('{"pid": ')
    assert len(Processes(on(tmp_path)).use()) == 1
