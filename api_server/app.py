"""The application: a predictor, loaded and warmed, behind the routes."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool

import im2latex
from api_server import problems
from api_server.metrics import CountRequests, Metrics
from api_server.page import STATIC
from api_server.reader import Reader, ReadsFormulas
from api_server.routes import router
from api_server.settings import Settings


def create_app(settings: Settings | None = None, predictor: ReadsFormulas | None = None) -> FastAPI:
    """Build the server; settings come from the environment and the model from its bundle unless given."""
    settings = Settings.from_environment(os.environ) if settings is None else settings
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        model = predictor or im2latex.Predictor.load(settings.bundle or None)
        await run_in_threadpool(model.warm_up)
        app.state.reader = Reader(model, metrics)
        app.state.is_ready = True
        yield
        app.state.is_ready = False

    app = FastAPIOffline(
        title="im2latex",
        summary="A picture of a formula goes in, LaTeX comes out.",
        version=im2latex.__version__,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.is_ready = False
    app.add_middleware(CountRequests, metrics=metrics)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    problems.install(app)
    return app
