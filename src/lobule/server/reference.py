"""The OpenAPI document, with what FastAPI cannot know: problems, and the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from lobule.server.messages import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["document_of"]

_SCHEMAS = "#/components/schemas/{model}"


def document_of(app: FastAPI, *, needs_token: bool) -> dict[str, Any]:
    """Return the OpenAPI document of an application.

    Args:
        app: with all of its routes.
        needs_token: whether requests must carry a token.
    """
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components: dict[str, Any] = document.setdefault("components", {})
    problem = Problem.model_json_schema(ref_template=_SCHEMAS)
    components["schemas"] = {**components.get("schemas", {}), **problem.pop("$defs", {}), "Problem": problem}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document
