"""Many images to one table: its rows, its files, and what an interruption leaves."""

import json
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib import batch
from fer_lib.batch import face_table, video_folder
from fer_lib.cli import main
from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS
from fer_lib.recognition import FaceEmotion

POINTS = dict.fromkeys(("left_eye", "right_eye", "nose", "mouth_left"), (1.5, 2.5))
POINTS["mouth_right"] = (9.0, 8.0)


def recognize(image):
    """One face for each 10 pixels of the image's width above 20."""
    probabilities = np.eye(7, dtype=np.float32)[3]
    count = (image.shape[1] - 20) // 10
    faces = [Face((i, 2, 30 - i, 40), 0.9, POINTS if i else None) for i in range(count)]
    return [FaceEmotion(face, probabilities, EMOTIONS) for face in faces]


@pytest.fixture
def recognizer(monkeypatch):
    seen = []

    def predict(images):
        images = list(images)
        seen.extend(image.shape for image in images)
        return list(map(recognize, images))

    monkeypatch.setattr(face_table, "load_recognizer", lambda *_: SimpleNamespace(predict=predict))
    return seen


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, width in enumerate((20, 30, 40)):
        Image.new("RGB", (width, 25)).save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def names(folder):
    return sorted(map(str, folder.iterdir()))


def read(file):
    kinds = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    if file.suffix == ".jsonl":
        return pd.read_json(file, lines=True)
    return kinds[file.suffix](file)


def test_rows_of_faces_of_none_and_of_errors(recognizer, folder):
    table = batch.FaceTable()
    rows = table(pd.DataFrame({"path": names(folder)}))
    assert list(rows.columns) == list(table.columns) == list(table.empty().columns)
    assert rows.dtypes.equals(table.empty().dtypes)
    assert rows["path"].str[-5:].tolist() == ["0.png", "1.png", "2.png", "2.png", "n.png"]
    assert rows["face"].tolist() == [pd.NA, 0, 0, 1, pd.NA]
    assert rows["image_width"].tolist()[:4] == [20, 30, 40, 40]
    assert rows[["x", "y", "width", "height"]].loc[3].tolist() == [1, 2, 29, 40]
    assert rows[["nose_x", "nose_y", "mouth_right_y"]].loc[3].tolist() == [1.5, 2.5, 8.0]
    assert rows["nose_x"].isna().tolist() == [True, True, True, False, True]
    assert rows["emotion"].tolist() == [pd.NA, "happy", "happy", "happy", pd.NA]
    assert rows["happy"][1] == 1 and rows["confidence"][1] == 1 and rows["sad"][1] == 0
    assert rows["error"].isna().tolist() == [True] * 4 + [False]


def test_bytes_are_images_whose_path_is_a_name(recognizer, folder):
    content = (folder / "1.png").read_bytes()
    rows = batch.FaceTable()(pd.DataFrame({"path": ["s3://a/1.png"], "bytes": [content]}))
    assert rows["path"].tolist() == ["s3://a/1.png"] and rows["face"].tolist() == [0]


def test_a_table_travels_to_another_process_without_its_model(recognizer):
    table = batch.FaceTable("cnn", "fast", 30.0, True)
    copy = pickle.loads(pickle.dumps(table))
    assert copy.arguments == ("cnn", "fast", 30.0, True) and copy.columns == table.columns
    assert len(pickle.dumps(table)) < 300


@pytest.mark.parametrize("suffix", batch.SUFFIXES)
def test_each_kind_of_file_holds_the_same_rows(recognizer, folder, tmp_path, suffix, monkeypatch):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    monkeypatch.setattr("fer_lib.batch.table_file._PART_IMAGES", 2)
    output, table = tmp_path / f"faces{suffix}", batch.FaceTable()
    assert batch.write_table(batch.make_batches(names(folder), table, 1), output) == 1
    rows = read(output)
    assert list(rows.columns) == list(table.columns)
    assert rows["image_width"].fillna(0).tolist() == [20, 30, 40, 40, 0]
    assert rows["emotion"].fillna("").tolist() == ["", "happy", "happy", "happy", ""]
    assert not (tmp_path / f"faces{suffix}.parts").exists()


