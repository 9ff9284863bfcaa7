"""Videos in, tables and annotated videos out; files, folders of images and live addresses."""

from fer_lib.video.analysis import analyze_video, annotate_video
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.face_rows import FaceRows, read_table
from fer_lib.video.video_source import VideoFrame, VideoSource
from fer_lib.video.video_writer import VideoWriter

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
