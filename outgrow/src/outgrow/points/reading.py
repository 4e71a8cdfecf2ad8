"""From the text of ``outgrow.yaml`` to a ``Declaration``, or to every finding at once with its line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from outgrow.errors import DeclarationError, Finding, UsageError
from outgrow.points.consistency import contradictions
from outgrow.points.declaration import Declaration, Plugin

PathParts = tuple[str | int, ...]
MAX_BYTES = 2_000_000
MAX_DEPTH = 50
"""A declared file needs seven levels; composing thousands would exhaust the stack."""


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
        said = _said(error)
        wrong = [path for path, _ in said]
        findings += [_finding(file, root, path, _message(item)) for path, item in said]
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


def declared_kinds(path: Path) -> list[tuple[str, PathParts, str]]:
    """(group of plugins, place, kind) of experiments and movers, also in a file that is wrong elsewhere."""
    try:
        data = _plain(_compose(path.read_text(encoding="utf-8-sig"), str(path)), (), [])
    except (OSError, ValueError, DeclarationError):
        return []
    found: list[tuple[str, PathParts, str]] = []
    points = data.get("points")
    for index, point in enumerate(points if isinstance(points, list) else ()):
        for group, where in _KINDS:
            value: Any = point
            for part in where:
                value = value.get(part) if isinstance(value, dict) else None
            if isinstance(value, str):
                found.append((group, ("points", index, *where), value))
    return found


_KINDS = (
    ("outgrow.experiments", ("experiment", "kind")),
    ("outgrow.movers", ("migration", "mover", "kind")),
    ("outgrow.experiments", ("validation", "workload", "kind")),
)


def well_formed_plugins(path: Path) -> dict[str, list[tuple[int, Plugin]]]:
    """The entries of ``sources`` and ``notify``, with their places, that can be read in a file wrong elsewhere."""
    entries: dict[str, list[tuple[int, Plugin]]] = {"sources": [], "notify": []}
    try:
        data = _plain(_compose(path.read_text(encoding="utf-8-sig"), str(path)), (), [])
    except (OSError, ValueError, DeclarationError):
        return entries
    for key, found in entries.items():
        for index, entry in enumerate(data[key] if isinstance(data.get(key), list) else ()):
            try:
                found.append((index, Plugin.model_validate(entry)))
            except ValidationError:  # found with the rest of the file
                continue
    return entries


def refusals(error: ValidationError) -> list[tuple[PathParts, str]]:
    """What a plugin's settings were refused for, as (path, message), without echoes."""
    return [(tuple(item["loc"]), _message(item)) for item in _without_echoes(error, tuple)]


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
        for number, (path, item) in enumerate(_said(error)):
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
            if key == "id" or (key == "kind" and path[0] in ("sources", "notify")):
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


class _CoreSchemaLoader(yaml.CSafeLoader):
    """The C loader with the scalars of YAML 1.2's core schema: ``on`` and ``1:30`` are texts."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the loader's own way to begin with none


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+.0123456789")),
):
    _CoreSchemaLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


def _compose(text: str, file: str) -> yaml.Node:
    try:
        _refuse_depth(text, file)
        root = yaml.compose(text, Loader=_CoreSchemaLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise DeclarationError((Finding(file, line, column, "(yaml)", error.problem or "is not YAML"),)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DeclarationError((Finding(file, 1, 1, "(yaml)", f"is not YAML: {error}"),)) from None
    if not isinstance(root, yaml.MappingNode):
        raise DeclarationError((Finding(file, 1, 1, "(file)", "is empty or not a mapping; outgrow init writes one"),))
    _refuse_aliases(root, file, set())
    return root


def _refuse_depth(text: str, file: str) -> None:
    """Events come one by one, whatever the depth; nodes are composed by recursion in C, which ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_CoreSchemaLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            message = f"is nested too deeply: more than {MAX_DEPTH} levels"
            raise DeclarationError((Finding(file, line, column, "(yaml)", message),))


def _refuse_aliases(node: yaml.Node, file: str, seen: set[int]) -> None:
    """An alias is the same node twice; a file of a few lines could stand for gigabytes."""
    if id(node) in seen:
        mark = node.start_mark
        finding = Finding(
            file, mark.line + 1, mark.column + 1, "(yaml)", "is used by an alias (*name); write the value out"
        )
        raise DeclarationError((finding,))
    seen.add(id(node))
    for child in node.value if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) else ():
        for each in child if isinstance(child, tuple) else (child,):
            _refuse_aliases(each, file, seen)


def _plain(node: yaml.Node, path: PathParts, duplicates: list[PathParts]) -> Any:
    """Plain data from composed nodes; keys that stand twice are added to ``duplicates``."""
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                duplicates.append((*path, key))
            mapping[key] = _plain(value_node, (*path, key), duplicates)
        return mapping
    if isinstance(node, yaml.SequenceNode):
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


def _said(error: ValidationError) -> list[tuple[PathParts, Any]]:
    """What was found, by path."""
    return [(_path(item["loc"]), item) for item in _without_echoes(error, _path)]


def _without_echoes(error: ValidationError, path_of: Callable[[Sequence[str | int]], PathParts]) -> list[Any]:
    """A list counts as too short when one of its items is wrong; that echo is left out."""
    said = [(path_of(item["loc"]), item) for item in error.errors()]
    return [
        item
        for path, item in said
        if item["type"] != "too_short" or not any(other != path and other[: len(path)] == path for other, _ in said)
    ]


def _path(location: Sequence[str | int]) -> PathParts:
    """The place in the file: without the names validation adds for the chosen rule, members of unions, and keys."""
    kept: list[str | int] = []
    for index, part in enumerate(location):
        in_rule = index == 3 and location[0] == "points" and location[2] == "rule"
        in_money = location[0] in ("points", "costs") and index > 0 and location[index - 1] in _MONEY
        if not in_rule and part != "[key]" and (not in_money or part in _MONEY):
            kept.append(part)
    return tuple(kept)


_MONEY = ("monthly_cost", "monthly_now", "fixed", "per_user")


def _message(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "extra_forbidden":
        return "is not a known key"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _finding(file: str, root: yaml.Node, path: PathParts, message: str) -> Finding:
    node, mark, walked = root, root.start_mark, 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if str(k.value) == str(part)), None)
            if entry is None:
                walked += 1
                continue
            node, mark = entry[1], entry[0].start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
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
