"""`ventures migrate`: the database brought to the newest schema."""

import os

from ventures.cli.opening import require_owner
from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines, say
from ventures.settings import read


def migrate(as_json: JsonOption = False, plain: PlainOption = False) -> None:
    """Bring the database to the newest schema and print the steps that were needed. `ventures serve` does it too."""
    settings = read(os.environ)
    from ventures.database import embedded
    from ventures.database import migrate as migrations

    if settings.database_url is not None:
        steps = migrations.migrate(require_owner(settings))
    else:
        ran = embedded.running(settings.data) is not None
        try:
            steps = migrations.migrate(embedded.start(settings.data).owner)
        finally:
            if not ran:
                embedded.stop(settings.data)
    if as_json:
        emit_json({"applied": steps})
        return
    emit_lines([step] for step in steps)
    if not steps:
        say("the database is up to date")
