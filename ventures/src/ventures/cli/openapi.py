"""`ventures openapi`: the API's description, for a client generator or a gateway."""

import json
import os
import sys


def openapi() -> None:
    """Print the OpenAPI 3.1 document of this version's API; nothing needs to run."""
    from ventures.http.app import create
    from ventures.settings import read
    from ventures.wiring import open_platform

    settings = read(os.environ)
    application = create(settings, lambda: open_platform(settings, ""))
    sys.stdout.write(json.dumps(application.openapi_schema.to_schema(), indent=2) + "\n")
