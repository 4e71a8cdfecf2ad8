"""/v1/ventures/{venture:uuid}/posts"""

from litestar import Router

ROUTERS = (Router("/v1/ventures/{venture:uuid}/posts", route_handlers=[], tags=["posts"]),)
