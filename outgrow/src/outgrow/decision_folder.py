"""The folder of decision records: heads are read, new records written whole, old ones marked as superseded.

In: a folder of Markdown files ``NNNN-….md``. Out: the ``DecisionHead`` of each file with our front matter, and warnings
for those that cannot be read. Files written by hand without a key ``outgrow:`` are counted and left alone.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args

import yaml

from outgrow.decisions.records import DecisionHead, ReopenWhen, Status, Verdict
from outgrow.errors import OutgrowError

HEAD_BYTES = 64 * 1024
"""Front matter longer than this is none of ours."""

MAX_DEPTH = 20

_NAME = re.compile(r"(\d{4,9})-.*\.md", re.DOTALL)
_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_OURS = re.compile(r"^outgrow[ \t]*:", re.MULTILINE)
_TITLE = re.compile(r"^# +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heads:
    """What a folder holds: heads by number, and a warning for each file that could not be read."""

    heads: tuple[DecisionHead, ...] = ()
    warnings: tuple[str, ...] = ()


class FolderRefused(OutgrowError):
    """The folder cannot be written; what was in it is as it was."""


def decision_folder(config: Path, declared: str) -> Path:
    """The declared folder, relative to the declared file."""
    return config.resolve().parent / Path(declared).expanduser()


def shown_path(path: Path) -> str:
    """A path as people type it: relative where it lies below where they are."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def read_heads(folder: Path) -> Heads:
    """The front matter of every record. A broken file is a warning with its name, a missing folder holds nothing."""
    heads: list[DecisionHead] = []
    warnings: list[str] = []
    try:
        found = list(_numbered(folder))
    except OSError as error:
        return Heads(warnings=(f"{shown_path(folder)} cannot be read: {error.strerror}",))
    for number, name in found:
        try:
            head, remark = _head(folder / name, number)
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            warnings.append(f"{name}: {_said(error)}; it is left out")
            continue
        if remark:
            warnings.append(f"{name}: {remark}")
        if head is not None:
            heads.append(head)
    twice = Counter(head.number for head in heads)
    warnings += [f"number {number:04d} stands on {count} records" for number, count in twice.items() if count > 1]
    return Heads(tuple(heads), tuple(warnings))


@dataclass(frozen=True, slots=True)
class DecisionFolder:
    """A folder that records are written to. ``path`` need not be there yet."""

    path: Path

    def heads(self) -> Heads:
        """See ``read_heads``."""
        return read_heads(self.path)

    def numbers(self) -> frozenset[int]:
        """The numbers of all files ``NNNN-….md``, whoever wrote them and whether they can be read or not."""
        try:
            return frozenset(number for number, _ in _numbered(self.path))
        except OSError as error:
            raise _refused(self.path, error) from None

    def write(self, name: str, text: str) -> Path:
        """Write a new record whole or not at all; the folder is made where it is missing. Returns its path.

        Raises:
            FolderRefused: it cannot be written, or a file of that name is there.
        """
        target = self.path / name
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if target.exists() or target.is_symlink():
                raise FileExistsError(errno.EEXIST, "there is a file of that name", str(target))
            _replace(target, text.encode("utf-8"))
        except OSError as error:
            raise _refused(target, error) from None
        return target

    def mark_superseded(self, head: DecisionHead, by: int) -> str:
        """Set ``status`` and ``outgrow.superseded-by`` of a record, and nothing else of it.

        Returns ``""``, or why it was left as it is, in words for the one who can change it by hand.
        """
        path = self.path / head.file
        by_hand = f"write status: superseded by ADR-{by:04d} there by hand"
        try:
            text = path.read_bytes().decode("utf-8")
            changed = _superseded(text, by)
            if changed is None or not _differs_only_in_that(text, changed, by):
                return f"{head.file} was edited so that its status cannot be changed safely; {by_hand}"
            _replace(path, changed.encode("utf-8"), path.stat().st_mode & 0o777)
        except OSError as error:
            return f"{head.file} cannot be written: {error.strerror}; {by_hand}"
        except (ValueError, yaml.YAMLError, RecursionError):
            return f"{head.file} cannot be read any more; {by_hand}"
        return ""


