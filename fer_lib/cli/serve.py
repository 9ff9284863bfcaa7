"""`serve`: a page and an HTTP API on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import socket

from fer_lib.cli.arguments import add_recognizer, make_recognizer, number
from fer_lib.errors import one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    add("--port", type=number(0, 65535), default=8000, help="0: any free one (default: 8000)")
    add_recognizer(parser)


def run(arguments: argparse.Namespace) -> int:
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if not _is_there(name)]
    if missing:
        raise ModuleNotFoundError(
            f'Expected {" and ".join(missing)}: pip install -c constraints.txt -e ".[serve]"'
        )
    with _listen(arguments.host, arguments.port) as listener:
        from fer_lib.serve import serve

        recognizer = make_recognizer(arguments)  # after the port, which is tried in no time
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        print(f"Serving on {address} (API: {address}/docs). Ctrl-C ends it.", flush=True)
        serve(recognizer, listener)
    return 0


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            "Expected --host of this machine and a free --port. "
            f"Received: {host}, port {port} ({one_line(error)})"
        ) from None
