"""The webcam widget in a real browser: JupyterLab and Notebook on this machine, Chromium's own
fake camera fed with a face."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import camera_clip
import jupyter_browser
import nbformat
import numpy as np
import pytest
from PIL import Image

MISSING = jupyter_browser.browser_missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
]

CODE = "from fer_lib import WebcamWidget\nwidget = WebcamWidget({arguments})\nwidget"
# Keeps every stream that the page opens, to ask later whether its tracks have ended.
SPY = """
window.streams = [];
if (navigator.mediaDevices) {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wishes) => {
        const stream = await open(wishes);
        window.streams.push(stream);
        return stream;
    };
}
"""
TRACKS = "() => window.streams.flatMap((s) => s.getTracks()).map((track) => track.readyState)"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film of a smiling face for Chromium's camera."""
    import skimage.data

    frames = camera_clip.moving_photograph(skimage.data.astronaut())
    return camera_clip.write_camera_clip(tmp_path_factory.mktemp("clip") / "clip.y4m", frames)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jupyter_browser.Server]:
    with jupyter_browser.serve_jupyter(tmp_path_factory.mktemp("notebooks")) as running:
        yield running


def open_widget(browser, server, name, arguments="", app="lab/tree"):
    """Returns a notebook whose only cell has run and shows a widget."""
    cell = nbformat.v4.new_code_cell(CODE.format(arguments=arguments))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(file, server.folder / f"{name}.ipynb")
    browser.context.add_init_script(SPY)
    notebook = browser.open_notebook(server, f"{name}.ipynb", app)
    notebook.run_all()
    assert notebook.errors() == []
    notebook.page.get_by_role("button", name="Start camera").wait_for()
    return notebook


def result(page, timeout_s=30):
    """Returns what the widget says below the picture, as soon as it names an expression."""
    page.wait_for_function(
        "() => document.querySelector('.fer-result').textContent.includes('%')",
        timeout=timeout_s * 1000,
    )
    return page.locator(".fer-result").inner_text()


def wait_for_message(page, pattern, timeout_s=30):
    page.wait_for_function(
        "(p) => new RegExp(p).test(document.querySelector('.fer-message').textContent)",
        arg=pattern,
        timeout=timeout_s * 1000,
    )


def box_pixels(page):
    """Returns how many pixels of the layer over the picture are drawn on."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector(".fer-overlay");
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        }"""
    )


@pytest.fixture(scope="module")
def live(server, clip):
    """A notebook with a running widget, its first answer, and how long that took in seconds."""
    with jupyter_browser.open_chromium(camera=clip) as browser:
        notebook = open_widget(browser, server, "live")
        button = notebook.page.get_by_role("button", name="Start camera")
        started = time.monotonic()
        button.click()
        first = result(notebook.page)
        yield notebook, first, time.monotonic() - started


def test_a_face_box_and_an_emotion_are_seen_within_ten_seconds(live):
    notebook, first, seconds = live
    assert re.fullmatch(r"happy \d+%", first)
    assert seconds < 10
    assert box_pixels(notebook.page) > 1000
