"""What one running server consists of; every request finds it through the application."""

from dataclasses import dataclass, field

from fastapi import Request

from api_server.access import Access
from api_server.metrics import Metrics
from api_server.reader import Reader
from api_server.settings import Settings


@dataclass
class Service:
    """The parts of a server, and how far it has come with starting and stopping."""

    settings: Settings
    access: Access
    metrics: Metrics = field(default_factory=Metrics)
    reader: Reader | None = None
    """There from the moment the model is warm until the server stops."""
    is_draining: bool = False
    """Set when the process is told to stop; what has come is still answered."""
    received_bytes: int = 0
    """Of all request bodies in the house."""

    @property
    def is_ready(self) -> bool:
        """Whether new requests should be sent here."""
        return self.reader is not None and not self.is_draining


async def get_service(request: Request) -> Service:
    """The service behind a request; async, as FastAPI takes a thread for every dependency that is not."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def get_reader(request: Request) -> Reader:
    """The reader that the lifespan made."""
    reader = (await get_service(request)).reader
    assert reader is not None
    return reader
