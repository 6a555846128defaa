"""Every address of the server: parse, read, answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api_server.fetch import fetch_image
from api_server.page import PAGE, PAGE_HEADERS
from api_server.reader import Reader
from api_server.schemas import Health, ImageRequest, ProblemDetails, Reading
from api_server.settings import Settings
from api_server.uploads import Body, picture_bytes, read_body

router = APIRouter()


def get_reader(request: Request) -> Reader:
    """The reader that the lifespan made."""
    reader = request.app.state.reader
    assert isinstance(reader, Reader)
    return reader


def get_settings(request: Request) -> Settings:
    """The settings the application was made with."""
    settings = request.app.state.settings
    assert isinstance(settings, Settings)
    return settings


ReaderDep = Annotated[Reader, Depends(get_reader)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
PROBLEM = {"model": ProblemDetails, "content": {"application/problem+json": {}}}
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ImageRequest.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.get("/v1/predict", responses={422: PROBLEM}, tags=["predict"])
def predict_url(
    image_url: Annotated[str, Query(description="An http or https address of a picture.", min_length=1)],
    reader: ReaderDep,
    settings: SettingsDep,
) -> Reading:
    """Read the formula in the picture at an address on the public internet."""
    return reader.read(fetch_image(image_url, settings))


@router.post(
    "/v1/predict",
    responses={413: PROBLEM, 415: PROBLEM, 422: PROBLEM},
    openapi_extra=UPLOAD,
    tags=["predict"],
)
def predict_upload(
    body: Annotated[Body, Depends(read_body)], reader: ReaderDep, settings: SettingsDep
) -> Reading:
    """Read the formula in an uploaded picture: JSON with base64 or a data URL, or a multipart form."""
    return reader.read(picture_bytes(body, settings.max_upload_bytes))


@router.get("/healthz", tags=["operate"])
async def healthz() -> Health:
    """Answer that the process lives."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health}}, tags=["operate"])
async def readyz(request: Request) -> JSONResponse:
    """Answer 200 once the model is loaded and warm, 503 before and while the server stops."""
    is_ready = bool(request.app.state.is_ready)
    return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/metrics", tags=["operate"])
async def metrics(request: Request) -> Response:
    """Answer with counters and latencies for Prometheus."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """Answer with the web page."""
    return FileResponse(PAGE, headers=PAGE_HEADERS)
