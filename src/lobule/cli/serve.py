"""`lobule serve`: a model as a REST service and a web page."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import say, warn
from lobule.cli.options import OptionalModel, model_or_starter
from lobule.errors import ConfigError, MissingExtraError
from lobule.taxonomy import DISCLAIMER

__all__ = ["serve"]

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
_OPEN_DOOR = (
    "Warning: --insecure-no-token: anyone who reaches this address can use the model and see its answers. "
    "There is no encryption either: put a proxy with TLS in front."
)


def serve(
    model: OptionalModel = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0: a free one.", min=0, max=65535)] = 8000,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token that every request must carry.")
    ] = None,
    insecure_no_token: Annotated[
        bool, typer.Option("--insecure-no-token", help="Listen beyond this computer without a token.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option("--allowed-host", help="Further name the service answers to; repeatable.")
    ] = None,
    audit_log: Annotated[
        Path | None, typer.Option("--audit-log", help="File to which every answer is appended.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option("--requests-per-minute", help="Most requests of one client.", min=1)
    ] = None,
) -> None:
    """Serve a model as a REST service (/docs) and a web page (/), on this computer."""
    if any(find_spec(name) is None for name in _NEEDED):
        raise MissingExtraError("serving a model", "serve")
    from lobule.inference.predictor import Predictor
    from lobule.server.access import Access, is_loopback, read_token
    from lobule.server.audit_log import AuditLog
    from lobule.server.limits import Limits
    from lobule.server.run import listen
    from lobule.server.run import serve as run
    from lobule.server.service import Service

    token = read_token(token_file) if token_file else None
    if token is None and not is_loopback(host):
        if not insecure_no_token:
            raise ConfigError(
                f"--host {host}: reaches beyond this computer; give --token-file FILE (openssl rand -hex 32 > FILE), "
                "or --insecure-no-token if you know that nobody else gets there."
            )
        warn(_OPEN_DOOR)
    access = Access.of(host, token=token, allowed_hosts=allowed_host or ())
    limits = Limits() if requests_per_minute is None else Limits(requests_per_minute=requests_per_minute)
    predictor = Predictor(model_or_starter(model))
    with listen(host, port) as listening:
        audit = AuditLog(audit_log, model_id=predictor.bundle.record.model_id) if audit_log else None
        service = Service(predictor, limits, audit=audit)
        service.warm_up()
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{listening.getsockname()[1]}/")
        say(DISCLAIMER)
        sys.stdout.flush()
        run(service, listening, access=access)
