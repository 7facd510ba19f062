"""`evals serve`."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Default: service.host of evals.yaml, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: service.port of evals.yaml, else 8000.")] = None,
) -> None:
    """Serve jobs, results and pages over HTTP; `dagster-daemon run` or `make ui` beside it runs the jobs."""
    try:
        import uvicorn

        from eval_service.app import create_app
    except ImportError as error:
        raise typer.BadParameter(f"{error.name} is missing: pip install 'eval-assets[service]'") from error
    from eval_service.settings import ServiceSettings, load_service_settings

    configured = load_service_settings().model_dump()
    given = {"host": host, "port": port}
    settings = ServiceSettings.model_validate(configured | {k: v for k, v in given.items() if v is not None})
    # No access log: it would hold what people look at; /metrics counts.
    # Followers of jobs are not waited for when it is stopped: they ask again.
    uvicorn.run(
        create_app(settings=settings), host=settings.host, port=settings.port, access_log=False,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
