"""`lobule serve`: a model as a REST service and a web page."""

from __future__ import annotations

from importlib import util
from typing import Annotated

import typer

from lobule.cli.console import disclaim, warn
from lobule.cli.options import Model
from lobule.errors import MissingExtraError

__all__ = ["serve"]

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    model: Model,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0: a free one.", min=0, max=65535)] = 8000,
) -> None:
    """Serve a model as a REST service (/docs) and a web page (/), on this computer."""
    if any(util.find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError("serving a model", "serve")
    from lobule.inference.predictor import Predictor
    from lobule.server.limits import Limits
    from lobule.server.run import serve as run

    predictor = Predictor(model)
    warn(f"http://{host}:{port}")
    disclaim()
    run(predictor, host=host, port=port, limits=Limits())
