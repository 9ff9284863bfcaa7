"""The page of an evaluation: whole, true to the numbers, self-contained, the same every time."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from fer_lib.evaluation import Corruption, compare, evaluate, robustness_suite
from fer_lib.evaluation.base import text_of
from fer_lib.report import write_report
from fer_lib.synthetic import make_faces

NASTY = 'cnn </script><b onload="x">&amp;'
CARD = {
    "class_names": ["a"],
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
    """Reads a page strictly: what is opened is closed, in order, and every id is unique."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.resources = [], [], [], []
        self.rows, self.text, self.data, self.alts = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert len(values) == len(attributes), f"an attribute of {tag} is there twice"
        if tag not in VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if tag == "img":
            self.alts.append(values["alt"])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.resources += [values[k] for k in ("src", "srcset", "poster", "data") if k in values]
        assert tag != "link" and not any(name.startswith("on") for name in values)

    def handle_endtag(self, tag):
        assert tag not in VOID
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "script" in self.open:
            self.data += text
        elif "style" not in self.open:
            self.text.append(text)
            if self.rows and ("td" in self.open or "th" in self.open):
                self.rows[-1][-1] += text

    def row(self, first):
        return next([" ".join(cell.split()) for cell in r] for r in self.rows if r[0] == first)


@pytest.fixture(scope="module")
def faces():
    faces = make_faces(10, seed=2)
    votes = np.random.default_rng(0).multinomial(10, np.full(7, 1 / 7), len(faces))
    columns = [f"votes_{name}" for name in faces.class_names]
    faces.metadata[columns] = votes
    return faces


def scored(faces, seed, name):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(len(faces), 7))
    logits[np.arange(len(faces)), faces.labels] += 1.5
    exponentials = np.exp(logits)
    return evaluate(
        faces,
        exponentials / exponentials.sum(axis=1, keepdims=True),
        model_name=name,
        training_images=faces.images[:12],
        num_resamples=200,
    )


@pytest.fixture(scope="module")
def reports(faces):
    return scored(faces, 0, "first"), scored(faces, 1, NASTY)


@pytest.fixture(scope="module")
def robustness(faces):
    """Of a model that sees nothing but the light."""

    class Light:
        name = "light"

        def predict(self, images):
            dark = (images.mean(axis=(1, 2, 3)) < 100)[:, np.newaxis]
            return np.where(dark, np.eye(7)[0], np.eye(7)[3])

    black = Corruption("mouth <covered>", "px", (1, 2, 3, 4, 5), lambda images, *_: images * 0)
    return robustness_suite(faces, Light(), [black, "dark"], num_resamples=50)


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the drawing out, which takes most of the time."""
    names = ("confusion", "reliability", "risk_coverage")
    empty = dict.fromkeys(names, "data:image/svg+xml;base64,")
    monkeypatch.setattr("fer_lib.report.figures.draw_all", lambda report: empty)


def render_report(folder, report, **options):
    return write_report(folder / "page.html", report, **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(reports, robustness, tmp_path_factory):
    return render_report(
        tmp_path_factory.mktemp("report"),
        reports[0],
        others=reports[1:],
        card=CARD,
        robustness=robustness,
        details={"split": "PublicTest"},
    )


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_is_whole_and_every_section_can_be_reached(page):
    assert len(page.ids) == len(set(page.ids))
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) | {"report-data"} == set(page.ids)
    assert len(inner) == 13
    assert len(page.alts) == 3 and all(page.alts)


def test_nothing_is_loaded_from_elsewhere(text, page):
    assert page.resources and all(
        r.startswith("data:image/svg+xml;base64,") for r in page.resources
    )
    assert "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text
    outside = [link for link in page.links if not link.startswith("#")]
    assert all(link.startswith("https://") for link in outside)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses == set(outside)


def test_it_shows_no_image_but_the_three_figures(text):
    assert text.count("data:") == 3 + 1  # the figures, and the policy that allows them
    for svg in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
        drawing = base64.b64decode(svg)
        assert b"<image" not in drawing and b"http-equiv" not in drawing


def test_the_numbers_are_those_of_the_report(page, reports, robustness):
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
    row = robustness.table.iloc[4]
    assert page.row("mouth <covered>")[5:7] == [f"{row.accuracy:.3f}", f"{row['drop']:.3f}"]
    assert page.row("trained on")[1].startswith("28,697 images of fer2013 Training")
    assert json.loads(page.data) == {
        "report": report.to_dict(),
        "comparison": compare(*reports).to_dict(),
    }


def test_the_comparison_is_said_in_a_sentence_and_in_numbers(page, reports):
    [difference] = compare(*reports).differences
    assert difference.sentence() in "".join(page.text)
    row = page.row(f"first \N{MINUS SIGN} {NASTY}")
    assert row[1] == f"{difference.accuracy:.3f}"
    assert row[5] == f"{difference.only_first} and {difference.only_second}"


def test_names_cannot_break_the_page(text, page):
    assert "<b " not in text and "mouth <covered>" not in text
    assert page.row(NASTY)[0] == NASTY
    assert text.count("</script>") == 1


def test_the_same_input_gives_the_same_bytes(reports, robustness, text, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none", "axes.facecolor": "red"}):
        again = render_report(
            tmp_path,
            reports[0],
            others=reports[1:],
            card=CARD,
            robustness=robustness,
            details={"split": "PublicTest"},
        )
    assert again == text


def test_what_is_not_there_is_not_shown_and_said_where_it_matters(tmp_path):
    alone = evaluate(np.array([1]), np.array([[0.9, 0.1]]), ["cat", "dog"])
    page = Page(render_report(tmp_path, alone))
    assert not {"comparison", "votes", "robustness", "sets"} & set(page.ids)
    said = " ".join("".join(page.text).split())
    for sentence in (
        "No sample of cat",
        "No model card was given",
        "training images were not at hand",
        "data set without a name",
    ):
        assert sentence in said
    assert "nan" not in said.lower().split()
    assert page.row("cat")[2] == "-"


@pytest.mark.parametrize(("part", "words"), [("training", "trained"), ("validation", "selected")])
def test_images_that_made_the_model_are_named_as_such(part, words, reports, undrawn, tmp_path):
    card = {"data": {part: {"sha256": reports[0].predictions.data_hash}}}
    warning = f"{words} on these very images"
    assert warning in render_report(tmp_path, reports[0], card=card)
    assert warning not in render_report(tmp_path, reports[0], card=CARD)


def test_nothing_is_written_where_it_cannot_be(reports, faces, tmp_path, undrawn):
    other = scored(faces[:20], 0, "other")
    with pytest.raises(ValueError, match="same samples"):
        write_report(tmp_path / "page.html", reports[0], others=[other])
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="page.html"):
        write_report(tmp_path / "file" / "page.html", reports[0])
