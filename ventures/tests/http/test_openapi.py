"""The OpenAPI document is complete, and every answer is one that it describes."""

import re
from typing import Any

import httpx2
import requests
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ventures.database.roles import Addresses
from ventures.http.app import create
from ventures.settings import read
from ventures.testing.api import BASE_URL, Api, Person, api
from ventures.testing.operations import Furnished, furnished, operations

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
NOT_TRIED = {"sign_up", "sign_in", "sign_out", "change_password", "leave_venture", "delete_venture"}
"""Slow by intent (they hash passwords), or the end of what the others stand on."""
EXAMPLES = 3


def test_the_document_says_what_a_client_needs() -> None:
    document = create(read({}), lambda: None).openapi_schema.to_schema()  # type: ignore[arg-type, return-value]
    seen = set()
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        assert path.startswith("/v1/")
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert re.fullmatch(r"[a-z][a-z_]*", operation["operationId"]), where
            assert operation["operationId"] not in seen, where
            seen.add(operation["operationId"])
            assert operation.get("summary"), where
            assert operation.get("tags"), where
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}, where
            assert not any(status.startswith(("4", "5")) for status in operation["responses"]), where
            assert any(status.startswith("2") for status in operation["responses"]), where
            for parameter in operation.get("parameters", ()):
                assert "null" not in str(parameter["schema"].get("type", "")), (where, parameter)
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert references <= set(document["components"]["schemas"])


async def test_the_document_is_served_and_is_the_same(database_addresses: Addresses) -> None:
    async with api(database_addresses) as one, api(database_addresses) as other:
        served = (await one.nobody.get("/v1/openapi/openapi.json")).json()
        assert served == (await other.nobody.get("/v1/openapi")).json()
        assert served["paths"].keys() == one.app.openapi_schema.to_schema()["paths"].keys()


def test_every_answer_is_one_that_the_document_describes(database_addresses: Addresses) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(api(database_addresses)) as platform_api,
    ):
        place = portal.call(furnished, platform_api)
        document = platform_api.app.openapi_schema.to_schema()
        found = [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()]
        for operation in sorted(found, key=lambda one: one.method == "delete"):
            if operation.definition.raw["operationId"] not in NOT_TRIED:
                tried(operation, portal, platform_api, place)


def tried(operation: Any, portal: BlockingPortal, platform_api: Api, place: Furnished) -> None:
    (known,) = [one for one in operations(platform_api.app) if one.id == operation.definition.raw["operationId"]]
    cases = operation.as_strategy(GenerationMode.POSITIVE)
    if operation.body or operation.query:
        cases |= operation.as_strategy(GenerationMode.NEGATIVE)

    @given(cases, st.booleans(), st.sampled_from(['"1"', '"1"', '"2"', None]))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def one(case: Any, made_up: bool, version: str | None) -> None:
        if known.ids:
            case.path_parameters = {**known.ids, **({} if made_up else known.among(place.made))}
            if known.in_venture:
                case.path_parameters["venture"] = str(place.venture)
        case.headers = {
            **(case.headers or {}),
            **({"If-Match": version} if version and known.changes_a_version else {}),
        }
        answer = portal.call(sent, platform_api.client, case, place.owner)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json", answer.text
            assert answer.json()["status"] == answer.status_code
        case.validate_response(Response.from_httpx2(answer, verify=False), checks=CHECKS)

    one()


async def sent(client: httpx2.AsyncClient, case: Any, owner: Person) -> httpx2.Response:
    asked = case.as_transport_kwargs(base_url=BASE_URL)
    asked.pop("cookies", None)
    asked["headers"] = {name: value for name, value in asked["headers"].items() if is_sendable(value)}
    prepared = requests.Request(**asked).prepare()
    headers = {**prepared.headers, **owner.headers}
    headers.pop("Authorization", None)
    assert prepared.method is not None
    assert prepared.url is not None
    return await client.request(prepared.method, prepared.url, content=prepared.body, headers=headers)


def is_sendable(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip()
