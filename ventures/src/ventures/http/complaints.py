"""/v1/complaints"""

from litestar import Router

ROUTERS: tuple[Router, ...] = ()
