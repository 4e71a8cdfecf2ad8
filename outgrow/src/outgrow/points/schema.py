"""The published JSON Schema of ``outgrow.yaml``: editors complete and check the file with it."""

from __future__ import annotations

import json

from outgrow.points.declaration import Declaration

SCHEMA_FILE = "outgrow.schema.json"


def schema_text() -> str:
    """The schema as JSON text (draft 2020-12), the same bytes each time."""
    schema = Declaration.model_json_schema(by_alias=True, mode="validation")
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "outgrow.yaml"}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
