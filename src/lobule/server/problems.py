"""Errors as clients see them: JSON problems (RFC 9457) with a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["ProblemError", "handle_problems", "internal", "problem_response"]

_GONE: Final = 499
_CODES: Final[Mapping[int, str]] = {404: "not_found", 405: "method_not_allowed"}
_DETAILS: Final[Mapping[int, str]] = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take this method; /docs lists what it takes.",
}


class ProblemError(Exception):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        code: for programs, such as `file_too_large`.
        detail: a sentence: what is allowed, what was received, what to do next.
        headers: further headers of the answer.
        errors: one entry for each file, where files have errors of their own.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)


def internal(request_id: str) -> ProblemError:
    """Return the error of a request that the service failed on."""
    return ProblemError(500, "internal", f"The service failed on this request; its log knows it as {request_id}.")


def problem_response(error: ProblemError) -> JSONResponse:
    """Return the answer that says what is wrong."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if error.errors:
        content["errors"] = error.errors
    return JSONResponse(content, error.status, headers=error.headers, media_type="application/problem+json")


def handle_problems(app: FastAPI) -> None:
    """Let every error of an application be answered as a problem."""

    async def of_ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return problem_response(error)

    async def of_parameters(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        told = [f"{'.'.join(map(str, item['loc'][1:])) or 'request'}: {item['msg']}" for item in error.errors()]
        return problem_response(ProblemError(422, "invalid_parameter", "; ".join(told) + "."))

    async def of_routing(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        status = error.status_code
        code, detail = _CODES.get(status, "refused"), _DETAILS.get(status, error.detail)
        return problem_response(ProblemError(status, code, detail, headers=error.headers))

    async def of_absent(_: Request, __: Exception) -> Response:
        return Response(status_code=_GONE)

    async def of_the_rest(request: Request, _: Exception) -> JSONResponse:
        return problem_response(internal(request.state.id))

    app.add_exception_handler(ProblemError, of_ours)
    app.add_exception_handler(ClientDisconnect, of_absent)
    app.add_exception_handler(Exception, of_the_rest)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(HTTPException, of_routing)
