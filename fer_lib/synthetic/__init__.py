"""Synthetic faces: `make_faces` generates labeled faces from parameters, without any data set."""

from fer_lib.synthetic.faces import draw_face, draw_faces, make_faces

__all__ = ["draw_face", "draw_faces", "make_faces"]
