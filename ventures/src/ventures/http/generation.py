"""/v1/…: generation."""

from litestar import Router

ROUTERS: tuple[Router, ...] = ()
