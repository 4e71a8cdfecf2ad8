"""``outgrow init``: write a commented outgrow.yaml and its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import typer

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint
from outgrow.errors import UsageError
from outgrow.points.schema import SCHEMA_FILE, schema_text
from outgrow.points.templates import NAMES, template_text


def init(
    config: ConfigOption = DEFAULT_CONFIG,
    template: Annotated[
        str, typer.Option(help="blank: one point, commented. venture-platform: four, complete.")
    ] = "blank",
    prometheus: Annotated[str | None, typer.Option(help="URL of a Prometheus-compatible server to read from.")] = None,
    scrape: Annotated[str | None, typer.Option(help="URL of a /metrics page, where there is no Prometheus.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Write a commented outgrow.yaml, with its schema beside it."""
    if template not in NAMES:
        raise UsageError(f"there is no template {template!r}; there are {' and '.join(NAMES)}")
    if prometheus and scrape:
        raise UsageError("give --prometheus or --scrape, not both")
    if prometheus:
        _refuse_secrets(prometheus, may_ask=False)
    if scrape:
        _refuse_secrets(scrape, may_ask=True)
    if config.exists() and not force:
        raise UsageError(
            f"{config} is there already and was left as it is", next_step=f"outgrow check --config {config}"
        )
    text = template_text(template)
    if prometheus:
        text = text.replace("http://127.0.0.1:9090", prometheus.rstrip("/"))
    if scrape:
        text = text.replace(
            '- {kind: prometheus, url: "http://127.0.0.1:9090"}', f'- {{kind: scrape, targets: ["{scrape}"]}}'
        )
    schema = config.parent / SCHEMA_FILE
    try:
        config.write_text(text, encoding="utf-8")
        schema.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    if as_json:
        emit_json({"written": [str(config), str(schema)], "template": template})
    else:
        err().print(f"wrote {config} ({template}) and {schema}", markup=False)
    hint("outgrow check" if config == DEFAULT_CONFIG else f"outgrow check --config {_quoted(config)}")


def _refuse_secrets(url: str, *, may_ask: bool) -> None:
    """Only an address goes into the file: no password, and a query (``may_ask``) only where no secret is in it."""
    if not url.startswith(("http://", "https://")) or any(mark in url for mark in "\"'\\\n{}"):
        raise UsageError("that is not an address; write for example http://127.0.0.1:9090")
    try:
        parts = urlsplit(url)
        names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        raise UsageError("that is not an address; write for example http://127.0.0.1:9090") from None
    if "@" in parts.netloc:
        raise UsageError(
            "an address with a password would stand in the file for all to read",
            next_step="leave it out, and name a password_file under sources",
        )
    if any(secret in name for name in names for secret in _SECRETS) or (parts.query and not may_ask) or parts.fragment:
        raise UsageError(
            "an address with a query, such as ?token=…, would stand in the file for all to read",
            next_step="leave it out, and name a token_file under sources",
        )


_SECRETS = ("token", "key", "pass", "secret", "auth", "sig", "pwd", "credential")


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
