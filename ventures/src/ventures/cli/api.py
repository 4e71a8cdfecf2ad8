"""`ventures api`: one process that answers requests."""

import gc
import os
import socket
from contextlib import suppress
from typing import Annotated

import typer

from ventures.cli.opening import one_process
from ventures.cli.output import log_to_stderr, say
from ventures.database.parent import ends_with_parent
from ventures.settings import Settings

COLLECT_AFTER = (20_000, 50, 100)
"""Allocations, and collections of the younger generations, before the garbage is looked for: requests leave few
cycles.
"""
DRAIN_SECONDS = 10
"""How long requests may take to finish once the process is told to stop."""


def api(
    inherited: Annotated[int | None, typer.Option("--socket", hidden=True, help="Descriptor to accept on.")] = None,
    ready: Annotated[int | None, typer.Option("--ready", hidden=True, help="Descriptor told when ready.")] = None,
) -> None:
    """One process of the API, for those who start processes themselves; `ventures serve` starts all that is needed."""
    settings = one_process()
    log_to_stderr(settings.log_level)
    if inherited is None:
        from ventures.workers.supervisor import another, listen

        listening = another(listen(settings))
        os.environ["VENTURES_PORT"] = str(listening.getsockname()[1])
        say(f"listens on {settings.host}:{os.environ['VENTURES_PORT']}")
    else:
        ends_with_parent(DRAIN_SECONDS + 5)
        listening = socket.socket(fileno=inherited)
    _answer(settings, listening, ready)


def _answer(settings: Settings, listening: socket.socket, ready: int | None) -> None:
    import uvicorn

    from ventures.http.heads import BoundedHeads

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked through again and again
            gc.set_threshold(*COLLECT_AFTER)
            if ready is not None and self.started:
                with suppress(BrokenPipeError):  # `serve` was killed meanwhile: this process is told to end, in order
                    os.write(ready, b".")
                os.close(ready)

    server = Server(
        uvicorn.Config(
            "ventures.http.app:application",
            factory=True,
            loop="uvloop",
            http=BoundedHeads,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=settings.public_url is not None,  # believed from this machine only: forwarded_allow_ips
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    server.run([listening])
    if not server.started:
        raise typer.Exit(3)
