"""/v1/ventures/{venture:uuid}/analytics"""

from litestar import Router

ROUTERS = (Router("/v1/ventures/{venture:uuid}/analytics", route_handlers=[], tags=["analytics"]),)
