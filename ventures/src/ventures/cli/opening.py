"""From the settings to a database that can be used."""

import os
from collections.abc import Mapping

import msgspec

from ventures.database import embedded
from ventures.errors import DatabaseUnfit, SettingsError
from ventures.settings import Settings, read, secret_file, with_secret


def app_address(settings: Settings) -> str:
    """Where the application's role signs in: what DATABASE_URL says, or our own server, which must run.

    Raises: DatabaseUnfit where neither is there.
    """
    if settings.database_url is not None:
        return settings.database_url
    if embedded.running(settings.data) is None:
        raise DatabaseUnfit(
            f"No database runs in {settings.data}. Start everything with `ventures serve`, or set DATABASE_URL."
        )
    return embedded.addresses(settings.data).app


def require_owner(settings: Settings) -> str:
    """VENTURES_OWNER_URL. Raises: SettingsError where it is missing."""
    if settings.owner_url is None:
        raise SettingsError(
            "DATABASE_URL is set, but VENTURES_OWNER_URL is not: migrations need to sign in as ventures_owner. Set "
            "both, or neither."
        )
    return settings.owner_url


def one_process() -> Settings:
    """The settings of a single process (api, worker), completed in the environment, where its application reads."""
    settings = read(os.environ)
    settings = with_secret(msgspec.structs.replace(settings, database_url=app_address(settings)))
    environment = complete_environment(settings, os.environ)
    os.environ.clear()
    os.environ.update(environment)
    return settings


def complete_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that only runs: with database, port and secret, without the owner's address."""
    without = {"DATABASE_URL_FILE", "VENTURES_OWNER_URL", "VENTURES_OWNER_URL_FILE"}
    complete = {name: value for name, value in environ.items() if name not in without}
    complete |= {"DATABASE_URL": settings.database_url or "", "VENTURES_PORT": str(settings.port)}
    if not environ.get("VENTURES_SECRET") and not environ.get("VENTURES_SECRET_FILE"):
        complete["VENTURES_SECRET_FILE"] = str(secret_file(settings))
    return complete
