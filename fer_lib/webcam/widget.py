"""The webcam in a notebook, through the browser: JupyterLab, Notebook, VS Code, Colab.

The browser's half is `widget.js`; the messages between the two are described in `session`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from fer_lib.plotting.style import class_colors
from fer_lib.webcam.session import Snapshot, WebcamSession

if TYPE_CHECKING:
    import pandas as pd

_FOLDER = Path(__file__).parent


class WebcamWidget(anywidget.AnyWidget):
    """Recognises the expressions of your webcam's picture, live in a notebook.

    The last line of a cell shows it; press "Start camera" there. The browser asks for the camera,
    which may be another computer's than the one that runs Python, and draws the faces, their
    expressions and the probabilities of the last seconds over the live picture. Frames are
    left out while Python is busy. A photo or a video file may be opened instead.

    Pictures are kept only where "Snapshot" is pressed, in `snapshots`; the results of every frame
    stay in memory as numbers, see `to_frame`. Nothing is written to disk.

    Args:
        recognizer: An `EmotionRecognizer`; `None` makes one with `paths.DEFAULT_STREAM_MODEL`.
        camera: The number of a camera of the computer that runs Python, or a video file that
            stands in for one, see `Camera`. `None`: the browser's camera, which VS Code does not
            lend to notebooks.
        frame_width: Frames are made at most this wide in pixels before they are sent.
        **stream_options: Settings of `EmotionRecognizer.start_stream`, such as `smoothing_s`.

    Raises:
        ValueError: `frame_width` is below 64.

    Example:
        >>> widget = WebcamWidget()  # doctest: +SKIP
        >>> widget  # doctest: +SKIP
        >>> widget.to_frame()  # doctest: +SKIP
    """

    # As text: of a path anywidget would keep every widget alive, to tell it of changes.
    _esm = _FOLDER.joinpath("widget.js").read_text(encoding="utf-8")
    _css = _FOLDER.joinpath("widget.css").read_text(encoding="utf-8")
    _settings = traitlets.Dict().tag(sync=True)
    _session: WebcamSession | None = None  # also of a widget that could not be made

    def __init__(
        self,
        recognizer: Any = None,
        *,
        camera: int | str | os.PathLike[str] | None = None,
        frame_width: int = 640,
        **stream_options: Any,
    ) -> None:
        if not frame_width >= 64:
            raise ValueError(
                f"Expected `frame_width` of at least 64 pixels. Received: {frame_width}"
            )
        if recognizer is None:
            from fer_lib.paths import DEFAULT_STREAM_MODEL
            from fer_lib.recognition import EmotionRecognizer

            recognizer = EmotionRecognizer(DEFAULT_STREAM_MODEL)
        recognizer.start_stream(**stream_options).close()  # wrong options are told here
        names = recognizer.class_names
        colors = class_colors(names)
        classes = [{"name": n, "color": color} for n, color in zip(names, colors, strict=True)]
        super().__init__(
            _settings={
                "classes": classes,
                "frame_width": frame_width,
                "kernel_camera": camera is not None,
            }
        )
        self.error: BaseException | None = None
        self._session = WebcamSession(
            recognizer,
            camera=camera,
            frame_width=frame_width,
            stream_options=stream_options,
        )
        self.on_msg(self._receive)

    @property
    def snapshots(self) -> list[Snapshot]:
        """The pictures that were kept, oldest first; each has `image`, `faces` and `time_s`."""
        return self._session.snapshots

    def to_frame(self) -> pd.DataFrame:
        """Returns the results so far, one row per face and frame, as `analyze_video` does."""
        return self._session.table()

    def clear(self) -> None:
        """Forgets the results and the snapshots."""
        self._session.clear()

    def stop(self) -> None:
        """Stops the camera, in the browser or here, as the button does."""
        self._session.stop()
        self.send({"type": "stop"})

    def close(self) -> None:
        """Stops the camera, removes the widget from the page and frees what it holds."""
        if self._session is not None:
            self._session.stop()
        super().close()

    def _receive(self, _: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        try:
            answer = self._session.answer(content, buffers)
        except BaseException as error:
            # The browser waits for an answer whatever happens, an interrupted kernel included.
            self._session.stop()
            self.error = error
            text = " ".join(str(error).split()) or type(error).__name__
            self.send({"type": "error", "session": content.get("session"), "message": text})
            raise
        if answer is not None:
            message, parts = answer
            self.send(message, parts)
