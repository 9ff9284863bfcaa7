"""Videos in, tables and annotated videos out; files, folders of images, addresses and cameras."""

from fer_lib.video.analysis import FaceRows, analyze_video
from fer_lib.video.annotation import annotate_frame
from fer_lib.video.video_source import VideoFrame, VideoSource
from fer_lib.video.video_writer import VideoWriter

__all__ = [
    "FaceRows",
    "VideoFrame",
    "VideoSource",
    "VideoWriter",
    "analyze_video",
    "annotate_frame",
]
