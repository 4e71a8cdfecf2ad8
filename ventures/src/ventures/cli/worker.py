"""`ventures worker`: one process that follows the logs."""

from typing import Annotated

import typer

from ventures.cli.opening import one_process
from ventures.cli.output import log_to_stderr
from ventures.database.parent import ends_with_parent

BATCH_SECONDS = 25.0
"""How long a batch may take to finish once the parent is gone."""


def worker(
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True, help="End with the parent.")] = False,
) -> None:
    """One worker process, for those who start processes themselves; `ventures serve` starts all that is needed."""
    settings = one_process()
    log_to_stderr(settings.log_level)
    if supervised:
        ends_with_parent(BATCH_SECONDS)
    from ventures.workers.process import main

    main()
