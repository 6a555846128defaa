"""Every address of the server: parse, read, answer."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api_server import describe
from api_server.access import admit
from api_server.bodies import read_upload, read_uploads
from api_server.page import PAGE, PAGE_HEADERS
from api_server.reader import Reader
from api_server.schemas import BatchReading, Health, Reading, UrlRequest
from api_server.service import Service, get_reader, get_service
from api_server.streaming import MEDIA_TYPE, stream_reading, to_events
from api_server.uploads import Body
from api_server.waiting import in_time

router = APIRouter()

ReaderDep = Annotated[Reader, Depends(get_reader)]
ServiceDep = Annotated[Service, Depends(get_service)]
Guarded = [Depends(admit)]


@router.get("/v1/predict", responses=describe.GET, dependencies=Guarded, tags=["predict"])
async def predict_url(
    request: Request, wanted: Annotated[UrlRequest, Query()], reader: ReaderDep, service: ServiceDep
) -> Reading:
    """Read the formula in the picture at an address on the public internet."""
    return await in_time(request, reader.read_url(wanted), service.settings.deadline_seconds)


@router.post(
    "/v1/predict", responses=describe.POST, openapi_extra=describe.UPLOAD, dependencies=Guarded, tags=["predict"]
)
async def predict_upload(
    request: Request, body: Annotated[Body, Depends(read_upload)], reader: ReaderDep, service: ServiceDep
) -> Reading:
    """Read the formula in an uploaded picture: JSON with base64 or a data URL, or a multipart form."""
    return await in_time(request, reader.read_upload(body), service.settings.deadline_seconds)


@router.post(
    "/v1/predict/batch",
    responses=describe.POST_BATCH,
    openapi_extra=describe.BATCH,
    dependencies=Guarded,
    tags=["predict"],
)
async def predict_batch(
    request: Request, body: Annotated[Body, Depends(read_uploads)], reader: ReaderDep, service: ServiceDep
) -> BatchReading:
    """Read some pictures: an answer or a problem for each, in the order sent."""
    work = reader.read_batch(body, partial(service.access.admit, request))
    return await in_time(request, work, service.settings.deadline_seconds)


@router.post(
    "/v1/predict/stream",
    response_class=StreamingResponse,
    responses=describe.POST_STREAM,
    openapi_extra=describe.UPLOAD,
    dependencies=Guarded,
    tags=["predict"],
)
async def predict_stream(
    request: Request, body: Annotated[Body, Depends(read_upload)], reader: ReaderDep, service: ServiceDep
) -> StreamingResponse:
    """Read as POST /v1/predict does, without a beam: an event `token` each, then `answer` (or `problem`).

    The answer is what counts: what was read in circles, or in print of another size than it seemed, is read again.
    """
    seconds = service.settings.deadline_seconds
    readings = stream_reading(reader, body)
    first = await in_time(request, anext(readings), seconds)
    return StreamingResponse(to_events(first, readings, seconds), media_type=MEDIA_TYPE)


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", tags=["operate"])
async def healthz() -> Health:
    """Answer that the process lives."""
    return Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={503: {"model": Health}}, tags=["operate"])
async def readyz(service: ServiceDep) -> JSONResponse:
    """Answer 200 once the model is loaded and warm, 503 before and while the server stops."""
    return JSONResponse({"status": "ready"}) if service.is_ready else JSONResponse({"status": "not ready"}, 503)


@router.get("/metrics", tags=["operate"], response_class=Response, responses=describe.METRICS)
async def metrics(service: ServiceDep) -> Response:
    """Answer with counters and latencies for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.head("/", include_in_schema=False)
@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """Answer with the web page."""
    return FileResponse(PAGE, headers=PAGE_HEADERS)
