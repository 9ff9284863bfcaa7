"""A notebook in a real browser: JupyterLab on this machine, Chromium without a window.

    with serve_jupyter(folder) as server, open_chromium() as browser:
        lab = browser.open_notebook(server, "lesson.ipynb")
        lab.run_all()
        print(lab.errors())

`browser_missing` says what this machine lacks, for tests to skip with; nothing here is downloaded.
JupyterLab has a configuration, a cache and a token of its own, and is ended whatever happens.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_S = 90
_ROOT = Path(__file__).resolve().parents[2]


def browser_missing(*modules: str) -> str | None:
    """Returns what keeps a browser test that needs these modules from running here, or `None`."""
    for module in modules or ("playwright", "jupyterlab"):
        if importlib.util.find_spec(module) is None:
            return f"needs {module}: make test-slow installs it"
    if _chromium() is None:
        return "needs Chromium: apt-get install chromium"
    return None


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    address: str
    token: str
    folder: Path

    def url(self, notebook: str, app: str = "lab/tree") -> str:
        """Returns the address of a notebook; `app="notebooks"` opens it in Notebook 7."""
        # `reset`: without the notebooks that were open when the last browser went.
        return f"{self.address}/{app}/{notebook}?reset&token={self.token}"


@contextlib.contextmanager
def serve_jupyter(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Runs JupyterLab on a folder of notebooks, with settings and logs of its own.

    Args:
        folder: What it shows, and where its kernels run.
        environment: Variables for the kernels, besides those of this process.

    Raises:
        RuntimeError: It does not answer in time; the message holds the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="fer_lib_jupyter_") as own:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        token = secrets.token_hex(16)
        _write_json(
            Path(own, "config", "jupyter_server_config.json"),
            {
                "LabApp": {"expose_app_in_browser": True},
                "JupyterNotebookApp": {"expose_app_in_browser": True},
            },
        )
        _write_json(
            Path(own, "settings", "@jupyterlab", "apputils-extension").joinpath(
                "notification.jupyterlab-settings"
            ),
            {"fetchNews": "false", "checkForUpdates": False},
        )
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        command += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}"]
        command += [f"--ServerApp.root_dir={folder}"]
        names = ("CONFIG", "DATA", "RUNTIME")
        variables = {f"JUPYTER_{name}_DIR": str(Path(own, name.lower())) for name in names}
        variables |= {"JUPYTERLAB_SETTINGS_DIR": str(Path(own, "settings"))}
        variables |= {"JUPYTERLAB_WORKSPACES_DIR": str(Path(own, "workspaces"))}
        variables |= {"IPYTHONDIR": str(Path(own, "ipython")), "PYTHONUNBUFFERED": "1"}
        # The kernels test this checkout, whatever is installed.
        paths = [str(_ROOT), os.environ.get("PYTHONPATH")]
        variables |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        log = Path(own, "log")
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **variables, **(environment or {})},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api/status?token={token}", process, log)
            yield Server(address, token, folder)
        finally:
            _end(process)


def _write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab does not answer: {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen) -> None:
    """Ends the server, which ends its kernels; kills it where it does not listen."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Browser:
    """Chromium with one window, made by `open_chromium`."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def open_notebook(self, server: Server, name: str, app: str = "lab/tree") -> Notebook:
        """Opens a notebook of the server's folder and waits until its kernel is ready."""
        page = self.context.new_page()
        page.goto(server.url(name, app), wait_until="domcontentloaded", timeout=180_000)
        notebook = Notebook(page, name)
        notebook.wait_until_ready()
        return notebook


@contextlib.contextmanager
def open_chromium(
    *,
    camera: Path | None = None,
    width: int = 1280,
    height: int = 900,
    color_scheme: str = "light",
) -> Iterator[Browser]:
    """Starts Chromium without a window.

    Args:
        camera: A clip in YUV4MPEG2 that plays as its camera, which every page may use. `None`:
            there is a camera, but the permission is denied.
        width: Of the window, in pixels.
        height: Of the window, in pixels.
        color_scheme: `"light"` or `"dark"`, what the system prefers.
    """
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--use-fake-device-for-media-stream"]
    if camera is not None:
        flags += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with _playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=flags)
        try:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=color_scheme
            )
            yield Browser(context)
        finally:
            chromium.close()


