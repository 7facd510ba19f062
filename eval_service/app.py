"""The HTTP front: routes, and how errors become answers that say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from eval_assets.pipeline.cell import UnknownCheckpoint
from eval_assets.pipeline.comparing import NotComparable
from eval_assets.pipeline.item_scores import NotScored
from eval_assets.pipeline.run_scores import UnknownRun
from eval_assets.settings import SettingsError
from eval_service import metrics
from eval_service.arguments import Refused
from eval_service.body_limit import BodyLimit
from eval_service.jobs import NameTaken, TooManyJobs, UnknownJob
from eval_service.pages import routes
from eval_service.pages.render import page
from eval_service.pages.view import LoginNeeded
from eval_service.queue import DagsterUnreachable
from eval_service.routes import evaluation, reading, uploading
from eval_service.same_origin import SameOrigin
from eval_service.service import Service
from eval_service.settings import ServiceSettings, load_service_settings
from eval_service.uploads import UnknownUpload, UploadRefused, WrongOffset
from resources.models import ModelUnusable
from resources.store import KeyRefused, StoreUnwritable
from task_defs import TaskError

# What is wrong -> the status that says whose turn it is: 4xx the client's, 5xx the operator's.
_STATUS: dict[type[Exception], int] = {
    UnknownJob: 404, UnknownUpload: 404, UnknownRun: 404, NotScored: 404, UnknownCheckpoint: 404,
    NameTaken: 409, WrongOffset: 409, NotComparable: 409,
    Refused: 422, TaskError: 422, ModelUnusable: 422, KeyRefused: 422, UploadRefused: 422,
    TooManyJobs: 429,
    SettingsError: 500, StoreUnwritable: 507, DagsterUnreachable: 503,
}  # fmt: skip


def create_app(service: Service | None = None, settings: ServiceSettings | None = None) -> FastAPI:
    """The application. Without arguments: of EVAL_HOME, DAGSTER_HOME and evals.yaml."""
    service = service or Service(settings or load_service_settings())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="eval-assets", version=_version(), lifespan=lifespan,
        docs_url=None, redoc_url=None,  # their scripts come from another host
        description="Evaluation of checkpoints as a service: jobs that survive restarts, scores with intervals.",
    )  # fmt: skip
    app.state.service = service
    for error, status in _STATUS.items():
        app.add_exception_handler(error, _answer(status))
    app.add_middleware(metrics.Measured)
    app.add_middleware(BodyLimit, most=service.settings.max_body_kb * 1024)
    app.add_middleware(SameOrigin, public=urlsplit(service.settings.public_url).netloc or None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(service.settings))
    app.add_exception_handler(LoginNeeded, _sign_in)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _refusal)
    for router in (evaluation.router, reading.router, uploading.router, metrics.router, *routes.ROUTERS):
        app.include_router(router)
    app.mount("/static", routes.STATIC)
    return app


Handler = Callable[[Request, Exception], Response]


def _answer(status: int) -> Handler:
    def handler(request: Request, error: Exception) -> Response:
        if _is_browser(request):
            return _problem(status, str(error))
        more = {"offset": error.have} if isinstance(error, WrongOffset) else {}
        return JSONResponse({"detail": str(error), **more}, status)

    return handler


def _refusal(request: Request, error: Exception) -> Response:
    """As FastAPI answers, and as a page to a browser."""
    assert isinstance(error, HTTPException)
    if _is_browser(request):
        return _problem(error.status_code, error.detail)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _problem(status: int, detail: str) -> Response:
    words = "This address does not work" if status == 422 else HTTPStatus(status).phrase
    return page("problem.html.j2", status, words=words, detail=detail)


def _malformed(request: Request, error: Exception) -> Response:
    """In the same form as every other refusal: one text that names the fields."""
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors())
    return _refusal(request, HTTPException(422, said))


def _sign_in(request: Request, error: Exception) -> Response:
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?to={quote(to)}", 303)


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _hosts(settings: ServiceSettings) -> list[str]:
    """Without tokens a page of another site must not reach the service under a name of its own (DNS rebinding)."""
    if settings.tokens and not settings.public_url:
        return ["*"]
    named = [urlsplit(settings.public_url).hostname] if settings.public_url else []
    return [host for host in ("127.0.0.1", "localhost", "[::1]", settings.host, *named) if host]


def _version() -> str:
    try:
        return version("eval-assets")
    except PackageNotFoundError:
        return "checkout"
