"""The same application on Ray Serve: as many replicas as the requests need, behind one address.

    serve run api_server.replicas:build min_replicas=1 max_replicas=8

Every replica is a process with its own model and the settings (IM2LATEX_*) of the process that started them.
"""

import os
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from api_server.app import create_app
from api_server.settings import Settings

NAME = "im2latex"
PATIENCE = 5.0
"""Seconds beyond the deadline of a request, before a replica that is to stop is killed."""


class Replicas(BaseModel):
    """What `serve run` takes after the name of the application."""

    model_config = ConfigDict(extra="forbid")

    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 4
    cpus: PositiveFloat = 2.0
    """Cores that Ray keeps for each replica; IM2LATEX_THREADS should be as many."""
    target_requests: PositiveFloat = 4.0
    """Requests at work in a replica, on average: with more of them there will be more replicas."""
    max_waiting: PositiveInt = 64
    """Requests that wait at each door of the cluster for a place in a replica; one beyond that is answered 503."""


def build(options: Replicas) -> Application:
    """The application, ready for `serve.run`; raises ConfigError for settings that mean nothing."""
    settings = Settings.from_environment(os.environ)

    def make_app() -> FastAPI:  # in each replica
        return create_app(settings)

    deployment: Any = serve.deployment(serve.ingress(make_app)())
    application: Application = deployment.options(
        name=NAME,
        autoscaling_config=AutoscalingConfig(
            min_replicas=options.min_replicas,
            max_replicas=options.max_replicas,
            target_ongoing_requests=options.target_requests,
        ),
        max_ongoing_requests=settings.max_queue,
        max_queued_requests=options.max_waiting,
        graceful_shutdown_timeout_s=settings.deadline_seconds + PATIENCE,
        ray_actor_options={"num_cpus": options.cpus},
    ).bind()
    return application
