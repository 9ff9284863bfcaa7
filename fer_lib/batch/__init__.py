"""Many images to one table with a row for each face, streamed, resumed, on one machine or many.

`FaceTable` makes the rows of a batch, `make_batches` and `make_batches_on_ray` say where,
`write_table` writes them while they come, `read_table` reads them. `VideoTables` makes one table
for each video of a folder.
"""

from fer_lib.batch.engines import make_batches, make_batches_on_ray
from fer_lib.batch.face_table import FaceTable
from fer_lib.batch.table_file import SUFFIXES, missing_images, read_table, write_table
from fer_lib.batch.video_folder import VideoTables, is_video

__all__ = [
    "SUFFIXES",
    "FaceTable",
    "VideoTables",
    "is_video",
    "make_batches",
    "make_batches_on_ray",
    "missing_images",
    "read_table",
    "write_table",
]
