"""Application of the console, with the routes of the tables in pages.py and actions.py."""

import secrets
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from infra.console import data_access, error_handlers, oidc_routes, routes, sign_in
from infra.console.context import ConsoleContext, session_cookie_name
from infra.console.error_handlers import EscapedJSONResponse
from infra.console.middleware import security_middleware
from infra.console.oidc.settings import SignInMethods
from infra.console.site import Site
from infra.metrics.exposition import CONTENT_TYPE, MAX_TOKEN_BYTES, MetricsPage, metrics_token
from tasks.core.pages import STYLE_FOLDER

__all__ = ["application", "session_cookie_name"]
PASSWORDS_ONLY = SignInMethods()


def application(site: Site, sign_in_by: SignInMethods = PASSWORDS_ONLY) -> FastAPI:
    """Return the console's application for a checkout.

    Raises:
        Unavailable: The console's database cannot be opened.
    """
    context = ConsoleContext(site, sign_in_by)
    app = FastAPI(
        title="Hallmark",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        default_response_class=EscapedJSONResponse,
    )
    app.middleware("http")(security_middleware(site.origin))
    app.mount("/style", StaticFiles(directory=STYLE_FOLDER), name="style")
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    routes.add_routes(app, context)
    data_access.add_routes(app, context)
    sign_in.add_routes(app, context)
    oidc_routes.add_routes(app, context)
    error_handlers.add_error_handlers(app, context)

    page, token = MetricsPage(site.root), metrics_token(site.state)

    @app.get("/metrics", include_in_schema=False)
    def metrics(authorization: Annotated[str, Header(max_length=MAX_TOKEN_BYTES)] = "") -> Response:
        if not secrets.compare_digest(authorization.encode(), b"Bearer " + token):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(page.text(), media_type=CONTENT_TYPE)

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Report that the console is running.

        The handler runs on the event loop, so it responds even if all threads are busy.
        """
        return {"hallmark": "up"}

    return app
