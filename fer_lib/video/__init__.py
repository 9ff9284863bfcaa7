"""Videos in, tables and annotated videos out; files, folders of frames and live addresses."""

from fer_lib.video.annotation import annotate_frame
from fer_lib.video.reading import VideoFrame, VideoSource
from fer_lib.video.table import FaceRows, analyze_video, annotate_video, read_table
from fer_lib.video.writing import VideoWriter

__all__ = [
    "FaceRows",
    "VideoFrame",
    "VideoSource",
    "VideoWriter",
    "analyze_video",
    "annotate_frame",
    "annotate_video",
    "read_table",
]
