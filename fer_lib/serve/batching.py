"""Images of many requests to their faces, by one thread and in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np

from fer_lib.images.decoding import decode, shorten
from fer_lib.recognition import EmotionRecognizer, FaceEmotion

MAX_AT_WORK = 64
"""Images that may be uploaded, wait or be worked on at one time."""

MAX_BATCH = 16
"""Images whose faces are predicted in one pass."""


class BusyError(Exception):
    """As many images are at work as may be; the request is to be sent again later."""


class _Item(NamedTuple):
    name: str
    file: BinaryIO
    answer: Future[list[FaceEmotion]]


class BatchQueue:
    """Answers images in the order in which they come, all that wait in one pass.

    Networks use all cores for one batch, so that one thread is as fast as several, and an image is
    decoded only when it has its turn: what waits costs the memory of its file.

    Args:
        recognizer: Finds the faces and predicts them; used by the queue's own thread only.
    """

    def __init__(self, recognizer: EmotionRecognizer) -> None:
        self._recognizer = recognizer
        self._free = MAX_AT_WORK
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="fer_lib-serve", daemon=True)
        self._thread.start()

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Keeps places for so many images while the block runs; for one thread, the server's.

        Raises:
            BusyError: There are not so many.
        """
        if count > self._free:
            raise BusyError(f"{MAX_AT_WORK} images are at work; try again in a second")
        self._free -= count
        try:
            yield
        finally:
            self._free += count

    def put(self, name: str, file: BinaryIO) -> Future[list[FaceEmotion]]:
        """Puts one image in the queue.

        Args:
            name: What to call it in messages.
            file: The image file, open for reading until it is answered.

        Returns:
            What becomes its faces, the largest first, or the error: an `OSError` where it cannot
            be read.
        """
        item = _Item(name, file, Future())
        self._items.put(item)
        return item.answer

    def close(self) -> None:
        """Ends the thread after the batch that it is at; what waits is cancelled."""
        self._closed = True
        self._items.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            batch = [item]
            while len(batch) < MAX_BATCH and not self._items.empty():
                item = self._items.get()
                if item is None:
                    self._items.put(None)  # for the outer loop
                    break
                batch.append(item)
            if self._closed:
                for item in batch:
                    item.answer.cancel()
            # A request that has been given up has cancelled its own.
            self._answer([item for item in batch if item.answer.set_running_or_notify_cancel()])

    def _answer(self, batch: list[_Item]) -> None:
        """Answers every item of a batch, with its faces or with its error."""
        readable: list[_Item] = []
        try:
            found = self._recognizer.predict(_read(batch, readable))
            for item, faces in zip(readable, found, strict=True):
                item.answer.set_result(faces)
        except Exception as error:  # a network may raise anything; one image never costs the others
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for item in batch:
                if not item.answer.done():
                    self._answer([item])


def _read(batch: list[_Item], readable: list[_Item]) -> Iterator[np.ndarray]:
    """Yields the images, one in memory at a time; those that cannot be read get their error."""
    for item in batch:
        try:
            item.file.seek(0)
            image = decode(item.file.read(), shorten(item.name))
        except Exception as error:
            item.answer.set_exception(error)
        else:
            readable.append(item)
            yield image
