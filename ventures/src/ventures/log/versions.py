"""Lost updates are refused: a change says which version of an entity it was made on."""

from ventures.errors import Stale


def require_version(actual: int, expected: int, what: str) -> None:
    """Returns where nobody was quicker. `what` names the entity for people: "item". Raises: Stale."""
    if actual != expected:
        raise Stale(f"This {what} was changed meanwhile (it is version {actual}, not {expected}): read it again.")
