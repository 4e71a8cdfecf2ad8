"""/v1/ventures/{venture:uuid}/items"""

from litestar import Router

ROUTERS = (Router("/v1/ventures/{venture:uuid}/items", route_handlers=[], tags=["content"]),)
