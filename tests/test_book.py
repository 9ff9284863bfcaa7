"""The site of the course builds without a warning, and needs no other address in a browser."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jupyter_browser
import pytest

import fer_lib

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/user/fork"
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "fastapi")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
NO_BROWSER = jupyter_browser.browser_missing("playwright")
in_a_browser = pytest.mark.skipif(NO_BROWSER is not None, reason=str(NO_BROWSER))
wide_and_narrow = pytest.mark.parametrize("page", [1280, 360], indirect=True)
narrow = pytest.mark.parametrize("page", [360], indirect=True)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}: pip install -e '.[book]'"),
]
PAGES = {
    "index.html": "fer_lib: facial expression recognition with Keras 3",
    "notebooks/08_video.html": "08 - Video and webcam",
    "datasets/AUGMENTATION.html": "Augmentation: what keeps an expression’s label true",
    "docs/api/fer_lib.html": "fer_lib",
}
WITHOUT_IMAGES = ("docs/api/fer_lib.html",)
# Images below the first screen load when they are scrolled to.
IMAGE_IS_SHOWN = """() => {
    const image = document.querySelector("article img");
    image.scrollIntoView();
    return image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 100;
}"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make book` does."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    command += ["-c", "docs", "-d", str(folder / "doctrees"), ".", str(folder / "html")]
    environment = {**os.environ, "REPOSITORY": REPOSITORY, "BRANCH": "autumn"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def site(book: Path) -> Iterator[str]:
    """The address of a web server on this machine that serves the site."""
    handler = functools.partial(QuietHandler, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def page(site: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of a browser, as wide as the test says, that notes what goes wrong."""
    with jupyter_browser.open_chromium(width=request.param) as browser:
        page = browser.context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("requestfailed", lambda failed: page.faults.append(failed.url))
        page.on("request", lambda sent: note_foreign(page.faults, sent.url, site))
        yield page


def note_foreign(faults: list[str], url: str, site: str) -> None:
    if not url.startswith((site, "data:", "blob:")):
        faults.append(url)


@in_a_browser
@wide_and_narrow
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_whole_on_wide_and_narrow_screens(name: str, site: str, page, tmp_path) -> None:
    page.goto(f"{site}/{name}")
    assert page.title() == f"{PAGES[name]} — fer_lib"
    if name not in WITHOUT_IMAGES:
        page.wait_for_function(IMAGE_IS_SHOWN)
    width = page.viewport_size["width"]
    folder = Path(os.environ.get("FER_LIB_TEST_SCREENSHOTS") or tmp_path)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=folder / f"book_{Path(name).stem}_{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.faults == []


@in_a_browser
@narrow
def test_no_page_is_wider_than_a_phone(book: Path, site: str, page) -> None:
    width = page.viewport_size["width"]
    wide = []
    for path in sorted(book.rglob("*.html")):
        if "_static" not in path.parts:
            name = path.relative_to(book).as_posix()
            page.goto(f"{site}/{name}", wait_until="domcontentloaded")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(name)
    assert wide == []


@in_a_browser
@wide_and_narrow
def test_search_finds_lessons_and_functions(site: str, page) -> None:
    page.goto(f"{site}/search.html?q=temperature")
    found = page.locator("#search-results li a")
    found.filter(has_text="07 - Evaluation").first.wait_for()
    page.wait_for_load_state("networkidle")  # a page is read for each result
    page.goto(f"{site}/search.html?q=plot_reliability")
    found.filter(has_text="fer_lib.plotting.plot_reliability").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.faults == []


@in_a_browser
@narrow
def test_formulas_need_no_script(site: str, page) -> None:
    page.goto(f"{site}/notebooks/08_video.html")
    formula = page.locator("div.math math").bounding_box()
    assert formula["width"] > 100
    assert formula["height"] > 10


def test_links_within_the_site_lead_somewhere(book: Path) -> None:
    from bs4 import BeautifulSoup

    paths = [path for path in book.rglob("*.html") if "_static" not in path.parts]
    pages = {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in paths}
    names = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in pages.items()}
    lost = []
    for path, soup in pages.items():
        for tag in soup.find_all(["a", "img", "link", "script"]):
            address = tag.get("href") or tag.get("src") or ""
            if not address or address.startswith(("http:", "https:", "mailto:", "data:")):
                continue
            file, _, name = unquote(address).partition("#")
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            if not target.is_file() or (name and target in names and name not in names[target]):
                lost.append(f"{path.relative_to(book)}: {address}")
    assert lost == []


def test_lessons_open_in_colab_and_can_be_downloaded(book: Path) -> None:
    lessons = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
    assert len(lessons) >= 12
    for lesson in lessons + sorted(ROOT.glob("notebooks/exercises/*.ipynb")):
        name = lesson.relative_to(ROOT)
        text = (book / name.with_suffix(".html")).read_text(encoding="utf-8")
        colab = "https://colab.research.google.com/github/user/fork/blob/autumn"
        assert f'href="{colab}/{name.as_posix()}"' in text
        assert f'_sources/{name.as_posix()}"' in text
        assert (book / "_sources" / name).read_bytes() == lesson.read_bytes()


def test_the_reference_has_every_public_name(book: Path) -> None:
    top = (book / "docs/api/fer_lib.html").read_text(encoding="utf-8")
    assert [name for name in fer_lib.__all__ if f'id="fer_lib.{name}"' not in top] == []
    for room in sorted(set(fer_lib._ROOMS) - {"cli"}):
        text = (book / f"docs/api/fer_lib.{room}.html").read_text(encoding="utf-8")
        names = set(getattr(getattr(fer_lib, room), "__all__", [])) - set(fer_lib.__all__)
        assert [name for name in names if f'id="fer_lib.{room}.{name}"' not in text] == []
