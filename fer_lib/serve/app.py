"""The HTTP API and the page: what is asked is checked here, and answered by `batching`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, UploadFile
from fastapi.exceptions import StarletteHTTPException
from fastapi.responses import HTMLResponse, JSONResponse

import fer_lib
from fer_lib.images.decoding import OversizedError
from fer_lib.recognition import EmotionRecognizer
from fer_lib.serve.batching import BatchQueue, BusyError

MAX_BYTES = 20_000_000
"""Of one request, with everything in it."""

MAX_FILES = 16
"""Images of one request."""

_READ_S = 60  # the longest that a request may take to arrive
_CLOSE_S = 5  # the longest that open requests are waited for after Ctrl-C
_PAGE = Path(__file__).with_name("page.html")
# The page is whole in itself: it loads nothing, talks to this server only, and sits in no frame.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob:; "
    "media-src blob:; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "array",
            "maxItems": MAX_FILES,
            "items": {"type": "string", "format": "binary"},
        }
    },
}
_TOO_LARGE = HTTPException(413, f"Expected at most {MAX_BYTES} bytes in one request")
_PROBLEMS = {
    400: "The form is damaged",
    403: "The request comes from a page of another address",
    408: "The request did not arrive in time",
    413: "Too many bytes, files or pixels",
    415: "The request is no multipart/form-data",
    422: "No image, or none that can be read",
    503: "Too many images are at work; Retry-After says when to try again",
}


def make_app(recognizer: EmotionRecognizer) -> FastAPI:
    """Returns the ASGI application, for any server that speaks ASGI.

    Its routes are `/` (the page), `/predict`, `/healthz`, `/docs` and `/openapi.json`. It keeps
    nothing of what it gets. Run it in one process: each has a queue and networks of its own.

    Args:
        recognizer: Answers the images; used by one thread, which ends with the application.
    """
    work = BatchQueue(recognizer)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(work.close)

    app = FastAPI(
        title="fer_lib",
        version=fer_lib.__version__,
        summary="Facial expressions of the faces in images",
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(_check_origin)],
        exception_handlers={StarletteHTTPException: _answer_error},
    )

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers=_PAGE_HEADERS)

    @app.get("/healthz", summary="Whether the server answers")
    async def healthz() -> dict[str, Any]:
        return {"status": "ok", "classes": recognizer.class_names}

    @app.post(
        "/predict",
        summary="The faces of one or several images",
        openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": _FORM}}}},
        responses={status: {"description": text} for status, text in _PROBLEMS.items()},
    )
    async def predict(request: Request) -> list[dict[str, Any]]:
        """Answers a list with one entry an image: `path`, `faces` and `error`.

        It is the JSON of `python -m fer_lib predict --json`. One image that cannot be read costs
        the others nothing; where none can be read, the answer is an error.
        """
        try:
            with work.places(1):  # before the body is read, so that bodies cannot pile up
                async with _read_files(request) as files:
                    with work.places(len(files) - 1):
                        waiting = [work.put(file.filename or "", file.file) for file in files]
                        answers = await asyncio.gather(
                            *map(asyncio.wrap_future, waiting), return_exceptions=True
                        )
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if len(errors) == len(answers):
            raise HTTPException(_status_of(errors[0]), _say(errors[0]))
        return [
            _entry(file.filename or "", answer) for file, answer in zip(files, answers, strict=True)
        ]

    return app


def serve(recognizer: EmotionRecognizer, listener: socket.socket) -> None:
    """Answers requests until Ctrl-C.

    Args:
        recognizer: Answers the images.
        listener: A listening socket, see `socket.create_server`.
    """
    config = uvicorn.Config(
        make_app(recognizer),
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_CLOSE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


async def _check_origin(request: Request) -> None:
    """Refuses what the page of another site sends, also under a name that leads to this machine."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin")
    named = host in ("localhost", socket.gethostname().lower()) or _is_address(host)
    if not named or origin not in (
        None,
        *(f"{s}://{request.url.netloc}" for s in ("http", "https")),
    ):
        text = "Expected the address of this server as Host and Origin. Received: "
        raise HTTPException(403, f"{text}{request.headers.get('host')} and {origin}")


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


@asynccontextmanager
async def _read_files(request: Request) -> AsyncIterator[list[UploadFile]]:
    """Lends the files of a request that has no more bytes and takes no longer than it may."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(415, "Expected multipart/form-data with images in the field `file`")
    length = request.headers.get("content-length", "")
    size = 0

    async def receive() -> dict[str, Any]:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > MAX_BYTES:
            raise _TOO_LARGE
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request is cut off")
        return message

    if length.isdecimal() and int(length) > MAX_BYTES:
        raise _TOO_LARGE
    try:
        async with asyncio.timeout(_READ_S):
            form = await Request(request.scope, receive).form()
    except TimeoutError:
        raise HTTPException(408, f"Expected the whole request in {_READ_S} seconds") from None
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


def _status_of(error: BaseException) -> int:
    if isinstance(error, asyncio.CancelledError):  # the server is closing
        return 503
    return 413 if isinstance(error, OversizedError) else 422 if isinstance(error, OSError) else 500


def _entry(path: str, answer: Any) -> dict[str, Any]:
    failed = isinstance(answer, BaseException)
    faces = [] if failed else [face.to_dict() for face in answer]
    return {"path": path, "faces": faces, "error": _say(answer) if failed else None}


def _say(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


async def _answer_error(_: Request, error: StarletteHTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
