"""What a face is set in: colors, background, skin with its large forms, hair, beard, glasses."""

from __future__ import annotations

import numpy as np

from fer_lib.synthetic.canvas import LUMA, Canvas, gauss, smoothstep, square
from fer_lib.synthetic.factors import COLORS
from fer_lib.synthetic.geometry import FaceGeometry


class Colors:
    """The colors of each face, as `Canvas.paint` takes them."""

    def __init__(self, face: FaceGeometry, canvas: Canvas) -> None:
        factors = face.factors
        skin = np.array(COLORS["skin"], np.float32)[factors["skin_tone"].astype(int) - 1]
        # A camera exposes for the face: dark skin comes out lighter than its swatch, pale skin
        # darker. Living skin is also warmer than a swatch of paint.
        luma = (skin * LUMA).sum(axis=1, keepdims=True)
        skin = skin * (150 / luma) ** np.where(luma < 150, 0.5, 0.36)
        skin = skin * np.array([1.05, 0.97, 0.91], np.float32)
        hair = np.array([COLORS["hair"][name] for name in factors["hair_color"]], np.float32)
        red = np.array([158, 64, 66], np.float32)
        self.skin = canvas.tone(skin)
        self.lip = canvas.tone(0.62 * skin * np.array([0.95, 0.68, 0.70]) + 0.36 * red)
        self.blush = canvas.tone(skin * np.array([1.0, 0.81, 0.79]))
        self.shadow = canvas.tone(skin * np.array([0.36, 0.27, 0.25]))
        self.line = canvas.tone(skin * np.array([0.19, 0.14, 0.13]))
        self.hair = canvas.tone(hair)
        self.brow = canvas.tone(0.45 * hair + 0.12 * skin)
        self.iris = canvas.tone([COLORS["eyes"][name] for name in factors["eye_color"]])
        self.white = canvas.tone((236, 232, 228))
        self.teeth = canvas.tone((238, 232, 220))
        self.cavity = canvas.tone((50, 16, 20))
        self.tongue = canvas.tone((156, 74, 76))
        self.black = canvas.tone((20, 18, 20))
        wall = factors["background"].astype(np.float32)[:, None]
        self.wall = canvas.tone(wall * np.array([242, 248, 255]))
        second = factors["background_second"].astype(np.float32)[:, None]
        self.second_wall = canvas.tone(second * np.array([255, 246, 232]))
        self.cloth = canvas.tone((1 - wall) * np.array([150, 165, 195]) + 20)


