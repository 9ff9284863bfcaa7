"""The page of an evaluation: whole, true to the numbers, self-contained, the same every time."""

import base64
import json
import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from scipy import special

from fer_lib.evaluation import (
    compare,
    evaluate,
    image_properties,
    robustness_suite,
    slice_report,
)
from fer_lib.evaluation.base import text_of
from fer_lib.report import write_report
from fer_lib.synthetic import make_faces

NASTY = 'cnn </script><b onload="x">&amp;'
CARD = {
    "parameters": 1905831,
    "selected_epoch": 33,
    "recipe": {"variant": "base", "epochs": 36, "seed": 0},
    "data": {
        "training": {"name": "fer2013", "splits": ["Training"], "images": 28697, "sha256": "aa"},
        "validation": {"name": "fer2013", "splits": ["PublicTest"], "images": 10, "sha256": "bb"},
    },
    "versions": {"keras": "3.15"},
}
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order, and nothing runs."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.rows, self.text, self.data = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert len(values) == len(attributes), f"an attribute of {tag} is there twice"
        assert tag != "link" and not any(name.startswith("on") for name in values)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag not in VOID and self.open.pop() == tag

    def handle_data(self, text):
        if "script" in self.open:
            self.data += text
        elif "style" not in self.open:
            self.text.append(text)
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += text

    def all(self, name):
        return [value for key, value in self.attributes if key == name]

    def row(self, first):
        return next([" ".join(cell.split()) for cell in r] for r in self.rows if r[0] == first)

    def said(self):
        return " ".join("".join(self.text).split())


@pytest.fixture(scope="module")
def faces():
    faces = make_faces(10, seed=2)
    votes = np.random.default_rng(0).multinomial(10, np.full(7, 1 / 7), len(faces))
    faces.metadata[[f"votes_{name}" for name in faces.class_names]] = votes
    return faces


def scored(faces, seed, name):
    logits = np.random.default_rng(seed).normal(size=(len(faces), 7))
    logits[np.arange(len(faces)), faces.labels] += 1.5
    return evaluate(
        faces,
        special.softmax(logits, axis=1),
        model_name=name,
        training_images=faces.images[:12],
        num_resamples=200,
    )


@pytest.fixture(scope="module")
def reports(faces):
    return scored(faces, 0, "first"), scored(faces, 1, NASTY)


@pytest.fixture(scope="module")
def options(faces, reports):
    """Everything that a page can show."""

    class Light:
        name = "light"

        def predict(self, images):
            dark = (images.mean(axis=(1, 2, 3)) < 100)[:, np.newaxis]
            return np.where(dark, np.eye(7)[0], np.eye(7)[3])

    robustness = robustness_suite(faces, Light(), ["mouth", "dark"], num_resamples=50)
    return {
        "others": reports[1:],
        "card": CARD,
        "slices": slice_report(reports[0], image_properties(faces), min_size=10),
        "robustness": robustness,
        "details": {"split": "PublicTest"},
    }


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the drawing out, which takes most of the time."""
    empty = dict.fromkeys(("confusion", "reliability", "risk_coverage"), "data:")
    monkeypatch.setattr("fer_lib.report.page._draw", lambda report: empty)


def render(folder, report, **options):
    return write_report(folder / "page.html", report, **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(reports, options, tmp_path_factory):
    return render(tmp_path_factory.mktemp("report"), reports[0], **options)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_is_whole_and_nothing_is_loaded_from_elsewhere(text, page):
    ids, links = page.all("id"), page.all("href")
    inside = [link[1:] for link in links if link.startswith("#")]
    outside = {link for link in links if not link.startswith("#")}
    assert len(ids) == len(set(ids)) and set(inside) | {"report-data"} == set(ids)
    assert len(inside) == 14
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == outside
    assert "@import" not in text and "url(" not in text and "default-src 'none'" in text
    assert not set(dict(page.attributes)) & {"srcset", "poster", "data"}
    # The only images are three figures, and no figure holds an image.
    assert len(page.all("src")) == len(list(filter(None, page.all("alt")))) == 3
    for address in page.all("src"):
        kind, svg = address.split(",")
        assert kind == "data:image/svg+xml;base64"
        assert b"<image" not in base64.b64decode(svg) and b"http-equiv" not in base64.b64decode(svg)


def test_the_numbers_are_those_of_the_reports(page, reports, options):
    report = reports[0]
    assert page.row("accuracy")[1:5] == [
        text_of(value)
        for part in (report, report.clean)
        for value in (part.accuracy, part.accuracy_ci95)
    ]
    assert f"{100 * report.accuracy:.1f}%" in page.text
    fear = report.per_class.loc["fear"]
    assert page.row("fear")[1:4] == [f"{fear[name]:.3f}" for name in ("precision", "recall", "f1")]
    assert page.row("also among the training images")[1] == "12"
    assert page.row("people were split")[1] == str(report.agreement.errors["people were split"])
    assert f"{report.agreement.cross_entropy:.3f} nats" in page.said()
    row = options["robustness"].table.iloc[4]
    assert page.row("mouth covered")[5:7] == [f"{row.accuracy:.3f}", f"{row['drop']:.3f}"]
    group = options["slices"].groups.iloc[-1]
    assert page.row(f"contrast {group.group}")[1:3] == [str(group.n), f"{group.accuracy:.3f}"]
    assert page.row("trained on")[1].startswith("28,697 images of fer2013 Training")
    comparison = compare(*reports)
    assert json.loads(page.data) == {
        "report": report.to_dict(),
        "comparison": comparison.to_dict(),
    }
    [difference] = comparison.differences
    assert difference.sentence() in "".join(page.text)
    cells = page.row(f"first \N{MINUS SIGN} {NASTY}")
    assert cells[1] == f"{difference.accuracy:.3f}"
    assert cells[5] == f"{difference.only_first} and {difference.only_second}"


def test_names_cannot_break_the_page(text, page):
    assert "<b " not in text
    assert page.row(NASTY)[0] == NASTY
    assert text.count("</script>") == 1


def test_the_same_input_gives_the_same_bytes(reports, options, text, tmp_path):
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none", "axes.facecolor": "red"}):
        assert render(tmp_path, reports[0], **options) == text


def test_what_is_not_there_is_not_shown_and_said_where_it_matters(tmp_path):
    page = Page(render(tmp_path, evaluate(np.array([1]), np.array([[0.9, 0.1]]), ["cat", "dog"])))
    assert not {"comparison", "votes", "slices", "robustness", "sets"} & set(page.all("id"))
    for sentence in (
        "No sample of cat",
        "No model card was given",
        "training images were not at hand",
        "data set without a name",
    ):
        assert sentence in page.said()
    assert "nan" not in page.said().lower().split()
    assert page.row("cat")[2] == "-"


@pytest.mark.parametrize(("part", "words"), [("training", "trained"), ("validation", "selected")])
def test_images_that_made_the_model_are_named_as_such(part, words, reports, undrawn, tmp_path):
    card = {"data": {part: {"sha256": reports[0].data_hash}}}
    warning = f"{words} on these very images"
    assert warning in render(tmp_path, reports[0], card=card)
    assert warning not in render(tmp_path, reports[0], card=CARD)


def test_nothing_is_written_where_it_cannot_be(reports, faces, tmp_path, undrawn):
    with pytest.raises(ValueError, match="same samples"):
        render(tmp_path, reports[0], others=[scored(faces[:20], 0, "other")])
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="page.html"):
        render(tmp_path / "file", reports[0])
