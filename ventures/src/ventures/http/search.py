"""/v1/…: search."""

from litestar import Router

ROUTERS: tuple[Router, ...] = ()
