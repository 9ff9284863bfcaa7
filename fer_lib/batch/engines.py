"""Where the rows of a table are made: in this process, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pandas as pd

from fer_lib.batch.face_table import FaceTable
from fer_lib.batch.video_folder import VideoTables


def make_batches(
    images: Sequence[str], table: FaceTable | VideoTables, batch_size: int = 16
) -> Iterator[pd.DataFrame]:
    """Yields the rows of images, or of videos, in this process, a batch of them at a time."""
    for start in range(0, len(images), batch_size):
        yield table(pd.DataFrame({"path": images[start : start + batch_size]}))


def make_batches_on_ray(
    images: Sequence[str],
    table: FaceTable | VideoTables,
    workers: int = 2,
    address: str | None = None,
    batch_size: int = 16,
) -> Iterator[pd.DataFrame]:
    """Yields the same rows from the workers of a Ray cluster, in no order.

    A batch whose worker dies is done again by another one, and comes once.

    Args:
        images: Paths that every machine of the cluster can read.
        table: Makes the rows.
        workers: Processes, each with a model of its own.
        address: Of a running cluster; None starts one on this machine.
        batch_size: Images in one batch; 1 where they are videos.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: There is no cluster at `address`.
    """
    import ray.data

    if not images:  # all were done before, say; Ray wants a block at least
        return
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Names of files need not be Unicode, as Arrow wants its text to be.
    names = [{"path": os.fsencode(image)} for image in images]
    blocks = max(workers, len(names) // (4 * batch_size))
    faces = ray.data.from_items(names, override_num_blocks=min(blocks, len(names))).map_batches(
        type(table),
        fn_constructor_args=table.arguments,
        batch_format="pandas",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    for rows in faces.iter_batches(batch_size=None, batch_format="pandas"):
        yield table.cast(rows)
