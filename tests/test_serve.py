"""The server: what each request is answered, in batches, within limits, to its own pages only."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import camera_clip
import clips
import jupyter_browser
import numpy as np
import pytest
from PIL import Image

from fer_lib.detection import Face
from fer_lib.recognition import FaceEmotion

NEEDS = 'needs FastAPI and httpx: pip install -e ".[test,serve]"'
httpx = pytest.importorskip("httpx", reason=NEEDS)
pytest.importorskip("python_multipart", reason=NEEDS)
server = pytest.importorskip("fer_lib.serve.app", reason=NEEDS)

NO_BROWSER = jupyter_browser.browser_missing("playwright")
HOST = "http://127.0.0.1:8000"
CLASSES = ("happy", "sad")


class FakeRecognizer:
    """One face per image, as wide as the image; raises for images that are 13 pixels wide."""

    class_names = CLASSES

    def __init__(self):
        self.batches = []
        self.go_on = threading.Event()
        self.go_on.set()

    def predict(self, images):
        self.go_on.wait(30)
        widths = [image.shape[1] for image in images]
        self.batches.append(len(widths))
        if 13 in widths:
            raise ValueError("thirteen")
        probabilities = np.array([0.75, 0.25], np.float32)
        return [[FaceEmotion(Face((0, 0, w, 8), 0.9), probabilities, CLASSES)] for w in widths]


def png(width=8, height=8):
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "png")
    return file.getvalue()


def form(*files):
    return [("file", (f"{index}.png", data)) for index, data in enumerate(files)]


def talk(conversation, recognizer=None):
    """Runs a coroutine function of a client with the application started."""

    async def run():
        app = server.make_app(recognizer or FakeRecognizer())
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=HOST) as client,
        ):
            return await asyncio.wait_for(conversation(client), 60)

    return asyncio.run(run())


def ask(method, path, recognizer=None, **options):
    return talk(lambda client: client.request(method, path, **options), recognizer)


def error_of(answer):
    [(key, text)] = answer.json().items()
    assert key == "error"
    assert "\n" not in text
    return text


def test_images_are_answered_as_predict_prints_them():
    answer = ask("POST", "/predict", files=form(png(20), png(30)))
    assert answer.status_code == 200
    face = {
        "box": [0, 0, 20, 8],
        "detection_score": 0.9,
        "landmarks": None,
        "emotion": "happy",
        "confidence": 0.75,
        "probabilities": {"happy": 0.75, "sad": 0.25},
    }
    first, second = answer.json()
    assert first == {"path": "0.png", "faces": [face], "error": None}
    assert second["faces"][0]["box"] == [0, 0, 30, 8]


def test_a_bad_image_costs_the_others_nothing():
    answer = ask("POST", "/predict", files=form(png(20), b"no image", png(13), png(30)))
    assert answer.status_code == 200
    good, unreadable, unlucky, last = answer.json()
    assert [good["faces"][0]["box"][2], last["faces"][0]["box"][2]] == [20, 30]
    assert unreadable["faces"] == unlucky["faces"] == []
    assert "'1.png', which holds none of these" in unreadable["error"]
    assert unlucky["error"] == "thirteen"


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("status", "request_", "says"),
    [
        (400, {"content": b"no boundary", "headers": MULTIPART}, ""),
        (400, {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "boundary"),
        (413, {"files": form(bytes(server.MAX_BYTES))}, "at most 20000000 bytes"),
        (413, {"files": form(*[png()] * 17)}, "at most 16 files. Received: 17"),
        (415, {"json": {"file": "photo.jpg"}}, "multipart/form-data"),
        (415, {"content": png(), "headers": {"content-type": "image/png"}}, "multipart/form-data"),
        (422, {"files": {"image": png()}}, "files in the field `file`. Received: none"),
        (422, {"files": {"file": (None, "http://127.0.0.1/a.png")}}, "addresses are not fetched"),
        (422, {"files": form(b"no image")}, "'0.png', which holds none of these"),
        (422, {"files": form(b"")}, "empty"),
        (422, {"files": form(png(40, 40)[:-30])}, "Cannot read '0.png'"),
        (500, {"files": form(png(13))}, "thirteen"),
    ],
)
def test_errors_are_one_line_with_their_status(status, request_, says):
    answer = ask("POST", "/predict", **request_)
    assert answer.status_code == status
    assert says in error_of(answer)


def test_too_many_pixels_are_refused(monkeypatch):
    monkeypatch.setenv("FER_LIB_MAX_PIXELS", "1000")
    answer = ask("POST", "/predict", files=form(png(40, 40)))
    assert answer.status_code == 413
    assert "40x40 pixels" in error_of(answer)


def test_a_body_without_a_length_is_read_up_to_the_limit_only():
    sent = []

    async def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        while len(sent) < 1000:
            sent.append(1)
            yield bytes(1_000_000)

    answer = ask("POST", "/predict", content=endless(), headers=MULTIPART)
    assert answer.status_code == 413
    assert len(sent) <= 22


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": HOST}, 200),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"origin": "http://example.org"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "example.org:8000", "origin": "http://example.org:8000"}, 403),
        ({"host": "[bad"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(headers, status):
    answer = ask("POST", "/predict", files=form(png()), headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert "Host and Origin" in error_of(answer)


def test_requests_that_wait_share_a_batch():
    recognizer = FakeRecognizer()

    async def conversation(client):
        recognizer.go_on.clear()
        first = asyncio.create_task(client.post("/predict", files=form(png())))
        await asyncio.sleep(0.2)
        others = [client.post("/predict", files=form(png(20 + i))) for i in range(20)]
        others = asyncio.gather(*others)
        await asyncio.sleep(0.5)
        recognizer.go_on.set()
        return await first, await others

    _, others = talk(conversation, recognizer)
    assert recognizer.batches == [1, 16, 4]
    widths = [answer.json()[0]["faces"][0]["box"][2] for answer in others]
    assert widths == list(range(20, 40)), "each request got the answer to its own image"


def test_more_than_64_images_at_work_are_sent_away_and_come_again():
    recognizer = FakeRecognizer()

    async def conversation(client):
        recognizer.go_on.clear()
        first = [client.post("/predict", files=form(*[png()] * 16)) for _ in range(4)]
        first = asyncio.gather(*first)
        await asyncio.sleep(0.5)
        refused = await client.post("/predict", files=form(png()))
        recognizer.go_on.set()
        return await first, refused, await client.post("/predict", files=form(png()))

    first, refused, again = talk(conversation, recognizer)
    assert [answer.status_code for answer in [*first, again]] == [200] * 5
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert "64 images" in error_of(refused)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_load_nothing_from_elsewhere(path):
    answer = ask("GET", path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "http" not in answer.text.replace("https:// or http://localhost", "")


def test_the_api_is_documented_and_healthy():
    assert ask("GET", "/healthz").json() == {"status": "ok", "classes": list(CLASSES)}
    operation = ask("GET", "/openapi.json").json()["paths"]["/predict"]["post"]
    assert "multipart/form-data" in operation["requestBody"]["content"]
    assert {"200", "413", "415", "422", "503"} <= set(operation["responses"])
    missing = ask("GET", "/nothing")
    assert missing.status_code == 404
    assert error_of(missing) == "Not Found"


@pytest.fixture(scope="module")
def address():
    """A server process of its own, ended by Ctrl-C in one line."""
    command = [sys.executable, "-m", "fer_lib", "serve", "--port", "0", "--model", "cnn_tiny"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            line = process.stdout.readline()
            yield re.match(r"Serving on (http://127\.0\.0\.1:\d+) ", line)[1]
        finally:
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1]
    assert errors == "fer_lib serve: interrupted\n"
    assert process.returncode == 130


@pytest.mark.slow
def test_a_port_in_use_is_one_line(address):
    command = [sys.executable, "-m", "fer_lib", "serve", "--port", address.rpartition(":")[2]]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1
    assert re.fullmatch(r"fer_lib serve: Expected .* a free --port\. .*\n", process.stderr)


@pytest.mark.slow
def test_400_requests_at_32_at_once(address, astronaut):
    file = io.BytesIO()
    Image.fromarray(astronaut[:240, 100:340]).save(file, "jpeg")

    async def load():
        client = httpx.AsyncClient(base_url=address, timeout=120)
        gate = asyncio.Semaphore(32)

        async def send():
            async with gate:
                return await client.post("/predict", files=form(file.getvalue()))

        async with client:
            return await asyncio.gather(*(send() for _ in range(400)))

    answers = asyncio.run(load())
    assert {answer.status_code for answer in answers} == {200}
    found = [answer.json()[0]["faces"] for answer in answers]
    assert {face["emotion"] for [face] in found} == {"happy"}
    boxes = {tuple(face["box"]) for [face] in found}
    assert len(boxes) == 1


@pytest.mark.slow
@pytest.mark.skipif(NO_BROWSER is not None, reason=str(NO_BROWSER))
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_page_in_a_browser(address, astronaut, tmp_path, width, scheme):
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg")
    (tmp_path / "text.png").write_text("no image")
    frames = camera_clip.moving_photograph(astronaut)
    clips.write_clip(tmp_path / "face.mp4", frames, rate=15)
    camera = camera_clip.write_camera_clip(tmp_path / "clip.y4m", frames)
    folder = Path(os.environ.get("FER_LIB_TEST_SCREENSHOTS") or tmp_path)
    options = {"camera": camera, "width": width, "color_scheme": scheme}
    with jupyter_browser.open_chromium(**options) as browser:
        page = browser.context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(error))
        page.on("console", lambda message: message.type == "error" and problems.append(message))
        page.goto(address)
        face = page.locator("#faces li").get_by_text(re.compile(r"happy \d+%"))

        page.screenshot(path=folder / f"serve_{width}_empty.png")
        page.keyboard.press("Tab")
        page.wait_for_function("document.activeElement.id === 'open'")
        page.evaluate("document.querySelector('#file').onclick = () => !(window.asked = true)")
        page.keyboard.press("Enter")
        page.wait_for_function("window.asked")
        page.locator("#file").set_input_files(tmp_path / "photo.jpg")
        face.wait_for()
        assert page.get_by_role("status").text_content() == "1 face, happy"
        assert page.get_by_role("img").get_attribute("aria-label") == "1 face, happy"
        page.screenshot(path=folder / f"serve_{width}_photo.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width

        page.locator("#file").set_input_files(tmp_path / "face.mp4")
        face.wait_for()
        page.get_by_text("The video has ended.").wait_for()
        page.goto(f"{address}/docs")
        page.get_by_role("heading", name="POST /predict").wait_for()
        page.screenshot(path=folder / f"serve_{width}_docs.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert problems == []
        page.goto(address)

        page.get_by_role("button", name="Start webcam").click()
        face.wait_for()
        page.screenshot(path=folder / f"serve_{width}_webcam.png", full_page=True)
        page.get_by_role("button", name="Stop").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector('video').srcObject") is None
        assert page.evaluate("document.activeElement.id") == "open"

        page.locator("#file").set_input_files(tmp_path / "text.png")
        page.get_by_role("alert").get_by_text("'text.png', which holds none").wait_for()
        page.screenshot(path=folder / f"serve_{width}_error.png", full_page=True)
        assert not page.locator("#canvas").is_visible()
