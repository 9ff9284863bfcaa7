"""Image loading: whatever holds an image comes out as RGB `uint8 (height, width, 3)`.

Reads, checks, finds and writes images; it neither resizes nor enhances them (`alignment`,
`enhancement`).
"""

from fer_lib.images.folders import count_suffixes, find_images
from fer_lib.images.sources import ImageSource, is_image, read_image, to_gray, write_image

__all__ = [
    "ImageSource",
    "count_suffixes",
    "find_images",
    "is_image",
    "read_image",
    "to_gray",
    "write_image",
]
