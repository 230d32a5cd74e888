"""Routes of the gateway: chat completions, models, health and metrics."""

import secrets
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from infra.gateway.api_errors import ApiError, add_error_handlers
from infra.gateway.chat_completions import ChatCall
from infra.gateway.gateway import Gateway
from infra.metrics.exposition import CONTENT_TYPE


def application(gateway: Gateway) -> FastAPI:
    app = FastAPI(title="Hallmark gateway", docs_url=None, redoc_url=None, openapi_url=None)
    add_error_handlers(app)

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        """Answer a conversation with the release in production."""
        return await ChatCall(gateway, request).answer()

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        """List the models: one for each task of the release."""
        gateway.require_caller(request)
        names = gateway.model_names(gateway.follower.current)
        return {"object": "list", "data": [gateway.model(name) for name in names]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str, request: Request) -> dict[str, Any]:
        """Describe one model."""
        gateway.require_caller(request)
        if name not in gateway.model_names(gateway.follower.current):
            raise ApiError(404, f"there is no model {name!r}", param="model", code="model_not_found")
        return gateway.model(name)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Report that the gateway answers, and with which release."""
        admitted, following = gateway.follower.current.release.admitted, not gateway.follower.problem
        return {"status": "ok", "release": admitted.label, "sequence": admitted.sequence, "following": following}

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), b"Bearer " + gateway.token):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        return Response(gateway.metrics.text(), media_type=CONTENT_TYPE)

    return app
