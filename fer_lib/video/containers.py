"""Video files and addresses opened narrowly, since they may come from anybody.

Local files are opened by absolute path, in a short list of containers, without the right to open
anything else; frames have a budget of pixels.
"""

from __future__ import annotations

import os
import re
import time

import av
from av.stream import Disposition

TIMEOUT_S = 10.0
"""Seconds that an address may take to open, and to send the next packet."""

_ADDRESS = re.compile(r"(https?|rtsps?|rtmps?|rtp|udp|tcp|srt)://", re.IGNORECASE)
# No playlists or image patterns (concat, hls, image2): they open further files.
_CONTAINERS = (
    "mov,matroska,avi,asf,flv,mpeg,mpegts,mpegvideo,m4v,h264,hevc,obu,ivf,ogg,gif,apng,mxf,dv,rm,"
    "nut,yuv4mpegpipe,mjpeg,wtv"
)
_STILL = ("mjpeg", "png", "bmp", "webp", "tiff")
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,rtmp,rtmps,srt,crypto"


def max_frame_pixels() -> int:
    """Returns the budget of a frame: `FER_LIB_MAX_FRAME_PIXELS`, else 40 megapixels (8K: 33)."""
    return int(os.environ.get("FER_LIB_MAX_FRAME_PIXELS", 40_000_000))


def _decoder_options() -> dict[str, str]:
    """Returns the decoder's own limit, which counts frames as it pads them."""
    return {"max_pixels": str(2 * max_frame_pixels() + 2**16)}


def is_address(name: str) -> bool:
    """Returns whether a source is the address of a stream."""
    return bool(_ADDRESS.match(name))


def open_container(name: str, timeout_s: float = TIMEOUT_S) -> av.container.InputContainer:
    """Opens a video file or an address with PyAV, and nothing else that these may name.

    Raises:
        OSError: It cannot be opened, or an address does not answer within `timeout_s`.
    """
    remote = is_address(name)
    options = _decoder_options()
    if remote:
        # FFmpeg itself opens a file over http again where it was cut off.
        options |= {"protocol_whitelist": _PROTOCOLS, "reconnect": "1", "reconnect_delay_max": "2"}
        if name.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    else:
        options |= {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
    started = time.monotonic()
    try:
        return av.open(
            name if remote else f"file:{os.path.abspath(name)}",
            options=options,
            timeout=timeout_s if remote else None,
            metadata_errors="replace",
        )
    except PermissionError:
        raise PermissionError(f"No permission to read {name!r}.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if remote and time.monotonic() - started >= timeout_s:
            hint = f"gave no answer in {timeout_s:g} s; is the stream running?"
            raise TimeoutError(f"Expected a video. {name!r} {hint}") from error
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        hint = "It is no video, or its index is cut off"
        hint = "Cannot open the stream; is it running?" if remote else hint
        raise OSError(f"Expected a video. Received: {name!r}. {hint} ({reason}).") from error


def find_video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """Returns the stream that a player shows: no cover, and not larger than the budget.

    Raises:
        OSError: There is none, or its frames are larger than `max_frame_pixels`.
    """
    shown = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]
    if not shown:
        raise OSError(f"Expected a video. {name!r} holds no moving images.")
    # An animated AVIF holds its first frame as an image of its own, too, and not every cover is
    # marked as one: streams of one frame or of still images come last.
    shown.sort(key=lambda stream: stream.frames == 1 or stream.codec_context.name in _STILL)
    codec = shown[0].codec_context
    if codec.width * codec.height > max_frame_pixels():
        raise OSError(
            f"Expected frames of at most {max_frame_pixels()} pixels, see the variable "
            f"FER_LIB_MAX_FRAME_PIXELS. {name!r} has {codec.width} x {codec.height}."
        )
    codec.options = _decoder_options()  # The size may change within the video.
    return shown[0]
