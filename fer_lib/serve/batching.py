"""Images of many requests to their faces, in batches and one batch after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from fer_lib.images.decoding import decode, shorten
from fer_lib.recognition import EmotionRecognizer, FaceEmotion, predict_each

MAX_AT_WORK = 64
"""Images that may be uploaded, wait or be worked on at one time."""

MAX_BATCH = 16
"""Images whose faces are predicted in one pass."""


class BusyError(Exception):
    """As many images are at work as may be; the request is to be sent again later."""


class BatchQueue:
    """Answers images in the order in which they come, up to `MAX_BATCH` in one pass.

    It belongs to one event loop; only the networks run in a thread. They use all cores for one
    batch, so that a second thread would be no faster.
    """

    def __init__(self, recognizer: EmotionRecognizer) -> None:
        self._recognizer = recognizer
        self._free = MAX_AT_WORK
        self._waiting: asyncio.Queue[tuple[str, BinaryIO, asyncio.Future]] = asyncio.Queue()

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Keeps places for so many images while the block runs, or raises a `BusyError`."""
        if count > self._free:
            raise BusyError(f"{MAX_AT_WORK} images are at work. Try again in a second.")
        self._free -= count
        try:
            yield
        finally:
            self._free += count

    async def predict(self, name: str, file: BinaryIO) -> list[FaceEmotion] | Exception:
        """Returns the faces of a file, which stays open until then, or why there are none."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((name, file, answer))
        return await answer

    async def run(self) -> None:
        """Answers what waits and what comes, until it is cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            files = [(name, file) for name, file, _ in batch]
            answers = await asyncio.to_thread(predict_each, self._recognizer, files, _read)
            for (_, _, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # its request was cancelled
                    future.set_result(answer)


def _read(named: tuple[str, BinaryIO]) -> np.ndarray:
    name, file = named
    file.seek(0)
    return decode(file.read(), shorten(name))
