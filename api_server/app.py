"""The application: a predictor, loaded and warmed, behind the routes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api_server import problems
from api_server.access import Access
from api_server.middleware import Observe, RefuseWhenFull
from api_server.page import StaticParts
from api_server.predictions import ReadsFormulas
from api_server.reader import Reader
from api_server.routes import router
from api_server.service import Service
from api_server.settings import Settings
from im2latex import __version__
from im2latex.checker import Checker
from im2latex.predictor import Predictor


def create_app(settings: Settings | None = None, predictor: ReadsFormulas | None = None) -> FastAPI:
    """Build the server; settings come from the environment and the model from its bundle unless given."""
    settings = Settings.from_environment(os.environ) if settings is None else settings
    service = Service(settings, Access(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.access.log_state()
        model = predictor or load_predictor(settings)
        async with reading(model, service):
            yield

    app = FastAPIOffline(
        title="im2latex",
        summary="A picture of a formula goes in, LaTeX comes out.",
        version=__version__,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(RefuseWhenFull, service=service)
    app.add_middleware(Observe, service=service)    # the last one added is the first to see a request
    app.include_router(router)
    app.mount("/static", StaticParts())
    problems.install(app)
    return app


def load_predictor(settings: Settings) -> Predictor:
    """The model of a server; raises BundleError without it, and RenderError if it cannot check what it reads."""
    return (Checker if settings.check else Predictor).load(settings.bundle or None)


@asynccontextmanager
async def reading(model: ReadsFormulas, service: Service) -> AsyncIterator[None]:
    """Keep the model warm and its queue moving from here to the end."""
    reader = Reader(model, service.settings, service.metrics)
    await asyncio.get_running_loop().run_in_executor(reader.model, model.warm_up)
    tasks = [asyncio.create_task(reader.batcher.run()), asyncio.create_task(reader.tidy())]
    service.reader = reader
    try:
        yield
    finally:
        service.reader = None
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        reader.close()
