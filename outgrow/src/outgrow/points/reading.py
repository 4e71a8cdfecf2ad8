"""From the text of ``outgrow.yaml`` to a ``Declaration``, or to every finding at once with its line and column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from outgrow.errors import DeclarationError, Finding, UsageError
from outgrow.points.consistency import contradictions
from outgrow.points.declaration import Declaration

PathParts = tuple[str | int, ...]
MAX_BYTES = 2_000_000


def read_declaration(path: Path) -> Declaration:
    """The declared file at ``path``.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DeclarationError: it is wrong; carries every finding.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", next_step="outgrow init") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise DeclarationError((Finding(str(path), 1, 1, "(file)", f"is larger than {MAX_BYTES:,} bytes"),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DeclarationError((Finding(str(path), line, 1, "(file)", "is not UTF-8 text"),)) from None
    return parse_declaration(text, str(path))


def parse_declaration(text: str, file: str = "outgrow.yaml") -> Declaration:
    """A ``Declaration`` from YAML text; raises ``DeclarationError`` with every finding."""
    root = _compose(text, file)
    duplicates: list[PathParts] = []
    data = _plain(root, (), duplicates)
    findings = [_finding(file, root, path, "stands twice") for path in duplicates]
    try:
        declaration = Declaration.model_validate(data)
    except ValidationError as error:
        wrong = [_path(item["loc"]) for item in error.errors()]
        findings += [
            _finding(file, root, path, _message(item)) for path, item in zip(wrong, error.errors(), strict=True)
        ]
        repaired = _without(data, error)
        findings += [
            _finding(file, root, path, message)
            for path, message in (contradictions(repaired, data) if repaired else ())
            if not any(path[: len(other)] == other[: len(path)] for other in wrong)
        ]
        raise DeclarationError(_ordered(findings)) from None
    findings += [_finding(file, root, path, message) for path, message in contradictions(declaration, data)]
    if findings:
        raise DeclarationError(_ordered(findings))
    return declaration


_STAND_INS: dict[str, Any] = {
    "effort_weeks": [1, 1],
    "monitor_from": 1,
    "complete_before": 10**12,
    "triggers": [{"id": "missing", "kind": "fact"}],
    "signal": "missing",
}


def _without(data: dict[str, Any], error: ValidationError, rounds: int = 5) -> Declaration | None:
    """The declaration with wrong values left out, so that contradictions among the right ones are found as well."""
    patched = deepcopy(data)
    for attempt in range(rounds):
        for number, item in enumerate(error.errors()):
            path = _path(item["loc"])
            place: Any = patched
            keys: list[tuple[dict[str, Any], str]] = []
            for part in path:
                if isinstance(place, dict):
                    keys.append((place, str(part)))
                    place = place.get(str(part))
                elif isinstance(place, list) and isinstance(part, int) and part < len(place):
                    place = place[part]
            if not keys:
                return None
            owner, key = keys[-1]
            owner.pop(key, None)
            if key == "id":
                owner[key] = f"missing-{attempt}-{number}"
            elif item["type"] != "extra_forbidden" and key in _STAND_INS:
                owner[key] = deepcopy(_STAND_INS[key])
        try:
            return Declaration.model_validate(patched)
        except ValidationError as next_error:
            error = next_error
    return None


def locate(text: str, file: str, path: PathParts, message: str) -> Finding:
    """A finding for something a plugin refused later, at the line where ``path`` stands in ``text``."""
    return _finding(file, _compose(text, file), path, message)


def _compose(text: str, file: str) -> Node:
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise DeclarationError((Finding(file, line, column, "(yaml)", error.problem or "is not YAML"),)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise DeclarationError((Finding(file, 1, 1, "(yaml)", f"is not YAML: {error}"),)) from None
    if "*" in text and _has_alias(text):
        raise DeclarationError((Finding(file, 1, 1, "(yaml)", "uses an alias (*name); write the value out"),))
    if not isinstance(root, MappingNode):
        raise DeclarationError((Finding(file, 1, 1, "(file)", "is empty or not a mapping; outgrow init writes one"),))
    return root


def _has_alias(text: str) -> bool:
    return any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text))


def _plain(node: Node, path: PathParts, duplicates: list[PathParts]) -> Any:
    """Plain data from composed nodes; keys that stand twice are added to ``duplicates``."""
    if isinstance(node, MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                duplicates.append((*path, key))
            mapping[key] = _plain(value_node, (*path, key), duplicates)
        return mapping
    if isinstance(node, SequenceNode):
        return [_plain(item, (*path, index), duplicates) for index, item in enumerate(node.value)]
    convert = _SCALARS.get(node.tag or "")
    try:
        return convert(node.value) if convert else str(node.value)
    except ValueError:
        return str(node.value)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() in ("true", "yes", "on"),
    "tag:yaml.org,2002:int": lambda text: int(text.replace("_", ""), 0),
    "tag:yaml.org,2002:float": lambda text: float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")),
}


def _path(location: Sequence[str | int]) -> PathParts:
    return tuple(part for part in location if part not in ("ratio", "answers") or location[-1] == part)


def _message(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "extra_forbidden":
        return "is not a known key"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _finding(file: str, root: Node, path: PathParts, message: str) -> Finding:
    node, mark, walked = root, root.start_mark, 0
    for part in path:
        if isinstance(node, MappingNode):
            entry = next(((k, v) for k, v in node.value if str(k.value) == str(part)), None)
            if entry is None:
                walked += 1
                continue
            node, mark = entry[1], entry[0].start_mark
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        walked += 1
    return Finding(file, mark.line + 1, mark.column + 1, _dotted(path), message)


def _dotted(path: PathParts) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "(file)"


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings), key=lambda f: (f.line, f.column, f.path, f.message)))
