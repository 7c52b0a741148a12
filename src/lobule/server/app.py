"""The application: routes, pages, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

import lobule
from lobule.server.assets import Asset, load_assets
from lobule.server.messages import Status
from lobule.server.model_card import model_response
from lobule.server.problems import ProblemError, handle_problems
from lobule.server.routes import router
from lobule.server.service import Service
from lobule.taxonomy import DISCLAIMER

if TYPE_CHECKING:
    from lobule.inference.predictor import Predictor
    from lobule.server.limits import Limits

__all__ = ["make_app"]


def make_app(predictor: Predictor, *, limits: Limits) -> FastAPI:
    """Return the application that answers with a model.

    Args:
        predictor: the model.
        limits: what is accepted.
    """
    service = Service(predictor, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.dispatcher.close()

    app = FastAPI(
        title="Lobule",
        version=lobule.__version__,
        summary=f"Breast-cancer detection in H&E histopathology images. {DISCLAIMER}",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.model = model_response(predictor.bundle, limits)
    handle_problems(app)
    app.include_router(router)
    _add_states(app, service)
    _add_pages(app)
    return app


def _add_states(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", summary="Tell whether the process lives", response_model=Status)
    async def healthz() -> Status:
        return Status()

    @app.get("/readyz", summary="Tell whether images would be accepted", response_model=Status)
    async def readyz() -> Status:
        if not service.dispatcher.is_ready:
            raise ProblemError(503, "busy", "Nothing more is accepted just now.", headers={"Retry-After": "2"})
        return Status()


def _add_pages(app: FastAPI) -> None:
    page, docs = load_assets("page"), load_assets("docs")

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return _send(page, "index.html", request)

    @app.get("/page/{path:path}", include_in_schema=False)
    async def page_file(path: str, request: Request) -> Response:
        return _send(page, path, request)

    @app.get("/docs", include_in_schema=False)
    async def docs_index(request: Request) -> Response:
        return _send(docs, "index.html", request)

    @app.get("/docs/{path:path}", include_in_schema=False)
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
