"""Where does a network look? Grad-CAM and occlusion, and the checks that such maps need.

A map that looks right proves nothing: an edge detector's looks right, too. So the maps come with
their tests: `sanity_check` compares them with those of a network that knows nothing, and
`region_energy` counts what falls on brows, eyes, nose and mouth.
"""

from fer_lib.explain.gradcam import grad_cam
from fer_lib.explain.occlusion import occlusion_map
from fer_lib.explain.regions import face_regions, region_energy
from fer_lib.explain.sanity import randomize_weights, sanity_check

__all__ = [
    "face_regions",
    "grad_cam",
    "occlusion_map",
    "randomize_weights",
    "region_energy",
    "sanity_check",
]
