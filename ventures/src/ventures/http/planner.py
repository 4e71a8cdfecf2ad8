"""/v1/ventures/{venture:uuid}/calendar"""

from litestar import Router

ROUTERS = (Router("/v1/ventures/{venture:uuid}/calendar", route_handlers=[], tags=["planner"]),)