def _numbered(folder: Path) -> Iterator[tuple[int, str]]:
    """Regular files ``NNNN-….md`` as (number, name), by number."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_file())
    except FileNotFoundError:
        return
    yield from sorted((int(name.partition("-")[0]), name) for name in names)


def _head(path: Path, number: int) -> tuple[DecisionHead | None, str]:
    """The head, and a remark or ``""``; no head for a file without our front matter."""
    with path.open("rb") as file:
        raw = file.read(HEAD_BYTES)
    text = raw.decode("utf-8", errors="ignore" if len(raw) == HEAD_BYTES else "strict")
    front = _FRONT.match(text)
    if front is None:
        if text.startswith(("---", "\ufeff---")) and _OURS.search(text):
            raise ValueError("its front matter does not end; it was perhaps not written whole")
        return None, ""
    if not _OURS.search(front[1]):
        return None, ""
    fields = _mapping(front[1])
    ours = fields.get("outgrow")
    if not isinstance(ours, dict):
        raise ValueError("outgrow: is no mapping")
    status, remark = _status(fields.get("status"))
    verdict: Verdict | None = next((one for one in get_args(Verdict) if one == ours.get("verdict")), None)
    if verdict is None:
        raise ValueError(f"outgrow.verdict is {ours.get('verdict')!r}; known are {', '.join(get_args(Verdict))}")
    title = _TITLE.search(text, front.end())
    firing = ours.get("firing-then")
    return DecisionHead(
        number=number,
        file=path.name,
        title=title[1] if title else path.stem,
        point=_text(ours, "point"),
        verdict=verdict,
        option=_text(ours, "option") if ours.get("option") not in (None, "", "null", "~") else None,
        made_on=_date(fields.get("date")),
        status=status,
        digest=_text(ours, "digest"),
        reopen_when=tuple(_conditions(ours.get("reopen-when"))),
        superseded_by=_number(ours.get("superseded-by")),
        firing_then=tuple(str(one) for one in firing) if isinstance(firing, list) else None,
    ), remark


def _mapping(text: str) -> dict[str, Any]:
    """YAML with every scalar as the text it is, so that no ``no`` is a falsehood and no date a surprise."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("its front matter is nested too deeply")
    loaded = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 (it makes texts, lists and mappings only)
    if not isinstance(loaded, dict):
        raise ValueError("its front matter is no mapping")
    return loaded


def _status(value: Any) -> tuple[Status, str]:
    word = str(value or "").strip().lower()
    if word.startswith("superseded"):
        return "superseded", ""
    for status in get_args(Status):
        if word == status:
            return status, ""
    return "proposed", f"its status is {word!r}, taken as proposed; known are {', '.join(get_args(Status))}"


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"outgrow.{key} is missing")
    return value


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(f"its date is {value!r}; write for example 2026-03-01") from None


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else None


def _conditions(value: Any) -> Iterator[ReopenWhen]:
    if value in (None, ""):
        return
    if not isinstance(value, list):
        raise ValueError("outgrow.reopen-when is no list")
    for each in value:
        trigger = each.get("trigger") if isinstance(each, dict) else None
        fact = each.get("fact") if isinstance(each, dict) else None
        if isinstance(trigger, str) and fact is None:
            yield ReopenWhen(trigger=trigger)
        elif isinstance(fact, str) and trigger is None and str(each.get("becomes")).lower() in _ANSWERS:
            yield ReopenWhen(fact=fact, becomes=_ANSWERS[str(each.get("becomes")).lower()])
        else:
            raise ValueError("outgrow.reopen-when holds an entry that is neither {trigger} nor {fact, becomes}")


_ANSWERS = {"yes": True, "true": True, "no": False, "false": False}


def _superseded(text: str, by: int) -> str | None:
    """The text with both values set; None where their lines are not to be found."""
    front = _FRONT.match(text)
    if front is None:
        return None
    end = "\r\n" if "\r\n" in front[0] else "\n"
    head, statuses = re.subn(
        r"^status[ \t]*:[^\r\n]*", f"status: superseded by ADR-{by:04d}", front[1], count=1, flags=re.MULTILINE
    )
    head, marks = re.subn(
        r"^([ \t]+)superseded-by[ \t]*:[^\r\n]*", rf"\g<1>superseded-by: {by}", head, count=1, flags=re.MULTILINE
    )
    if not marks:
        head, marks = re.subn(
            r"^(outgrow[ \t]*:[ \t]*\r?\n)([ \t]+)",
            rf"\g<1>\g<2>superseded-by: {by}{end}\g<2>",
            head,
            count=1,
            flags=re.MULTILINE,
        )
    return text[: front.start(1)] + head + text[front.end(1) :] if statuses and marks else None


def _differs_only_in_that(before: str, after: str, by: int) -> bool:
    """Whether the front matter means the same but for the two values, and these are as they should be."""
    old, new = _meaning(before), _meaning(after)
    wanted = old | {"status": f"superseded by ADR-{by:04d}", "outgrow": old["outgrow"] | {"superseded-by": str(by)}}
    return new == wanted


def _meaning(text: str) -> dict[str, Any]:
    front = _FRONT.match(text)
    fields = _mapping(front[1]) if front else {}
    if not isinstance(fields.get("outgrow"), dict):
        raise ValueError("outgrow: is no mapping")
    return fields


def _replace(target: Path, content: bytes, mode: int | None = None) -> None:
    """Put a file in place whole: what is read is the old one or the new one, also after a crash."""
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _refused(path: Path, error: OSError) -> FolderRefused:
    return FolderRefused(
        f"{shown_path(path)} cannot be written: {error.strerror}; nothing was written",
        next_step="make the folder writable, or name another one with the key decisions in the declared file",
    )


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    if isinstance(error, yaml.MarkedYAMLError):
        line = f", line {error.problem_mark.line + 2}" if error.problem_mark else ""
        return f"its front matter is not YAML{line}: {error.problem or error.context or 'it cannot be parsed'}"
    if isinstance(error, yaml.YAMLError):
        return "its front matter is not YAML"
    return str(error) or "cannot be read"
