"""Every operation of the OpenAPI document, ready to be called: for tests that hold for all of them.

    for operation in operations(platform_api.app):
        answer = await operation.call(ada, ids={"venture": venture})

Bodies are the least the document asks for. Where a text has a meaning that the document cannot say (a time zone), it is
said in `MEANT`, by the property's name.
"""

import asyncio
import itertools
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import msgspec
from litestar import Litestar

from ventures.testing.api import Api, Caller, Person

MEANT: Final[Mapping[str, Any]] = {
    "zone": "Europe/Berlin",
    "local_zone": "Europe/Berlin",
    "email": "nobody@example.org",
    "url": "https://example.org/hook",
    "server": "https://example.org",
    "plan": "free",
    "kind": "sink",
    "scopes": ["content:view"],
    "expires_at": "2027-01-02T03:04:05Z",
    "starts_at": "2027-01-02T03:04:05Z",
    "ends_at": "2027-01-02T04:04:05Z",
    "password": "correct horse battery",
    "from": "2027-01-01",
    "to": "2027-01-31",
    "minutes": 30,
}
MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "add_calendar_event": {"starts_at": "2027-01-02T03:04:05Z"},
    "draft_post": {"item": "items", "channel": "channels"},
    "set_deadline": {"at": "2027-01-02T03:04:05Z"},
}
"""What an operation needs beyond its least body, where one is made for others to stand on; a collection's name stands
for what was made in it.
"""
STALE: Final = '"999999"'
"""An ETag that nothing has: who may change a thing is answered before which version it has."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """ids: its path parameters, each with something of its form (where an id is asked for, a new one)."""

    id: str
    method: str
    path: str
    ids: dict[str, Any]
    query: dict[str, Any]
    body: Any
    changes_a_version: bool

    @property
    def in_venture(self) -> bool:
        """Whether it is about one venture, and for its members."""
        return self.path.startswith("/v1/ventures/{venture}")

    def at(self, ids: Mapping[str, Any]) -> str:
        """Its path; what is not given is new."""
        return self.path.format(**{name: ids.get(name, own) for name, own in self.ids.items()})

    async def call(self, caller: Caller, ids: Mapping[str, Any], *, body: Any = None) -> httpx2.Response:
        """A request that is good in form. body: another one than the least."""
        return await caller.send(
            self.method,
            self.at(ids),
            self.body if body is None else body,
            params=self.query or None,
            if_match=STALE if self.changes_a_version else None,
        )

    def among(self, made: Mapping[str, str]) -> dict[str, str]:
        """Its path parameters that name something made, each by the collection it stands behind in the path."""
        parts = self.path.split("/")
        behind = {part[1:-1]: before for before, part in itertools.pairwise(parts) if part.startswith("{")}
        return {name: made[behind[name]] for name in self.ids if behind[name] in made}


class Furnished(msgspec.Struct, frozen=True, kw_only=True):
    """A venture with one of everything that a POST makes. made: the id of each, by its collection ("items")."""

    owner: Person
    venture: UUID
    made: dict[str, str]


async def furnished(platform_api: Api) -> Furnished:
    """A new venture of a new person, with all that its operations can make without another's consent."""
    owner = await platform_api.person()
    venture = await owner.found()
    made = {"ventures": str(venture), "members": str(owner.account)}
    for operation in operations(platform_api.app):
        ids = operation.among(made)
        if operation.method != "POST" or operation.changes_a_version or not operation.in_venture:
            continue
        if ids.keys() != operation.ids.keys() or operation.id == "leave_venture":
            continue
        more = {name: made.get(text, text) for name, text in MORE.get(operation.id, {}).items()}
        body = {**operation.body, **more} if more else operation.body
        answer = await operation.call(owner, ids, body=body)
        if answer.status_code == 201 and "Location" in answer.headers:
            collection, id = answer.headers["Location"].split("/")[-2:]
            made.setdefault(collection, id)
    while (await owner.send("GET", f"/v1/ventures/{venture}/drafts/{made['drafts']}")).json()["state"] == "running":
        await asyncio.sleep(0.02)  # what is still being written would change the tables under whoever compares them
    return Furnished(owner=owner, venture=venture, made=made)


def operations(app: Litestar, foreign: UUID | None = None) -> list[Operation]:
    """All operations, in the document's order. foreign: the id that bodies name where they name one."""
    document = _document(app)
    found = []
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            parameters = described.get("parameters", [])
            content = described.get("requestBody", {}).get("content", {}).get("application/json")
            found.append(
                Operation(
                    id=described["operationId"],
                    method=method.upper(),
                    path=path,
                    ids={one["name"]: example(one["schema"], document) for one in parameters if one["in"] == "path"},
                    query={
                        one["name"]: example(one["schema"], document, one["name"], foreign)
                        for one in parameters
                        if one["in"] == "query" and one.get("required")
                    },
                    body=None if content is None else example(content["schema"], document, "", foreign),
                    changes_a_version=any(one["name"] == "If-Match" for one in parameters),
                )
            )
    return found


@lru_cache(maxsize=2)
def _document(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


def example(schema: Mapping[str, Any], document: Mapping[str, Any], name: str = "", foreign: UUID | None = None) -> Any:
    """The least that fits the schema; `foreign` wherever an id is asked for."""
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        return example(document["components"]["schemas"][kind], document, name, foreign)
    if name in MEANT:
        return MEANT[name]
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            real = [one for one in schema[choice] if one.get("type") != "null"]
            return example(real[0], document, name, foreign)
    if "const" in schema or "enum" in schema:
        return schema.get("const", [*schema.get("enum", ()), None][0])
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else next(one for one in kinds if one != "null")
    return _of_kind(kind, schema, document, name, foreign)


def _of_kind(kind: str, schema: Mapping[str, Any], document: Mapping[str, Any], name: str, foreign: UUID | None) -> Any:
    match kind:
        case "object":
            asked = schema.get("properties", {})
            return {one: example(asked[one], document, one, foreign) for one in schema.get("required", ())}
        case "array":
            return [example(schema["items"], document, name, foreign) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return int(max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1))
        case "boolean":
            return True
    formats = {"uuid": str(foreign or uuid4()), "date-time": "2027-01-02T03:04:05Z", "date": "2027-01-02"}
    return formats.get(schema.get("format", ""), "x" * max(1, schema.get("minLength", 1)))
