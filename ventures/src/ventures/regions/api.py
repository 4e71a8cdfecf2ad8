"""What other rooms may use of the directory."""

from ventures.regions.directory import (
    Home,
    belongs,
    close,
    drop_member,
    founded_by,
    home_region,
    put_member,
    register,
    ventures_of,
)

__all__ = [
    "Home",
    "belongs",
    "close",
    "drop_member",
    "founded_by",
    "home_region",
    "put_member",
    "register",
    "ventures_of",
]