@contextlib.contextmanager
def _playwright() -> Iterator[Any]:
    """Lends the one Playwright that a thread can have; the last that gives it back ends it."""
    if not _users:
        from playwright.sync_api import sync_playwright

        _users.append(sync_playwright().start())
    playwright = _users[0]
    _users.append(playwright)
    try:
        yield playwright
    finally:
        _users.pop()
        if len(_users) == 1:
            _users.pop().stop()


_users: list[Any] = []


class Notebook:
    """A notebook that is open in JupyterLab or Notebook 7.

    Attributes:
        page: Playwright's page, for everything that is not here.
        path: The notebook's path in the server's folder.
    """

    def __init__(self, page: Any, path: str) -> None:
        self.page = page
        self.path = path

    def wait_until_ready(self, timeout_s: float = 180) -> None:
        """Waits until the notebook is shown and its kernel has started."""
        self.page.wait_for_function(
            """(path) => {
                const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
                if (!panel || !panel.context || panel.context.path !== path) return false;
                const { session } = panel.sessionContext;
                return session && session.kernel && session.kernel.connectionStatus === "connected"
                    && panel.content.widgets.length && session.kernel.status === "idle";
            }""",
            arg=self.path,
            timeout=timeout_s * 1000,
        )

    def run_all(self, timeout_s: float = 300) -> None:
        """Runs all cells from top to bottom and waits for the last; the first error ends it."""
        self.command("notebook:run-all-cells", timeout_s=timeout_s)

    def command(self, name: str, arguments: dict | None = None, timeout_s: float = 60) -> None:
        """Executes a command of the application, such as "notebook:run-all-cells"."""
        self.page.evaluate(
            """([name, values]) => {
                window.commandDone = false;
                window.jupyterapp.commands.execute(name, values).finally(
                    () => { window.commandDone = true; });
            }""",
            [name, arguments or {}],
        )
        self.page.wait_for_function("() => window.commandDone", timeout=timeout_s * 1000)

    def cells(self) -> list[dict[str, Any]]:
        """Returns the cells with their outputs, as a notebook file holds them."""
        return self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
        )

    def errors(self) -> list[str]:
        """Returns the errors that the cells show, as `"NameError: ..."`."""
        outputs = [output for cell in self.cells() for output in cell.get("outputs", [])]
        return [
            f"{output['ename']}: {output['evalue']}"
            for output in outputs
            if output["output_type"] == "error"
        ]

    def run_code(self, code: str, timeout_s: float = 60) -> str:
        """Runs code in the notebook's kernel, beside its cells, and returns what it prints.

        Raises:
            RuntimeError: The code raised.
        """
        self.page.evaluate(
            """(code) => {
                window.codeAnswer = null;
                const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
                const future = kernel.requestExecute({ code, store_history: false });
                let text = "", error = "";
                future.onIOPub = ({ header, content }) => {
                    if (header.msg_type === "stream" && content.name === "stdout")
                        text += content.text;
                    if (header.msg_type === "error") error = `${content.ename}: ${content.evalue}`;
                };
                future.done.finally(() => { window.codeAnswer = { text, error }; });
            }""",
            code,
        )
        self.page.wait_for_function("() => window.codeAnswer", timeout=timeout_s * 1000)
        answer = self.page.evaluate("() => window.codeAnswer")
        if answer["error"]:
            raise RuntimeError(answer["error"])
        return answer["text"]

    def set_theme(self, name: str) -> None:
        """Changes the theme, `"JupyterLab Light"` or `"JupyterLab Dark"`."""
        self.command("apputils:change-theme", {"theme": name})
