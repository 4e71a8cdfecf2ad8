"""A small population in a database of its own, and one on a real `ventures serve`, for the tests of a module."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ventures.population.api import Outcome, Plan, Progress, populate
from ventures.settings import Settings, read
from ventures.testing.postgres import fresh_database
from ventures.testing.serving import Serving, folder, serving

PASSWORD = "a password of twenty users"
SECRET = "0123456789abcdef0123456789abcdef-of-a-test"


@dataclass
class Populated:
    """What was made of which plan, with the environment of the platform it is in."""

    environ: dict[str, str]
    plan: Plan
    outcome: Outcome
    told: list[Progress]

    @property
    def settings(self) -> Settings:
        """Of the platform, with its database."""
        return read({name: value for name, value in self.environ.items() if name.startswith(("VENTURES_", "DATABASE"))})


def made(environ: dict[str, str], plan: Plan, processes: int = 1) -> Populated:
    """The plan carried out."""
    told = list[Progress]()
    return Populated(
        environ, plan, populate(plan, environ, password=PASSWORD, processes=processes, told=told.append), told
    )


@pytest.fixture(scope="module")
def populated() -> Iterator[Populated]:
    """Twenty users; nothing runs on it."""
    with fresh_database() as addresses:
        environ = {"DATABASE_URL": addresses.app, "VENTURES_SECRET": SECRET}
        yield made(environ, Plan(users=20, passages_per_user=12), processes=2)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Serving, Populated]]:
    """Twenty users of one API process."""
    quiet = {"VENTURES_API_PROCESSES": "1", "VENTURES_WORKER_PROCESSES": "0", "VENTURES_INDEX_PROCESSES": "0"}
    with folder() as data, serving(data, **quiet) as platform:
        secret = str(data / "secret")
        environ = platform.environment | {"DATABASE_URL": platform.address, "VENTURES_SECRET_FILE": secret}
        yield platform, made(environ, Plan(users=20, passages_per_user=12))
