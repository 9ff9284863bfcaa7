"""Where does a network look? Grad-CAM and occlusion, and the checks that such maps need."""

from fer_lib.explain.attribution import grad_cam, occlusion_map
from fer_lib.explain.map_checks import region_energy, sanity_check

__all__ = ["grad_cam", "occlusion_map", "region_energy", "sanity_check"]
