"""`ventures index`: one process that holds the vector index, or its share of it."""

from typing import Annotated

import typer

from ventures.cli.opening import one_process
from ventures.cli.output import log_to_stderr
from ventures.database.parent import ends_with_parent
from ventures.errors import SettingsError

CLOSE_SECONDS = 15.0
"""How long flushing and closing may take once the parent is gone."""


def index(
    number: Annotated[int, typer.Option("--number", min=1, help="Which of VENTURES_INDEX_PROCESSES this is.")] = 1,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True, help="End with the parent.")] = False,
) -> None:
    """One index process, for those who start processes themselves; `ventures serve` starts all that is needed."""
    settings = one_process()
    log_to_stderr(settings.log_level)
    if number > settings.index_processes:
        raise SettingsError(
            f"There is no index process {number}: VENTURES_INDEX_PROCESSES is {settings.index_processes}."
        )
    if supervised:
        ends_with_parent(CLOSE_SECONDS)
    from ventures.workers.index import main

    main(number)
