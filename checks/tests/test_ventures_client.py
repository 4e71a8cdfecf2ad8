"""The client has every operation of the API, knows the forms of its schemas, and an old one is found."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from checks import ventures_client
from checks.ventures_client import FOLDER, Api, document, files, formatted, outdated
from ventures.client import Client

REF = "#/components/schemas/"


def small(schemas: dict[str, Any], **operation: Any) -> Api:
    """A document with one operation."""
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": f"{REF}{next(iter(schemas))}"}}}}}
    what = {"operationId": "do_it", "tags": ["some things"], "responses": answer, **operation}
    return Api({"paths": {"/v1/{class}/x": {"get": what}}, "components": {"schemas": schemas}})


def test_every_operation_is_a_method_of_the_client() -> None:
    wanted = {
        operation["operationId"]
        for path in document()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }
    with Client() as client:
        groups = [group for name, group in vars(client).items() if not name.startswith("_")]
        methods = [name for group in groups for name, _ in inspect.getmembers(group, inspect.ismethod)]
    assert sorted(name for name in methods if not name.startswith("_")) == sorted(wanted)


def test_an_old_client_is_found_and_the_written_one_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = files()
    monkeypatch.setattr(ventures_client, "files", lambda: made)
    assert len(list(outdated(tmp_path))) == 2
    (tmp_path / FOLDER).mkdir(parents=True)
    for name, text in made.items():
        (tmp_path / FOLDER / name).write_text(text, encoding="utf-8")
    assert list(outdated(tmp_path)) == []
    (tmp_path / FOLDER / "records.py").write_text("#" + made["records.py"], encoding="utf-8")
    assert [finding.partition(":")[0] for finding in outdated(tmp_path)] == [str(FOLDER / "records.py")]


def test_forms_of_schemas_become_annotations() -> None:
    fields = {
        "id": {"type": "string", "format": "uuid"},
        "at": {"oneOf": [{"type": "null"}, {"type": "string", "format": "date-time"}]},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "one": {"const": 1},
        "many": {"type": "array", "items": {"type": ["null", "integer"]}},
        "by_name": {"type": "object", "additionalProperties": {"$ref": f"{REF}house.a.Inner"}},
        "free": {"type": "object", "additionalProperties": {}},
        "from": {"type": "boolean"},
    }
    api = small(
        {
            "Thing": {"type": "object", "required": ["id", "from"], "properties": fields},
            "house.a.Inner": {"type": "object", "properties": {}},
            "house.b.Unused": {"type": "object"},
        }
    )
    source = " ".join(formatted(api.records()).split())
    for line in (
        "id: UUID",
        "at: datetime | UnsetType | None = UNSET",
        'kind: Literal["a", "b"] | UnsetType = UNSET',
        "one: Literal[1] | UnsetType = UNSET",
        "many: list[int | None] | UnsetType = UNSET",
        "by_name: dict[str, Inner] | UnsetType = UNSET",
        "free: dict[str, Any] | UnsetType = UNSET",
        "from_: bool",
        'rename={"from_": "from"}',
    ):
        assert line in source
    assert "Unused" not in source


def test_two_schemas_of_one_name_stay_two() -> None:
    inner = {"a": {"$ref": f"{REF}house.a.Feed"}, "b": {"$ref": f"{REF}house.b.Feed"}}
    api = small(
        {
            "Both": {"type": "object", "properties": inner},
            "house.a.Feed": {"type": "object"},
            "house.b.Feed": {"type": "object"},
        }
    )
    assert sorted(api.names.values()) == ["AFeed", "BFeed", "Both"]


def test_an_operations_method_has_its_parts_in_order() -> None:
    text = {"schema": {"type": "string"}}
    parameters = [
        {"in": "path", "name": "class", "required": True, **text},
        {"in": "query", "name": "to", "required": True, **text},
        {"in": "query", "name": "kind", "schema": {"type": "array", "items": {"type": "string"}}},
        {"in": "header", "name": "If-Match", **text},
        {"in": "header", "name": "Idempotency-Key", **text},
    ]
    body = {"content": {"application/json": {"schema": {"$ref": f"{REF}Thing"}}}}
    api = small(
        {"Thing": {"type": "object"}}, parameters=parameters, requestBody=body, summary="Do", description='It\'s "it".'
    )
    source = " ".join(formatted(api.operations()).split())
    assert "class SomeThings:" in source
    assert (
        "def do_it( self, class_: str, data: records.Thing, *, to: str, kind: Sequence[str] | None = None, "
        "version: int | Versioned | None = None, key: str | None = None, ) -> records.Thing:"
    ) in source
    assert 'path("/v1/{}/x", class_)' in source
    assert "self.some_things = SomeThings(session)" in source


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="does not know"):
        small({"Thing": {"type": "object", "properties": {"x": {"type": "file"}}}}).records()