def test_an_interrupted_run_keeps_its_parts_and_resume_does_the_rest(
    recognizer, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("fer_lib.batch.table_file._PART_IMAGES", 1)
    output, table = tmp_path / "faces.csv", batch.FaceTable()
    output.write_text("older\n")

    def interrupted():
        yield from batch.make_batches(names(folder)[:2], table, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.write_table(interrupted(), output)
    assert output.read_text() == "older\n"
    assert len(pd.concat(map(read, (tmp_path / "faces.csv.parts").iterdir()))) == 2
    with pytest.raises(FileExistsError, match="--resume"):
        batch.missing_images(names(folder), output)
    output.unlink()
    recognizer.clear()
    rest = batch.missing_images(names(folder), output, resume=True)
    batch.write_table(batch.make_batches(rest, table), output, resume=True)
    assert [shape[1] for shape in recognizer] == [40]
    assert read(output)["path"].str[-5:].tolist() == ["0.png", "1.png", "2.png", "2.png", "n.png"]
    assert batch.missing_images([*names(folder), "new.png"], output, resume=True) == ["new.png"]


def test_a_table_of_another_kind_or_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.parquet"):
        batch.missing_images([], tmp_path / "faces.xlsx")
    (tmp_path / "faces.csv").write_text("no,path,here\n")
    assert batch.missing_images(["a"], tmp_path / "faces.csv", resume=True) == ["a"]
    (tmp_path / "faces.jsonl").write_text("{")
    with pytest.raises(ValueError, match="remove it to begin anew"):
        batch.missing_images(["a"], tmp_path / "faces.jsonl", resume=True)


def test_the_command_line_writes_a_table_and_goes_on(recognizer, folder, tmp_path, capsys):
    output = str(tmp_path / "faces.csv")
    assert main(["predict", str(folder), "missing.png", "--output", output]) == 1
    streams = capsys.readouterr()
    assert "6 rows" in streams.out and "2 with an error" in streams.out
    recognizer.clear()
    assert main(["predict", str(folder), "--output", output, "--resume"]) == 0
    assert recognizer == []
    assert main(["predict", str(folder), "--resume"]) == 1
    assert main(["predict", str(folder), "--output", output, "--json"]) == 1


@pytest.mark.parametrize("suffix", batch.SUFFIXES)
def test_evaluate_scores_a_table_of_class_named_folders(recognizer, tmp_path, capsys, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    # One is right, one is wrong, one shows no face, and of the last nobody knows the class.
    for name, width in (("happy/a", 40), ("sad/null", 30), ("sad/b", 20), ("other/c", 30)):
        file = tmp_path / "photos" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, 25)).save(file)
    output, report = str(tmp_path / f"faces{suffix}"), tmp_path / "report.html"
    assert main(["predict", str(tmp_path / "photos"), "--output", output]) == 0
    capsys.readouterr()
    command = ["evaluate", "--predictions", output]
    assert main([*command, "--json", "--report", str(report)]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["images"], scores["found"], scores["accuracy"]) == (3, 2, 0.5)
    assert scores["accuracy_of_all"] == pytest.approx(1 / 3)
    assert "images without a face" in report.read_text()
    assert main(command) == 0
    assert "2 of 3 images" in capsys.readouterr().out
    assert main([*command, "--tta"]) == 1
    assert "without --tta" in capsys.readouterr().err
    (tmp_path / "other.csv").write_text("path,face\n")
    assert main(["evaluate", "--predictions", str(tmp_path / "other.csv")]) == 1
    assert "predict --output" in capsys.readouterr().err


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """A folder of videos, and the names of those that were analyzed."""
    folder, seen = tmp_path / "videos", []
    for name in ("a.mp4", "b.mp4", "two/a.MP4", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()

    def analyze(video, recognizer, csv_path, progress, detect_every):
        seen.append(video.relative_to(folder).as_posix())
        if seen[-1] == "b.mp4":
            raise RuntimeError("a decoder nobody listed\nsays two lines")
        table = pd.DataFrame({"face_id": [1, 2, None]})
        table.attrs = {"frames": 2, "lost_frames": 0, "interrupted": len(seen) > 3}
        table.to_csv(csv_path)
        return table

    monkeypatch.setattr(video_folder, "analyze_video", analyze)
    monkeypatch.setattr(video_folder, "load_recognizer", lambda *_: None)
    return folder, seen


def test_a_folder_of_videos_becomes_a_table_each_and_resume_does_the_rest(videos, tmp_path, capsys):
    (folder, seen), output = videos, tmp_path / "tables"
    command = ["video", str(folder), "--csv", str(output)]
    assert main(command) == 1
    assert seen == ["a.mp4", "b.mp4", "two/a.MP4"]
    written = sorted(file.relative_to(output).as_posix() for file in output.rglob("*.csv"))
    assert written == ["a.mp4.csv", "two/a.MP4.csv"]
    streams = capsys.readouterr()
    assert "a.mp4: 2 frames, 2 faces" in streams.out and "2 of 3 tables" in streams.out
    assert "nobody listed" in streams.err and len(streams.err.strip().splitlines()) == 1
    seen.clear()
    assert main([*command, "--resume"]) == 1 and seen == ["b.mp4"]


def test_an_interrupted_video_leaves_no_table_and_no_older_one_is_lost(videos, tmp_path):
    (folder, seen), output = videos, tmp_path / "tables"
    seen += ["", "", ""]
    output.mkdir()
    (output / "a.mp4.csv").write_text("older")
    assert main(["video", str(folder), "--csv", str(output)]) == 130
    assert [file.read_text() for file in output.rglob("*.*")] == ["older"]


@pytest.mark.parametrize("option", ["--annotate", "--plot"])
def test_a_folder_of_videos_has_no_annotated_video(videos, tmp_path, capsys, option):
    assert main(["video", str(videos[0]), "--csv", "x", option, str(tmp_path / "x.mp4")]) == 1
    assert "single video" in capsys.readouterr().err


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    import skimage.data

    folder = tmp_path_factory.mktemp("photographs")
    for index in range(6):
        image = Image.fromarray(skimage.data.astronaut()).resize((160 + 8 * index,) * 2)
        image.save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def run_script(code, *arguments):
    environment = os.environ | {"RAY_raylet_start_wait_time_s": "240"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


ON_A_CLUSTER = """
import os, pathlib, sys
import pandas as pd
from ray.cluster_utils import Cluster
from fer_lib import batch
from fer_lib.images import find_images

folder, mark = sys.argv[1:]

class DiesOnce(batch.FaceTable):
    def __call__(self, images):
        if os.path.basename(os.fsdecode(images["path"].iloc[0])) == "2.png":
            try:
                pathlib.Path(mark).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os._exit(1)
        return super().__call__(images)

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    images = [str(path) for path in find_images(folder)]
    one = pd.concat(batch.make_batches(images, batch.FaceTable("cnn_tiny")))
    table = DiesOnce("cnn_tiny")
    other = batch.make_batches_on_ray(images, table, 2, cluster.address, batch_size=1)
    assert not list(batch.make_batches_on_ray([], table))  # all is done already
    tables = one, pd.concat(other)
    one, other = (t.sort_values(["path", "face"], ignore_index=True) for t in tables)
    pd.testing.assert_frame_equal(one, other, atol=1e-5)
    import ray
    print(len(one), pathlib.Path(mark).exists(), len(ray.nodes()))
"""


@pytest.mark.slow
def test_a_cluster_of_two_nodes_gives_the_rows_of_one_process_though_a_worker_dies(
    photographs, tmp_path
):
    pytest.importorskip("ray", reason="ray is not installed (extra ray)")
    done = run_script(ON_A_CLUSTER, photographs, tmp_path / "died")
    assert done.stdout.strip().splitlines()[-1:] == ["7 True 2"], done.stderr[-2000:]


@pytest.mark.slow
def test_dask_gives_the_rows_of_one_process(photographs):
    dataframe = pytest.importorskip("dask.dataframe", reason="dask is not installed (extra dask)")
    table = batch.FaceTable("cnn_tiny")
    paths = pd.DataFrame({"path": names(photographs)})
    frame = dataframe.from_pandas(paths, npartitions=2)
    rows = frame.map_partitions(table, meta=table.empty()).compute(scheduler="threads")
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), table(paths), atol=1e-5)
