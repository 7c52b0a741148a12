"""From a model to a process that serves it until it is told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from lobule.server.app import make_app

if TYPE_CHECKING:
    from lobule.inference.predictor import Predictor
    from lobule.server.limits import Limits

__all__ = ["serve"]


def serve(predictor: Predictor, *, host: str, port: int, limits: Limits) -> None:
    """Serve a model until SIGTERM or SIGINT."""
    app = make_app(predictor, limits=limits)
    app.state.service.warm_up()
    config = uvicorn.Config(
        app, host=host, port=port, server_header=False, access_log=False, ws="none", log_level="warning"
    )
    uvicorn.Server(config).run()
