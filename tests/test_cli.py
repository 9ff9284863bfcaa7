"""The command line: answers on stdout, one-line errors on stderr, exit statuses."""

import json

import keras
import numpy as np
import pytest
import skimage.data
from clips import write_clip
from PIL import Image

from fer_lib import evaluation, models, pretrained
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import EmotionStream
from fer_lib.synthetic import make_faces


@pytest.fixture(scope="module", autouse=True)
def small_model(tmp_path_factory):
    """An untrained model under the name `small`: the subcommands do not care how good it is."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    network = models.build_cnn("lesson")
    card = {"class_names": list(EMOTIONS), "recipe": {"variant": "lesson"}}
    pretrained.save_pretrained(folder / "small", network, card)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_LIB_MODELS", str(folder))
        yield folder / "small"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder with a face, a cat, a text file named .jpg, and a face in a subfolder."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "inner").mkdir()
    Image.fromarray(skimage.data.astronaut()).save(folder / "face.jpg")
    Image.fromarray(skimage.data.astronaut()).save(folder / "inner" / "face.jpg")
    Image.fromarray(skimage.data.chelsea()).save(folder / "cat.png")
    (folder / "text.jpg").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def fer2013_file(tmp_path_factory):
    """A tiny file in FER2013's CSV layout: noise with 28 Training and 14 PublicTest rows."""
    generator = np.random.default_rng(0)
    rows = ["emotion,pixels,Usage"]
    for index in range(42):
        pixels = " ".join(map(str, generator.integers(0, 256, 48 * 48)))
        rows.append(f"{index % 7},{pixels},{'Training' if index < 28 else 'PublicTest'}")
    file = tmp_path_factory.mktemp("data") / "fer2013.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def assert_one_line(error, subcommand):
    assert error.startswith(f"fer_lib {subcommand}: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error


@pytest.fixture
def assert_refused(run_cli):
    """A function that runs a command and wants one line on stderr alone, with a word in it."""

    def check(word, *words):
        status, out, err = run_cli(*words)
        assert (status, out) == (1, "")
        assert_one_line(err, words[0])
        assert word in err

    return check


def test_predict_walks_a_folder_and_reports_the_bad_file_alone(run_cli, photographs, tmp_path):
    status, out, err = run_cli(
        "predict", photographs, "--model", "small", "--json", "--save", tmp_path
    )
    entries = {entry["path"].removeprefix(f"{photographs}/"): entry for entry in json.loads(out)}
    assert status == 1
    assert set(entries) == {"cat.png", "face.jpg", "inner/face.jpg", "text.jpg"}
    assert entries["cat.png"] == {"path": str(photographs / "cat.png"), "faces": [], "error": None}
    assert "text.jpg" in entries["text.jpg"]["error"]
    (face,) = entries["face.jpg"]["faces"]
    assert set(face) == {
        "box", "detection_score", "landmarks", "emotion", "confidence", "probabilities",
    }  # fmt: skip
    assert list(face["probabilities"]) == list(EMOTIONS)
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert face["confidence"] == face["probabilities"][face["emotion"]]
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert written == ["cat.png.png", "face.jpg.png", "inner/face.jpg.png"]


def test_predict_prints_a_table_and_where_the_images_are(run_cli, photographs, tmp_path):
    status, out, err = run_cli(
        "predict", photographs / "face.jpg", "--model", "small", "--save", tmp_path
    )
    assert status == 0
    assert out.endswith(f"The annotated images are in {tmp_path}.\n")
    assert "1 face\n" in out
    assert all(emotion in out for emotion in EMOTIONS)


def test_predict_names_what_it_cannot_do(assert_refused, photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    words = ["predict", "--model", "small"]
    for path in (photographs / "missing.jpg", photographs / "text.jpg", tmp_path / "empty"):
        assert_refused(path.name, *words, path)
    assert_refused("text.jpg", *words, photographs, "--save", photographs / "text.jpg" / "inner")
    # One of the models that there are is named.
    assert_refused("small", "predict", photographs, "--model", "none")


@pytest.mark.filterwarnings("ignore:.*published")
def test_evaluate_prints_scores_json_and_robustness(run_cli, fer2013_file, tmp_path):
    words = ("evaluate", "--model", "small", "--data", fer2013_file)
    file = tmp_path / "robustness.json"
    status, out, err = run_cli(*words, "--robustness", file, "--robustness-step", 2)
    assert status == 0
    assert out.startswith("small on fer2013, PublicTest\n") and "accuracy" in out.lower()
    report = evaluation.RobustnessReport.read_json(file)
    assert report.n == 7 and report.dataset == "fer2013, 1 face in 2"
    assert str(report) in out
    status, out, err = run_cli(*words, "--json", "--tta")
    scores = json.loads(out)
    assert scores["n"] == 14
    assert scores["accuracy"] == np.trace(scores["confusion_matrix"]) / 14
    wanted = {
        "n", "accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "kappa", "loss", "ece",
        "per_class", "confusion_matrix",
    }  # fmt: skip
    assert wanted <= set(scores)


@pytest.fixture(scope="module")
def second_model(small_model):
    """Another untrained model beside `small`, called `second`."""
    keras.utils.set_random_seed(1)
    network = models.build_cnn("lesson")
    card = {"class_names": list(EMOTIONS), "predicts": "votes"}
    pretrained.save_pretrained(small_model.with_name("second"), network, card)


def test_evaluate_compares_and_writes_one_page(run_cli, fer2013_file, second_model, tmp_path):
    page = tmp_path / "new" / "report.html"
    words = ["evaluate", "--model", "small", "--data", fer2013_file, "--compare", "second"]
    with pytest.warns(UserWarning, match="published"):
        status, out, err = run_cli(*words, "--report", page)
    assert status == 0
    assert "small and second" in out or "better than" in out or "difference between" in out
    assert str(page) in out
    text = page.read_text(encoding="utf-8")
    assert "<title>small on fer2013: evaluation</title>" in text
    assert "PublicTest" in text and "second" in text
    with pytest.warns(UserWarning, match="published"):
        status, out, err = run_cli(*words, "--compare", "second", "--report", page, "--json")
    values = json.loads(out)
    assert values["model"] == "small"
    pairs = values["comparison"]["differences"]
    names = [(pair["first"], pair["second"]) for pair in pairs]
    assert names[0] == ("small", "second 2") and len(names) == 3
    assert str(page) in err


@pytest.fixture(scope="module")
def votes_file(fer2013_file):
    """FER+ votes: 5 for the next class; row 28 is no face, rows 29 and 30 have 4 for each class."""
    order = [6, 3, 5, 4, 0, 1, 2]  # the seven classes in the file's columns
    rows = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt"]
    rows[0] += ",unknown,NF"
    for index in range(42):
        votes = [0] * 7 + [1, 0, 0]
        votes[order.index(index % 7)] = 4
        votes[order.index((index + 1) % 7)] = 4 if index in (29, 30) else 5
        votes = [0] * 9 + [10] if index == 28 else votes
        usage = "Training" if index < 28 else "PublicTest"
        rows.append(",".join(map(str, [usage, f"fer{index:07d}.png", *votes])))
    file = fer2013_file.with_name("fer2013new.csv")
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.mark.filterwarnings("ignore:.*published")
def test_evaluate_scores_thirds_of_the_images(run_cli, fer2013_file, votes_file, tmp_path):
    page = tmp_path / "page.html"
    words = ["evaluate", "--model", "small", "--data", fer2013_file, "--slices"]
    status, out, err = run_cli(*words, "--report", page)
    assert status == 0
    assert "sharpness: fewer than two groups have 30 samples: nothing is claimed." in out
    assert "agreement" not in out and 'id="slices"' in page.read_text(encoding="utf-8")
    status, out, err = run_cli(*words, "--votes", votes_file, "--json")
    groups = json.loads(out)["slices"]["groups"]
    columns = ["agreement", "sharpness", "brightness", "contrast"]
    assert list(dict.fromkeys(group["column"] for group in groups)) == columns
    assert sum(group["n"] for group in groups) == 4 * 14


@pytest.mark.filterwarnings("ignore:.*published")
def test_evaluate_scores_by_the_labels_or_by_the_votes(
    run_cli, assert_refused, fer2013_file, votes_file, second_model, tmp_path
):
    words = ["evaluate", "--data", fer2013_file, "--model"]
    for options, labels, supports in (
        (["small", "--votes", votes_file], "fer2013", [2] * 7),
        (["small", "--votes", votes_file, "--labels", "votes"], "votes", [2, 1, 1, 1, 2, 2, 2]),
        (["second", "--votes", votes_file], "votes", [2, 1, 1, 1, 2, 2, 2]),
        (["second", "--votes", votes_file, "--labels", "fer2013"], "fer2013", [2] * 7),
        (["second"], "fer2013", [2] * 7),
    ):
        status, out, err = run_cli(*words, *options, "--json")
        scores = json.loads(out)
        assert (status, scores["labels"], scores["n"]) == (0, labels, sum(supports))
        assert [row["support"] for row in scores["per_class"].values()] == supports
    page = tmp_path / "page.html"
    status, out, err = run_cli(*words, "second", "--votes", votes_file, "--report", page)
    said = "what at least 5 of ten people saw (FER+); 3 images have none"
    assert f"Labels: {said}" in out and said in page.read_text(encoding="utf-8")
    assert_refused("--votes FILE", *words, "small", "--labels", "votes")


def test_evaluate_refuses_at_once_what_cannot_be_written_or_read(assert_refused, tmp_path):
    (tmp_path / "folder.html").mkdir()
    words = ["evaluate", "--data", tmp_path / "none.csv", "--model"]
    for said, options in (
        ("--report", ("none", "--report", tmp_path / "report.pdf")),
        ("folder.html, a folder", ("none", "--report", tmp_path / "folder.html")),
        ("--robustness", ("none", "--robustness", tmp_path)),
        ("none.csv, an input", ("none", "--robustness", tmp_path / "none.csv")),
        ("none.csv, which does not exist", ("small",)),
    ):
        assert_refused(said, *words, *options)


@pytest.mark.filterwarnings("ignore:.*published")
def test_train_writes_a_model_that_predict_takes(run_cli, fer2013_file, photographs, tmp_path):
    words = ["train", "--data", fer2013_file, "--output", tmp_path / "mine", "--variant", "lesson"]
    status, out, err = run_cli(*words, "--epochs", 1)
    assert status == 0
    assert str(tmp_path / "mine") in out
    status, out, err = run_cli(*words, "--epochs", 1)
    assert status == 1
    assert "--overwrite" in err and "`" not in err
    status, *_ = run_cli("predict", photographs / "face.jpg", "--model", tmp_path / "mine")
    assert status == 0


def test_train_fine_tunes_on_a_folder(run_cli, tmp_path):
    for image, label in make_faces(10):
        folder = tmp_path / "mine" / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{len(list(folder.iterdir()))}.png")
    words = ["train", "--from", "small", "--data", tmp_path / "mine", "--epochs", 1]
    status, out, err = run_cli(*words, "--output", tmp_path / "tuned")
    assert status == 0, err
    assert "a fifth of the images" in out
    card = json.loads((tmp_path / "tuned" / "card.json").read_text())
    assert card["start"]["name"] == "small"
    assert card["data"]["training"]["images"] == 56


def test_augment_keeps_the_folders_and_repeats_by_seed(
    run_cli, assert_refused, photographs, tmp_path
):
    for name in ("first", "second"):
        words = ["augment", photographs, "--output", tmp_path / name, "--copies", 2]
        status, _, err = run_cli(*words)
        assert status == 1 and "text.jpg" in err
    names = sorted(str(p.relative_to(tmp_path / "first")) for p in tmp_path.rglob("first/**/*.png"))
    stems = ("cat", "face", "inner/face")
    assert names == [f"{stem}_augmented_{index}.png" for stem in stems for index in (0, 1)]
    for name in names:
        first = np.asarray(Image.open(tmp_path / "first" / name))
        np.testing.assert_array_equal(first, np.asarray(Image.open(tmp_path / "second" / name)))
    (tmp_path / "empty").mkdir()
    assert_refused("empty", "augment", tmp_path / "empty", "--output", tmp_path)


def test_demo_draws_both_photographs(run_cli, tmp_path):
    status, out, err = run_cli("demo", "--model", "small", "--output", tmp_path / "new")
    assert status == 0
    assert out.count(" pixels\n") == 2
    assert Image.open(tmp_path / "new" / "demo.png").size[0] > 800


def test_info_tells_what_a_bug_report_needs(run_cli):
    status, out, err = run_cli("info")
    assert status == 0
    for word in ("fer_lib", "keras", "Keras backend", "small"):
        assert word in out


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Twelve frames of a photograph with one face, moved by a pixel each."""
    photograph = Image.fromarray(skimage.data.astronaut()).resize((256, 256))
    frames = [np.roll(np.asarray(photograph), step, axis=1) for step in range(12)]
    options = {"movflags": "faststart"}
    return write_clip(tmp_path_factory.mktemp("video") / "video.mp4", frames, options=options)


def test_video_writes_a_table_a_video_and_a_timeline(run_cli, video, tmp_path):
    words = ["video", video, "--csv", tmp_path / "a" / "rows.csv", "--model", "small"]
    words += ["--annotate", tmp_path / "out.mp4", "--plot", tmp_path / "b" / "plot.png"]
    status, out, err = run_cli(*words)
    assert (status, err) == (0, "")
    assert "12 frames, 1 face\n" in out and "face 1, in 12 frames" in out
    lines = (tmp_path / "a" / "rows.csv").read_text().splitlines()
    assert len(lines) == 13
    assert lines[0].startswith("frame,time_s,face_id,x,y,width,height,detection_score,emotion,")
    with Image.open(tmp_path / "b" / "plot.png") as plot:
        assert plot.width > 500
    assert (tmp_path / "out.mp4").stat().st_size > 1000


def test_video_says_what_was_lost(run_cli, video, tmp_path):
    # Most of the bytes are the first frame; the others are moved copies of it.
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:-600])
    status, out, err = run_cli(
        "video", tmp_path / "cut.mp4", "--csv", tmp_path / "rows.csv", "--model", "small"
    )
    assert status == 0
    assert_one_line(err, "video")
    assert "damaged or cut off" in err
    assert 2 <= len((tmp_path / "rows.csv").read_text().splitlines()) < 13


def test_video_without_a_video_is_one_line(assert_refused, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    words = ["video", "--csv", tmp_path / "rows.csv", "--model", "small"]
    for source in (tmp_path / "text.mp4", tmp_path / "none.mp4"):
        assert_refused(source.name, *words, source)
    assert not (tmp_path / "rows.csv").exists()


def test_an_interrupted_video_keeps_its_rows_and_says_so(run_cli, video, tmp_path, monkeypatch):
    frames = []
    follow = EmotionStream.update

    def interrupted(stream, frame, time_s):
        frames.append(time_s)
        if len(frames) > 5:
            raise KeyboardInterrupt
        return follow(stream, frame, time_s)

    monkeypatch.setattr(EmotionStream, "update", interrupted)
    status, out, err = run_cli("video", video, "--csv", tmp_path / "rows.csv", "--model", "small")
    assert status == 130 and "interrupted" in err and "5 frames" in out
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 6
