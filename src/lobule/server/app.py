"""The application: routes, pages, errors, and the guard around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

import lobule
from lobule.server.access import Access
from lobule.server.assets import Asset, load_assets
from lobule.server.guard import Guard
from lobule.server.messages import Status
from lobule.server.model_card import model_response
from lobule.server.problems import ProblemError, handle_problems
from lobule.server.reference import document_of
from lobule.server.routes import router
from lobule.server.service import Service
from lobule.taxonomy import DISCLAIMER

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["make_app"]

_READ: Final = ["GET", "HEAD"]


def make_app(service: Service, *, access: Access) -> ASGIApp:
    """Return the application that answers with a model; when it ends, the service is closed.

    Args:
        service: the model at work.
        access: who may ask.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Lobule",
        version=lobule.__version__,
        summary=f"Breast-cancer detection in H&E histopathology images. {DISCLAIMER}",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.model = model_response(service.predictor.bundle, service.limits)
    handle_problems(app)
    app.include_router(router)
    _add_states(app, service)
    _add_pages(app)
    _add_reference(app, needs_token=access.token_digest is not None)
    return Guard(app, access=access, limits=service.limits, watch=service.watch)


def _add_states(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", summary="Tell whether the process lives", response_model=Status)
    async def healthz() -> Status:
        return Status()

    @app.get("/readyz", summary="Tell whether images would be accepted", response_model=Status)
    async def readyz() -> Status:
        if not service.dispatcher.is_ready:
            raise ProblemError(503, "busy", "Nothing more is accepted just now.", headers={"Retry-After": "2"})
        return Status()

    @app.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.watch.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _add_reference(app: FastAPI, *, needs_token: bool) -> None:
    document = document_of(app, needs_token=needs_token)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(document)


def _add_pages(app: FastAPI) -> None:
    page, docs = load_assets("page"), load_assets("docs")

    @app.api_route("/", methods=_READ, include_in_schema=False)
    async def index(request: Request) -> Response:
        return _send(page, "index.html", request)

    @app.api_route("/page/{path:path}", methods=_READ, include_in_schema=False)
    async def page_file(path: str, request: Request) -> Response:
        return _send(page, path, request)

    @app.api_route("/docs", methods=_READ, include_in_schema=False)
    async def docs_index(request: Request) -> Response:
        return _send(docs, "index.html", request)

    @app.api_route("/docs/{path:path}", methods=_READ, include_in_schema=False)
    async def docs_file(path: str, request: Request) -> Response:
        return _send(docs, path, request)


def _send(assets: Mapping[str, Asset], path: str, request: Request) -> Response:
    asset = assets.get(path)
    if asset is None:
        raise HTTPException(404)
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
