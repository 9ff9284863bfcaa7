"""fer_lib: facial expression recognition with Keras 3, from a photograph to a trained network.

The names of a first page are here; everything else is in its room, such as
`from fer_lib.plotting import plot_reliability`. Importing the package is light: a name or a room
is loaded, with its libraries (keras, tensorflow, cv2, matplotlib), when it is first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.2.0"

_ROOM_OF: dict[str, str] = {
    "EMOTIONS": "labels",
    "read_image": "images",
    "FaceDataset": "datasets",
    "load_fer2013": "datasets",
    "load_folder": "datasets",
    "fetch_dataset": "datasets",
    "make_faces": "synthetic",
    "draw_face": "synthetic",
    "load_course_dataset": "course",
    "check_notebook_version": "course",
    "Face": "detection",
    "FaceDetector": "detection",
    "align_face": "alignment",
    "build_cnn": "models",
    "build_resnet50": "models",
    "build_augmenter": "augmentation",
    "Pretrained": "pretrained",
    "load_pretrained": "pretrained",
    "save_pretrained": "pretrained",
    "evaluate": "evaluation",
    "plot_faces": "plotting",
    "plot_history": "plotting",
    "plot_confusion_matrix": "plotting",
    "plot_predictions": "plotting",
    "grad_cam": "explain",
    "check_dataset": "audit",
    "train": "training",
    "EmotionRecognizer": "recognition",
    "analyze_video": "video",
    "WebcamWidget": "webcam",
}
_ROOMS = (
    *("alignment", "audit", "augmentation", "batch", "cli", "course", "datasets", "detection"),
    *("enhancement", "evaluation", "explain", "export", "files", "images", "labels", "models"),
    *("paths", "plotting", "pretrained", "processes", "recognition", "report", "results"),
    *("serve", "synthetic", "tracking", "training", "video", "webcam"),
)
__all__ = [*_ROOM_OF]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"fer_lib.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'fer_lib' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fer_lib.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
