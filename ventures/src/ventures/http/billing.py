"""/v1"""

from litestar import Router

ROUTERS = (Router("/v1", route_handlers=[], tags=["billing"]),)
