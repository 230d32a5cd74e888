"""The application: every row of pages.py and actions.py as a route, and nothing besides."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from infra.console import disclosing, entrance, failures, routes
from infra.console.context import Context, cookie_of
from infra.console.failures import Spelled
from infra.console.guard import guard
from infra.console.site import Site
from tasks.core.pages import STYLES

__all__ = ["application", "cookie_of"]


def application(site: Site) -> FastAPI:
    """The console of a checkout. Raises Unavailable where its database cannot be used."""
    context = Context(site)
    app = FastAPI(
        title="Hallmark", docs_url=None, redoc_url=None, openapi_url="/openapi.json", default_response_class=Spelled
    )
    app.middleware("http")(guard(site.origin))
    app.mount("/style", StaticFiles(directory=STYLES), name="style")
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    routes.serve(app, context)
    disclosing.serve(app, context)
    entrance.serve(app, context)
    failures.serve(app, context)

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, str]:
        return {"hallmark": "up"}

    return app
