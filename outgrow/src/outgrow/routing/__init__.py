"""What an application imports to follow a move: where each tenant's data is at the moment.

In: the application's own connection to its own PostgreSQL. Out: statements and records; nothing here opens a
connection or starts anything. May know: the standard library alone, so that an application takes nothing else
along.

The table `outgrow.route` has one row a tenant and point that is not where the application puts tenants by default.
It is the only truth about where a tenant is: `outgrow migrate` changes it, the application reads it with what else
it reads of the tenant.
"""

from outgrow.routing.routes import PLACE, ROUTE, ROUTES, Route, routed
from outgrow.routing.tables import SCHEMA

__all__ = ["PLACE", "ROUTE", "ROUTES", "SCHEMA", "Route", "routed"]
