"""The recognizer behind an address: a page for people, an HTTP API for programs (extra `serve`)."""

from fer_lib.serve.app import make_app, serve

__all__ = ["make_app", "serve"]
