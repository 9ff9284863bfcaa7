"""The recognizer behind an address: a page for people, an HTTP API for programs.

Needs the extra `serve`: `pip install "fer-lib[serve]"`.
"""

from fer_lib.serve.app import make_app, serve

__all__ = ["make_app", "serve"]
