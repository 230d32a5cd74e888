"""Authentication of requests to the MLflow server. Clients can read runs and releases, and change nothing.

A client with write access could set a folder of this machine as the place for files, and write files into it. MLflow's
server calls `authenticate` for each request (https://mlflow.org/docs/latest/self-hosting/security/custom/).
"""

import re

from flask import Response, make_response, request
from mlflow.server.auth import authenticate_request_basic_auth
from werkzeug.datastructures import Authorization

READ_METHODS = ("GET", "HEAD", "OPTIONS")
SEARCH_PATHS = re.compile(r"/mlflow/(experiments/search-datasets|[a-z-]+/search|graphql)$|/graphql$")
"""Paths to which MLflow's pages send POST requests that only read data."""
FORBIDDEN_PATHS = re.compile(r"gateway|/ajax-api/3\.0/jobs|telemetry")
"""Paths through which MLflow sends requests to other servers. They are refused for every HTTP method."""


def authenticate() -> Authorization | Response:
    """Authenticate a request. Return the user or an error response.

    The status of the response is 401 for a wrong password and 403 for an attempt to change something.
    """
    who = authenticate_request_basic_auth()
    looks = request.method in READ_METHODS or (request.method == "POST" and SEARCH_PATHS.search(request.path))
    if isinstance(who, Authorization) and (not looks or FORBIDDEN_PATHS.search(request.path)):
        return make_response("These pages only show what Hallmark recorded. Set MLFLOW_TRACKING_URI to a server of "
                             "your own to change things there.", 403)  # fmt: skip
    return who
