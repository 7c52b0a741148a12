"""The addresses under /v1."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import JsonValue
from starlette.requests import ClientDisconnect

from lobule.server.messages import CaseResponse, ModelResponse, PredictionsResponse
from lobule.server.problems import ProblemError
from lobule.server.service import Service, Shape, Wanted
from lobule.server.uploads import Form, parse_form
from lobule.taxonomy import LABELS, SUBTYPES, Task

__all__ = ["router"]

router = APIRouter(prefix="/v1")
_LONGEST_CASE: Final = 100
_TOWARD: Final = "Class whose evidence is shown; without one: malignant, or the likeliest subtype."
_CLASSES: Final[list[JsonValue]] = [*LABELS, *SUBTYPES, None]
_T = TypeVar("_T")


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "A problem.", "content": content} for status in statuses}


def _body(file_field: str, *, many: bool, case: bool = False) -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    properties: dict[str, Any] = {file_field: {"type": "array", "minItems": 1, "items": file} if many else file}
    if case:
        properties["case_id"] = {"type": "string", "minLength": 1, "maxLength": _LONGEST_CASE}
    schema = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_REFUSALS: Final = (400, 401, 403, 408, 413, 415, 421, 422, 429, 431, 503)


@router.post(
    "/predictions",
    response_model=PredictionsResponse,
    responses=_problems(*_REFUSALS),
    openapi_extra=_body("files", many=True),
    summary="Answer images",
)
async def predictions(request: Request) -> PredictionsResponse:
    """Answer one image or many, in the order sent; a file that cannot be used has an error instead of an answer."""
    service, body = await _read(request, "files")
    return await _unless_gone(request, service.predictions(body.files, digests=request.state.digests))


@router.post(
    "/cases",
    response_model=CaseResponse,
    responses=_problems(*_REFUSALS),
    openapi_extra=_body("files", many=True, case=True),
    summary="Answer the images of one case, and the case",
)
async def cases(request: Request) -> CaseResponse:
    """Answer the images of a case, and the case by all of them that are assessable."""
    service, body = await _read(request, "files", "case_id")
    case_id = body.fields.get("case_id", "").strip()
    if not 1 <= len(case_id) <= _LONGEST_CASE or not case_id.isprintable():
        raise ProblemError(422, "invalid_field", f"case_id: expected 1 to {_LONGEST_CASE} printable characters.")
    return await _unless_gone(request, service.case(case_id, body.files, digests=request.state.digests))


@router.post(
    "/heatmaps",
    response_class=Response,
    responses={200: {"description": "PNG.", "content": {"image/png": {}}}, **_problems(*_REFUSALS)},
    openapi_extra=_body("file", many=False),
    summary="Draw where an image speaks for a class",
)
async def heatmaps(
    request: Request,
    task: Annotated[Task, Query(description="Head that is explained.")] = "binary",
    toward: Annotated[str | None, Query(description=_TOWARD, json_schema_extra={"enum": _CLASSES})] = None,
    form: Annotated[
        Shape, Query(description="The image with the map on it, or a transparent layer of the image's size.")
    ] = "overlay",
) -> Response:
    """Draw the exact Grad-CAM of an image; colours are relative to its own peak."""
    service, body = await _read(request, "file")
    if len(body.files) != 1:
        raise ProblemError(413, "too_many_files", "file: expected one file.")
    wanted = Wanted(task, toward, form)
    drawn = await _unless_gone(request, service.heatmap(body.files[0], wanted, digests=request.state.digests))
    heat_map = drawn.heat_map
    told = {"Model-Id": service.record.model_id, "Task": task, "Class": heat_map.class_name}
    told |= {"Logit": f"{heat_map.logit:.9g}", "Peak": f"{heat_map.peak:.9g}", "Image-SHA256": drawn.image_sha256}
    headers = {f"X-Lobule-{name}": value for name, value in told.items()}
    return Response(drawn.png, media_type="image/png", headers=headers)


@router.get(
    "/model", response_model=ModelResponse, responses=_problems(401, 403, 421, 429), summary="Tell of the model"
)
async def model(request: Request) -> ModelResponse:
    """Tell what the model is, how good it is, what it is for, and what the service accepts."""
    told: ModelResponse = request.app.state.model
    return told


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Do the work of a request; give it up when the client leaves.

    Raises:
        ClientDisconnect: it has left.
    """
    task = asyncio.ensure_future(work)
    absence = asyncio.ensure_future(_absence(request))
    try:
        await asyncio.wait({task, absence}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        absence.cancel()
        await asyncio.gather(task, absence, return_exceptions=True)


async def _absence(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request, file_field: str, *text_fields: str) -> tuple[Service, Form]:
    service: Service = request.app.state.service
    body = await parse_form(
        request.stream(),
        request.headers.get("content-type", ""),
        file_field=file_field,
        text_fields=text_fields,
        limits=service.limits,
    )
    if not body.files:
        raise ProblemError(422, "missing_field", f"{file_field}: at least one file is needed.")
    return service, body
