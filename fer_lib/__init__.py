"""fer_lib: facial expression recognition with Keras 3, from a photograph to a trained network.

Importing the package is light: a public name is looked up in its room, and the room's libraries
(keras, tensorflow, cv2, matplotlib) are loaded, when the name is first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_ROOM_OF: dict[str, str] = {
    "EMOTIONS": "labels",
    "EMOTIONS_8": "labels",
    "EMOTION_COLORS": "labels",
    "canonical_emotion": "labels",
    "read_image": "images",
    "FaceDataset": "datasets",
    "dataset_info": "datasets",
    "draw_face": "datasets",
    "draw_faces": "datasets",
    "fetch_dataset": "datasets",
    "fetch_fer2013": "datasets",
    "fetch_ferplus": "datasets",
    "list_datasets": "datasets",
    "concatenate": "datasets",
    "load_affectnet": "datasets",
    "load_ckplus": "datasets",
    "load_course_dataset": "datasets",
    "load_expw": "datasets",
    "load_fer2013": "datasets",
    "load_ferplus": "datasets",
    "load_folder": "datasets",
    "load_jaffe": "datasets",
    "load_kdef": "datasets",
    "load_rafdb": "datasets",
    "make_faces": "datasets",
    "Face": "detection",
    "FaceDetector": "detection",
    "align_face": "alignment",
    "denoise": "enhancement",
    "equalize_contrast": "enhancement",
    "build_cnn": "models",
    "build_resnet50": "models",
    "freeze_backbone": "models",
    "unfreeze_top": "models",
    "RandomAffine": "augmentation",
    "build_augmenter": "augmentation",
    "Pretrained": "pretrained",
    "load_pretrained": "pretrained",
    "save_pretrained": "pretrained",
    "EvaluationReport": "evaluation",
    "adjust_priors": "evaluation",
    "RobustnessReport": "evaluation",
    "SliceReport": "evaluation",
    "compare": "evaluation",
    "corrupt": "evaluation",
    "evaluate": "evaluation",
    "fit_temperature": "evaluation",
    "robustness_suite": "evaluation",
    "slice_report": "evaluation",
    "plot_class_counts": "plotting",
    "plot_confusion_matrix": "plotting",
    "plot_explanations": "plotting",
    "plot_faces": "plotting",
    "plot_history": "plotting",
    "plot_mean_saliency": "plotting",
    "plot_predictions": "plotting",
    "plot_region_energy": "plotting",
    "plot_reliability": "plotting",
    "plot_risk_coverage": "plotting",
    "plot_robustness": "plotting",
    "plot_slices": "plotting",
    "grad_cam": "explain",
    "mean_saliency": "explain",
    "occlusion_map": "explain",
    "region_energy": "explain",
    "sanity_check": "explain",
    "write_report": "report",
    "plot_timeline": "plotting",
    "plot_transfer": "plotting",
    "check_dataset": "doctor",
    "TrainingConfig": "training",
    "load_recipe": "training",
    "load_teacher": "training",
    "match_recipe": "training",
    "train": "training",
    "write_teacher": "training",
    "export_model": "export",
    "EmotionRecognizer": "recognition",
    "EmotionStream": "recognition",
    "FaceEmotion": "recognition",
    "TrackedEmotion": "recognition",
    "analyze_video": "video",
    "annotate_video": "video",
    "WebcamWidget": "webcam",
    "run_webcam": "webcam",
    "load_audit": "results",
    "load_experiments": "results",
    "load_history": "results",
    "load_predictions": "results",
    "check_notebook_version": "versions",
}
# Old public name -> (its new name, the last version that knows the old one: two after the change).
_RENAMED: dict[str, tuple[str, str]] = {}
__all__ = ["__version__", *_ROOM_OF]


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        new, last = _RENAMED[name]
        importlib.import_module("fer_lib.versions").warn_renamed(name, new, last)
        return getattr(importlib.import_module(__name__), new)
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'fer_lib' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fer_lib.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