def background(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Two walls with a gradient, then what of the person lies behind the face."""
    u, v, s = canvas.u, canvas.v, canvas.s
    slope = face["background_slope"]
    canvas.color += colors.wall
    edge = smoothstep(2 * (u - face["background_edge"] + 0.5 * slope * v) + 0.5)
    canvas.paint(edge, colors.second_wall)
    canvas.color *= np.maximum(1 + slope * (0.35 * u + 0.25 * (v - 0.6)), 0.05)[:, None]
    long = face.has("hair", "long")
    if long.any():
        behind = canvas.inside(face.head_width + 0.36 + 0.06 * np.sin(2.1 * v) - s)
        behind *= canvas.inside(v) * long
        canvas.paint(behind, colors.hair * (0.75 * _hair_shade(canvas, s, v))[:, None])
    neck = canvas.inside(1.32 + 0.6 * smoothstep((v - 4.2) / 1.5) - s) * canvas.inside(v - 2)
    canvas.paint(neck, colors.skin * 0.60)
    collar = 4.75 - 0.55 * smoothstep(s / 1.5) + 0.28 * np.maximum(s - 1.5, 0)
    canvas.paint(canvas.inside(v - collar), colors.cloth)
    lobe = square((s - face.head_width - 0.02) / 0.28) + square((v - 0.35) / 0.60)
    ear = canvas.inside(0.28 * (1 - np.sqrt(lobe))) * (1 - long)
    shade = 0.86 - 0.22 * gauss(square((np.sqrt(lobe) - 0.55) / 0.16))
    canvas.paint(ear, colors.skin * shade[:, None])


def skin(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """The skin of the head and its large forms."""
    s, v = canvas.s, canvas.v
    middle = 0.15
    upper = square(np.maximum(middle - v, 0) / 3.2)
    upper = upper * (0.5 + 0.5 * upper)
    x = np.maximum(v - middle, 0) / (face.chin_v - middle)
    lower = x * x * (1 - face.jaw + face.jaw * x)
    radius = np.sqrt(square(s / face.head_width) + upper + lower)
    canvas.head = mask = canvas.inside(1.9 * (1 - radius))
    canvas.paint(mask, colors.skin)
    blush = canvas.blob(1.3, 1.05, 0.5, 0.4) * (0.35 + 0.25 * face.cheek)
    blush += 0.35 * canvas.blob(0, face.nose_v, 0.3, 0.3)
    canvas.paint(mask * np.minimum(blush, 1), colors.blush)
    canvas.darken(0.30 * mask * smoothstep((radius - 0.78) / 0.26))

    form = -0.16 * s * s - 0.06 * square(v - 0.8)
    form += 0.10 * canvas.blob(0, -0.62 + 0.1 * face["AU4"], 1.5, 0.28)
    form -= 0.17 * canvas.blob(0.95, 0.0, 0.52, 0.36)
    form += 0.07 * canvas.blob(face.eye_u, 0.0, 0.36, 0.24)
    lift = face.cheek
    form += (0.12 + 0.16 * lift) * canvas.blob(1.28, 1.0 - 0.16 * lift, 0.52, 0.44)
    form += 0.14 * canvas.blob(0, 2.1, 0.85, 0.6)
    form += 0.12 * canvas.blob(0, face.chin_v - 0.55, 0.42, 0.32)
    canvas.height += form


def _hair_shade(canvas: Canvas, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    phase = across + 0.06 * np.sin(1.7 * along) + 0.02 * np.sin(4.3 * along + 3 * across)
    shade = 1 + 0.08 * canvas.strands(phase, 11.0) + 0.07 * canvas.strands(phase, 27.0)
    return shade + 0.06 * canvas.strands(phase, 71.0)


def hair(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """The hair round the face: what lies in its outline, but not in the opening for the face."""
    if face.has("hair", "none").all():
        return
    u, v, s = canvas.u, canvas.v, canvas.s
    fringe, long = face.has("hair", "fringe"), face.has("hair", "long")
    # the outline: a dome, for long hair with falling sides
    width = face.head_width + 0.16 + 0.24 * long
    dome = square(np.minimum(v, 0) / 3.5)
    dome = dome * (0.5 + 0.5 * dome)
    outline = canvas.inside(1.9 * (1 - np.sqrt(square(s / (width + 0.04 * np.sin(2 * v))) + dome)))
    # the opening: an arch over the forehead on two upright sides
    line = -2.02 - 0.22 * face.age * (1 - fringe) + fringe * (0.82 + 0.05 * np.sin(9 * u))
    line += long * 0.16 * np.minimum(np.abs(u - 0.5), 1.0)
    side = face.head_width - 0.10 - 0.22 * long + (1 - long) * 0.30 * smoothstep((v + 0.9) / 1.2)
    rise = np.minimum(v - 0.2, 0) / (line - 0.2)
    arch = square(square(s / side)) + square(rise) * (1 + fringe * (square(rise) - 1))
    opening = canvas.inside(1.2 * (1 - np.sqrt(arch)))
    stop = canvas.inside(0.25 - v + 60 * long)
    mask = outline * (1 - opening) * stop * (1 - face.has("hair", "none"))
    angle = u / (0.55 + 0.12 * np.maximum(v + 3.6, 0))  # strands spread from the crown
    shade = _hair_shade(canvas, angle, v)
    shade += 0.30 * gauss(square((v + 2.55 - 0.16 * s * s) / 0.25))
    shade -= 0.30 * gauss(square((v - line) / 0.12)) * fringe
    canvas.paint(mask, colors.hair * np.maximum(shade, 0.3)[:, None])


def beard(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Stubble, a mustache or a full beard; the lips are painted over it."""
    if face.has("beard", "none").all():
        return
    s, v = canvas.s, canvas.v
    end = face.mouth_width + 0.16
    corner = face.mouth_v + face.corner
    start = face.nose_v + 0.28
    reach = square(s / end)
    above = start + (corner - 0.02 - start) * reach
    below = face.mouth_v - face.open_upper - 0.04 + (corner + 0.22 - face.mouth_v) * reach
    moustache = smoothstep((v - above) / 0.10) * smoothstep((below - v) / 0.10 + 0.5)
    moustache *= smoothstep((end - s) / 0.10)
    cheek = 2.55 - 2.1 * smoothstep((s - 0.85) / 1.25)
    middle = face.mouth_v + 0.5 * (face.open_lower + face.corner) + 0.02
    mouth = square(s / (face.mouth_width + 0.14))
    mouth += square((v - middle) / (0.36 + 0.5 * face.open_lower))
    jaw = smoothstep((v - cheek) / 0.22) * smoothstep((mouth - 0.9) / 0.5)
    grain = 0.90 + 0.10 * canvas.strands(0.9 * s + 0.3 * v + 0.02 * np.sin(5 * v), 61.0)
    whole = canvas.head * np.maximum(jaw, moustache)
    canvas.paint(0.30 * whole * face.has("beard", "stubble"), colors.shadow)
    thick = whole * face.has("beard", "full") + moustache * face.has("beard", "moustache")
    canvas.paint(0.88 * thick, colors.hair * (0.9 * grain)[:, None])


def glasses(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Dark frames with a bridge and temples, and a glare on the lenses."""
    worn = face.has("glasses", True)
    if not worn.any():
        return
    canvas = canvas.strip(-0.7, 0.8)
    u, s, v = canvas.u, canvas.s, canvas.v - 0.06
    radius = np.sqrt(np.sqrt(square(square((s - 1.02) / 0.74)) + square(square(v / 0.56))))
    rim = canvas.band(-0.045, 0.045, at=(radius - 1) * 0.62)
    bridge = canvas.band(0.3 * s * s - 0.19, 0.3 * s * s - 0.11, at=v) * canvas.inside(0.3 - s)
    temple = canvas.band(-0.28, -0.18, at=v) * canvas.inside(s - 1.72)
    temple *= canvas.inside(face.head_width - s)
    glare = canvas.thread(u + 0.8 * v - 1.1, 0.14) + canvas.thread(u + 0.8 * v + 0.95, 0.14)
    lens = canvas.inside(0.62 * (1 - radius))
    canvas.color += (0.09 * lens * glare * worn)[:, None]
    canvas.paint(0.95 * worn * np.minimum(rim + bridge + temple, 1), colors.black)
