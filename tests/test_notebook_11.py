"""Lesson 11's page for photographs, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import jupyter_browser
import notebook_cells
import pytest
import skimage.data
from PIL import Image

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "11_deployment.ipynb"
MISSING = jupyter_browser.browser_missing("playwright", "gradio")


@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_page_recognizes_an_uploaded_photograph(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.png")
    page = notebook_cells.load_cells(NOTEBOOK, "page")["page"]
    try:
        with jupyter_browser.open_chromium() as browser:
            tab = browser.context.new_page()
            tab.goto(page.local_url)
            upload = tab.locator("input[type=file]").first
            upload.set_input_files(tmp_path / "astronaut.png", timeout=60_000)
            tab.get_by_role("button", name="Submit").click()
            tab.get_by_text("happy", exact=True).first.wait_for(timeout=120_000)
            assert tab.get_by_text(re.compile(r"happy \d+%")).count() == 1  # the box in the image
    finally:
        page.close()
