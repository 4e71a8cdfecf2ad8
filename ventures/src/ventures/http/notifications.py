"""/v1/ventures/{venture:uuid}/notices"""

from litestar import Router

ROUTERS = (Router("/v1/ventures/{venture:uuid}/notices", route_handlers=[], tags=["notifications"]),)
