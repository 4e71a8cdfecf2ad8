"""`ventures serve`: everything, with nothing to install by hand."""

import os
import shutil

import msgspec

from ventures.cli.opening import complete_environment, require_owner
from ventures.cli.output import log_to_stderr, say
from ventures.settings import Settings, read, with_secret


def serve() -> None:
    """Start all: PostgreSQL unless DATABASE_URL is set, migrations, API, workers, index. Ctrl-C stops it in order."""
    settings = read(os.environ)
    log_to_stderr(settings.log_level)
    where = "the database of DATABASE_URL" if settings.database_url else f"data in {settings.data}"
    say(
        f"ventures starts: {settings.api_processes} API, {settings.worker_processes} worker and "
        f"{settings.index_processes} index processes, {where}"
    )
    if os.geteuid() == 0:
        say("this is root: an account of its own is safer (deploy/ventures.service)")
    if settings.database_url is not None:
        require_owner(settings)
    _serve(settings)


def _serve(settings: Settings) -> None:
    from ventures.workers import supervisor

    with supervisor.sole(settings.data):
        listening = supervisor.listen(settings)
        settings = msgspec.structs.replace(with_secret(settings), port=listening.getsockname()[1])
        ours = settings.database_url is None
        try:
            settings = _with_database(settings)

            def ready() -> None:
                people = "" if settings.public_url is None else f", for people at {settings.public_url}"
                say(f"listening on {settings.local_url}{people}")
                say(f"next: the API's description at {settings.base_url}/v1/openapi · what is missing: ventures doctor")

            supervisor.Supervisor(
                settings=settings,
                environment=complete_environment(settings, os.environ) | _shared_metrics(settings),
                listening=listening,
                database=settings.data if ours else None,
                say=say,
            ).run(ready=ready)
        except BaseException:
            if ours:
                from ventures.database import embedded

                embedded.stop(settings.data)
            raise
    say("stopped; all that was acknowledged is kept")


def _shared_metrics(settings: Settings) -> dict[str, str]:
    """An empty folder in which the API's processes count together, so that each of them answers /metrics for all."""
    folder = settings.data / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def _with_database(settings: Settings) -> Settings:
    """The settings with the application's address, of a database that is migrated and fit."""
    from ventures.database import embedded, fitness
    from ventures.database.migrate import migrate

    if settings.database_url is not None:
        owner, app = require_owner(settings), settings.database_url
    else:
        addresses = embedded.start(settings.data, ends_with_us=True)
        owner, app = addresses.owner, addresses.app
        say(f"PostgreSQL {fitness.server_version(app)} runs; its log is in {settings.data / 'logs'}")
    if steps := migrate(owner):
        say(f"the database is brought up to date: {', '.join(steps)}")
    fitness.check(app)
    return msgspec.structs.replace(settings, database_url=app)
