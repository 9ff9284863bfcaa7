"""Where does a network look? Grad-CAM and occlusion, and the checks that such maps need."""

from fer_lib.explain.attribution import grad_cam, occlusion_map
from fer_lib.explain.map_checks import (
    face_regions,
    randomize_weights,
    region_energy,
    sanity_check,
)

__all__ = [
    "face_regions",
    "grad_cam",
    "occlusion_map",
    "randomize_weights",
    "region_energy",
    "sanity_check",
]
