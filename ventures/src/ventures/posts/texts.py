"""How long a text is for a channel."""

import re

from ventures.errors import Invalid
from ventures.posts.ports import Limits

LINK = re.compile(r"https?://\S+")


def length(text: str, limits: Limits) -> int:
    """Characters (code points) as the channel counts them: never fewer than it does itself."""
    if limits.link_characters is None:
        return len(text)
    links = LINK.findall(text)
    return len(text) - sum(map(len, links)) + limits.link_characters * len(links)


def require_fits(text: str, limits: Limits, channel: str) -> None:
    """Raises: Invalid where it is empty or too long for the channel of this name."""
    if not text.strip():
        raise Invalid("A post needs a text.", fields={"text": "empty"})
    if (found := length(text, limits)) > limits.characters:
        raise Invalid(
            f"This text has {found} characters; {channel} takes {limits.characters}.",
            fields={"text": f"at most {limits.characters} characters"},
        )
