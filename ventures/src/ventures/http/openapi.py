"""The OpenAPI document of the whole: what all operations share is said here, once."""

from dataclasses import fields
from typing import Any, Final

from litestar import MediaType, Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, OpenAPI, SecurityScheme

DESCRIPTION: Final = """\
Content, approval, posts and calendar of many ventures.

Every error is a problem document (RFC 9457). Lists are pages: `next` of one is the `cursor` of the next. What exists is
changed with its ETag as `If-Match`. A POST with an `Idempotency-Key` is carried out once, however often it is sent.
With a session's cookie, all but GET needs the header `X-CSRF-Token`, which signing in answers with.
"""
PROBLEM: Final[dict[str, Any]] = {
    "description": "Refused: a problem document. `type` is `urn:ventures:problem:KIND`, and nothing was changed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:ventures:problem:not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do, for people."},
        "instance": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What was wrong in the request, by path.",
        },
    },
}


MAKES_OR_CHANGES: Final = frozenset({"set_deadline", "choose_plan"})
"""What may not exist yet: only a change of it needs If-Match. All others refuse without (428)."""


class Document(OpenAPI):
    """Litestar's document, in which errors are ours and a parameter is never null but left out."""

    def to_schema(self) -> dict[str, Any]:
        """The document as JSON would say it."""
        document = super().to_schema()
        components = document.setdefault("components", {})
        components.setdefault("responses", {})["Problem"] = PROBLEM
        components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        for path in document.get("paths", {}).values():
            for operation in path.values():
                if isinstance(operation, dict) and "responses" in operation:
                    _completed(operation)
        return document


def _completed(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "400" in responses:  # the framework's own form of errors, which never leaves here
        del responses["400"]
    responses["default"] = {"$ref": "#/components/responses/Problem"}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "If-Match" and operation["operationId"] not in MAKES_OR_CHANGES:
            parameter["required"] = True
        if "schema" in parameter:
            parameter["schema"] = _never_null(parameter["schema"])


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in schema.items() if name != "oneOf"}
    choices = [choice for choice in schema.get("oneOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        found = {**choices[0], **found}
    elif choices:
        found["oneOf"] = choices
    if isinstance(found.get("type"), list):
        kinds = [kind for kind in found["type"] if kind != "null"]
        found["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in found:
        found["enum"] = [value for value in found["enum"] if value is not None]
    return found


class Config(OpenAPIConfig):
    """Makes a `Document`."""

    def to_openapi_schema(self) -> OpenAPI:
        plain = super().to_openapi_schema()
        return Document(**{field.name: getattr(plain, field.name) for field in fields(plain)})


def _no_page(response: Response[Any]) -> Response[Any]:
    """The framework's page for what is not there becomes a problem. Raises: NotFoundException."""
    if response.media_type == MediaType.HTML:
        raise NotFoundException
    return response


def described() -> OpenAPIConfig:
    """For one application: it fills the router with what shows the document."""
    return Config(
        title="ventures",
        version="1",
        description=DESCRIPTION,
        openapi_router=Router("/v1/openapi", route_handlers=[], after_request=_no_page, include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "session": SecurityScheme(type="apiKey", name="ventures_session", security_scheme_in="cookie"),
                "key": SecurityScheme(type="http", scheme="bearer", description="An API key, `vk_…`."),
            }
        ),
        security=[{"session": []}, {"key": []}],
    )
