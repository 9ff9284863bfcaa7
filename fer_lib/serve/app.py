"""The HTTP API and the page: what is asked is checked here, and answered by `batching`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, UploadFile
from fastapi.exceptions import StarletteHTTPException
from fastapi.responses import HTMLResponse, JSONResponse
from python_multipart.exceptions import FormParserError

import fer_lib
from fer_lib.errors import one_line
from fer_lib.images.decoding import OversizedError
from fer_lib.recognition import EmotionRecognizer
from fer_lib.serve.batching import BatchQueue, BusyError

MAX_BYTES, MAX_FILES = 20_000_000, 16
"""The limits of one request: all its bytes, and its images."""

_READ_S = 60  # the longest that a request may take to arrive
_CLOSE_S = 5  # the longest that open requests are waited for after Ctrl-C
# A page is whole in itself: it loads nothing, talks to this server only, and sits in no frame.
_PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src blob: data:; media-src blob:; script-src "
    "'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)
_FILES = {"type": "array", "maxItems": MAX_FILES, "items": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": _FILES}}
_PROBLEMS = {
    400: "The form is damaged",
    403: "The request comes from a page of another address",
    408: "The request did not arrive in time",
    413: "Too many bytes, files or pixels",
    415: "The request is not multipart/form-data",
    422: "No image, or none that can be read",
    503: "Too many images are at work; Retry-After says when to try again",
}


def make_app(recognizer: EmotionRecognizer) -> FastAPI:
    """Returns the ASGI application: `/` (the page), `/predict`, `/healthz`, `/docs`.

    It keeps nothing of what it gets. Any server that speaks ASGI runs it, in one process: each
    process has a queue and networks of its own.
    """
    work = BatchQueue(recognizer)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(work.run())
        yield
        worker.cancel()

    app = FastAPI(
        title="fer_lib",
        version=fer_lib.__version__,
        docs_url=None,  # FastAPI's own loads its script from the internet
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(_check_origin)],
        exception_handlers={StarletteHTTPException: _answer_error},
    )

    def add_page(path: str, file: str) -> None:
        text = Path(__file__).with_name(file).read_text(encoding="utf-8")

        @app.get(path, include_in_schema=False)
        async def page() -> HTMLResponse:
            return HTMLResponse(text, headers={"Content-Security-Policy": _PAGE_POLICY})

    add_page("/", "page.html")
    add_page("/docs", "docs.html")

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        """Answers `ok` and the classes of the model."""
        return {"status": "ok", "classes": recognizer.class_names}

    @app.post(
        "/predict",
        openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": _FORM}}}},
        responses={status: {"description": text} for status, text in _PROBLEMS.items()},
    )
    async def predict(request: Request) -> list[dict[str, Any]]:
        """Answers a list with `path`, `faces` and `error` per image, as `predict --json` prints.

        One image that cannot be read costs the others nothing; where none can, it is an error.
        """
        try:
            with work.places(1):  # before the body is read, so that bodies cannot pile up
                async with _read_files(request) as files:
                    names = [file.filename or "" for file in files]
                    with work.places(len(files) - 1):
                        waiting = map(work.predict, names, [file.file for file in files])
                        answers = await asyncio.gather(*waiting)
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
        if all(isinstance(answer, Exception) for answer in answers):
            kinds = ((OversizedError, 413), (OSError, 422), (Exception, 500))
            status = next(status for kind, status in kinds if isinstance(answers[0], kind))
            raise HTTPException(status, one_line(answers[0]))
        return [
            {"path": name, "faces": [], "error": one_line(answer)}
            if isinstance(answer, Exception)
            else {"path": name, "faces": [face.to_dict() for face in answer], "error": None}
            for name, answer in zip(names, answers, strict=True)
        ]

    return app


def serve(recognizer: EmotionRecognizer, listener: socket.socket) -> None:
    """Answers the requests that come to a listening socket, until Ctrl-C."""
    options = {"access_log": False, "log_level": "warning", "server_header": False}
    config = uvicorn.Config(make_app(recognizer), timeout_graceful_shutdown=_CLOSE_S, **options)
    uvicorn.Server(config).run(sockets=[listener])


async def _check_origin(request: Request) -> None:
    """Refuses what the page of another site sends, also under a name that leads to this machine."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if not _is_this_machine(host) or (origin is not None and origin.partition("://")[2] != host):
        expected = "Expected as Host and Origin an IP address, localhost or this machine's name"
        raise HTTPException(403, f"{expected}. Received: {host} and {origin}")


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        known = ("localhost", socket.gethostname().lower())
        return name in known or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


@asynccontextmanager
async def _read_files(request: Request) -> AsyncIterator[list[UploadFile]]:
    """Lends the files of a request that has no more bytes and takes no longer than it may."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(415, "Expected multipart/form-data with images in the field `file`")
    too_large = HTTPException(413, f"Expected at most {MAX_BYTES} bytes in one request")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise too_large
    size = 0

    async def receive() -> dict[str, Any]:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > MAX_BYTES:
            raise too_large
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request is cut off")
        return message

    try:
        async with asyncio.timeout(_READ_S):
            form = await Request(request.scope, receive).form()
    except TimeoutError:
        raise HTTPException(408, f"Expected the whole request in {_READ_S} seconds") from None
    except FormParserError as error:
        raise HTTPException(400, one_line(error)) from None
    try:
        files = form.getlist("file")
        if not files or any(isinstance(file, str) for file in files):
            received = "text; addresses are not fetched" if files else "none"
            raise HTTPException(422, f"Expected files in the field `file`. Received: {received}")
        if len(files) > MAX_FILES:
            raise HTTPException(413, f"Expected at most {MAX_FILES} files. Received: {len(files)}")
        yield files
    finally:
        await form.close()


async def _answer_error(_: Request, error: StarletteHTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
