"""The parts of a face, each one function that draws it on a `Canvas`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fer_lib.datasets._face_canvas import Canvas, gauss, smoothstep
from fer_lib.datasets._face_geometry import EYE_COLORS, HAIR_COLORS, MONK_TONES, FaceGeometry


class Colors:
    """The colours of each face, as `Canvas.paint` takes them."""

    def __init__(self, table: pd.DataFrame, canvas: Canvas) -> None:
        skin = np.array(MONK_TONES, np.float32)[table["skin_tone"].to_numpy(int) - 1]
        # A camera exposes for the face: dark skin comes out lighter than its swatch, pale skin
        # darker, and blood gives both a warmer hue than the swatches have.
        luma = skin @ np.array([0.299, 0.587, 0.114], np.float32)
        skin = skin * ((150 / luma) ** 0.28)[:, None] * np.array([1.03, 0.97, 0.92], np.float32)
        hair = np.array([HAIR_COLORS[name] for name in table["hair_color"]], np.float32)
        iris = np.array([EYE_COLORS[name] for name in table["eye_color"]], np.float32)
        self.skin = canvas.tone(skin)
        self.lip = canvas.tone(0.62 * skin * [0.98, 0.70, 0.72] + 0.38 * np.array([150, 62, 66]))
        self.blush = canvas.tone(skin * np.array([1.0, 0.80, 0.78], np.float32))
        self.hair = canvas.tone(hair)
        self.brow = canvas.tone(0.62 * hair + 0.10 * skin)
        self.shadow = canvas.tone(skin * np.array([0.36, 0.27, 0.25], np.float32))
        self.line = canvas.tone(skin * np.array([0.20, 0.15, 0.14], np.float32))
        self.iris = canvas.tone(iris)
        self.white = canvas.tone((236, 232, 228))
        self.teeth = canvas.tone((238, 232, 220))
        self.cavity = canvas.tone((52, 16, 20))
        self.tongue = canvas.tone((150, 70, 72))
        self.black = canvas.tone((16, 14, 16))
        grey = table["background"].to_numpy(np.float32)[:, None]
        tint = np.array([255, 250, 238], np.float32)
        self.background = canvas.tone(grey * tint)
        self.cloth = canvas.tone((1 - grey) * np.array([150, 160, 190]) + 20)


def background(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """A wall with a gradient, then neck, shoulders, ears and the hair behind them."""
    slope = geometry.factor("background_slope")
    wall = 1 + slope * (canvas.u * 0.35 + (canvas.v - 0.6) * 0.12)
    canvas.color[:] = colors.background * np.maximum(wall, 0.05)[:, None]
    hair = (geometry.table["hair"] == "long").to_numpy()[:, None, None]
    flow = canvas.s + 0.05 * np.sin(3 * canvas.v)
    edge = geometry.head_width + 0.42 - 0.10 * (canvas.v - 1) ** 2 * (canvas.v < 1)
    back = canvas.inside(edge - flow) * canvas.inside(canvas.v + 2.9) * hair
    canvas.paint(back, colors.hair * _hair_shade(canvas, canvas.s * 1.2)[:, None])
    neck = canvas.inside(1.35 + 0.5 * smoothstep((canvas.v - 4.2) / 1.5) - canvas.s)
    neck *= canvas.inside(canvas.v - 2.0)
    canvas.paint(neck, colors.skin * 0.62)
    collar = 4.75 - 0.55 * smoothstep(canvas.s / 1.5) + 0.25 * np.maximum(canvas.s - 1.5, 0)
    canvas.paint(canvas.inside(canvas.v - collar), colors.cloth)
    ear = ((canvas.s - geometry.head_width - 0.03) / 0.30) ** 2 + ((canvas.v - 0.35) / 0.62) ** 2
    ear = canvas.inside(0.3 * (1 - np.sqrt(ear))) * (1 - hair)
    canvas.paint(ear, colors.skin * 0.80)


def head(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> np.ndarray:
    """The skin of the head; returns its mask."""
    middle = 0.15
    upper = (np.maximum(middle - canvas.v, 0) / 3.25) ** 2
    lower = (np.maximum(canvas.v - middle, 0) / (geometry.chin_v - middle)) ** geometry.jaw
    radius = np.sqrt((canvas.s / geometry.head_width) ** 2.2 + upper + lower)
    mask = canvas.inside(1.9 * (1 - radius))
    canvas.paint(mask, colors.skin)
    blush = canvas.blob(1.3, 1.05, 0.5, 0.4) * (0.35 + 0.25 * geometry.cheek)
    blush += 0.35 * canvas.blob(0, geometry.nose_v, 0.3, 0.3)
    canvas.paint(mask * np.minimum(blush, 1), colors.blush)
    canvas.darken(mask * 0.30 * smoothstep((radius - 0.78) / 0.26))
    return mask


def relief(canvas: Canvas, geometry: FaceGeometry) -> None:
    """The large forms of the face, as heights above the canvas."""
    s, v, au = canvas.s, canvas.v, geometry.au
    form = -0.16 * s * s - 0.060 * (v - 0.8) ** 2
    form += 0.10 * gauss(((v + 0.62 - 0.1 * au["AU4"]) / 0.28) ** 2) * gauss((s / 1.5) ** 2)
    form -= 0.17 * canvas.blob(0.95, 0.0, 0.52, 0.36)
    form += 0.07 * canvas.blob(geometry.eye_u, 0.0, 0.36, 0.24)
    lift = 0.16 * geometry.cheek
    form += (0.12 + lift) * canvas.blob(1.28, 1.0 - 0.16 * geometry.cheek, 0.52, 0.44)
    form += 0.14 * canvas.blob(0, 2.1, 0.85, 0.6)
    form += 0.14 * canvas.blob(0, geometry.chin_v - 0.45, 0.42, 0.3)
    form -= 0.09 * canvas.blob(0, geometry.mouth_v + geometry.open_lower + 0.46, 0.4, 0.12)
    canvas.height += form


def _nose_coordinate(canvas: Canvas, geometry: FaceGeometry) -> np.ndarray:
    shift, _ = geometry.nose_shift()
    return canvas.u - shift * smoothstep((canvas.v + 0.4) / 1.5)


def nose(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """Ridge, tip and wings as relief, nostrils and the shadow below them as paint."""
    u, v = _nose_coordinate(canvas, geometry), canvas.v
    s, tip = np.abs(u), geometry.nose_v + geometry.nose_shift()[1]
    wide, au = geometry.nose_width, geometry.au
    rise = smoothstep((v + 0.35) / (tip + 0.35)) * (1 - smoothstep((v - tip - 0.02) / 0.34))
    canvas.height += 0.32 * rise * gauss((u / (0.16 + 0.10 * rise * wide / 0.4)) ** 2)
    canvas.height += 0.05 * gauss((u / 0.13) ** 2) * smoothstep((v + 0.9) / 0.6) * (v < tip)
    canvas.height += 0.10 * gauss(((s - wide * 0.85) / 0.15) ** 2 + ((v - tip - 0.02) / 0.17) ** 2)
    shadow = gauss((s / (wide * 1.1)) ** 4 + ((v - tip - 0.30) / 0.12) ** 2)
    canvas.darken(0.28 * shadow)
    hole = ((s - wide * 0.47) / (wide * 0.30)) ** 2
    hole += ((v - tip - 0.16 + 0.12 * (s - wide * 0.47)) / (0.060 + 0.02 * au["AU9"])) ** 2
    canvas.paint(canvas.inside(0.08 * (1 - np.sqrt(hole))) * 0.85, colors.shadow * 0.7)
    wing = canvas.line((wide * 1.12, tip - 0.17), (wide * 0.95, tip + 0.17), 0.035, -0.06, at=s)
    canvas.darken(0.40 * wing)


def creases(canvas: Canvas, geometry: FaceGeometry) -> None:
    """Folds and lines of the skin, from the action units and from age."""
    au, age, v, s = geometry.au, geometry.age, canvas.v, canvas.s
    nose_u, nose_v = geometry.nose_width, geometry.nose_v
    corner_v = geometry.mouth_v + geometry.corner
    smile = np.maximum(au["AU12"], 0.85 * au["AU9"])
    fold_end = (geometry.mouth_width + 0.26, corner_v + 0.10)
    fold = canvas.line((nose_u + 0.10, nose_v - 0.02), fold_end, 0.055, -0.12 * (0.5 + smile))
    lines = np.minimum(0.08 + 0.30 * age + 0.62 * smile + 0.15 * au["AU20"], 0.8) * fold
    # forehead: level lines for raised brows, upright ones between lowered ones
    raised = np.maximum(au["AU2"], 0.0)
    window = gauss((s / 1.25) ** 4) * smoothstep((-1.05 - v) / 0.2) * smoothstep((v + 2.1) / 0.3)
    centre = gauss((s / 0.55) ** 4) * smoothstep((-0.95 - v) / 0.2) * smoothstep((v + 1.75) / 0.3)
    wave = canvas.strands(v + 0.10 * s * s, 21.0) * 0.5 + 0.5
    wave = wave**3
    amount = np.maximum((0.55 * raised + 0.30 * age) * window, 0.5 * au["AU1"] * centre)
    lines += np.minimum(amount, 0.6) * wave
    frown = canvas.line((0.17, -0.95), (0.13, -0.35), 0.045, 0.02)
    lines += 0.75 * au["AU4"] * frown
    lines += 0.55 * au["AU9"] * canvas.line((0.02, -0.28), (0.26, -0.16), 0.035)
    lines += 0.60 * au["AU9"] * canvas.line((0.03, -0.10), (0.33, 0.10), 0.04)
    lines += 0.60 * au["AU9"] * canvas.line((0.05, 0.08), (0.36, 0.36), 0.04)
    # eyes: crow's feet, the pouch under a raised cheek, bags of age
    feet = np.minimum(0.55 * au["AU6"] + 0.35 * age, 0.75)
    for end_v, start_v in ((-0.22, -0.06), (0.02, 0.04), (0.28, 0.13)):
        lines += feet * canvas.line((1.56, start_v), (1.95, end_v), 0.03)
    pouch = np.minimum(0.22 + 0.35 * au["AU6"] + 0.2 * au["AU7"] + 0.25 * age, 0.6)
    low = geometry.lid_lower + 0.13
    lines += pouch * canvas.line((0.58, 0.06 + low), (1.42, low), 0.045, -0.14)
    # mouth: brackets for a stretched one, a drooping line for a depressed corner
    edge = geometry.mouth_width
    lines += (
        0.5
        * au["AU20"]
        * canvas.line((edge + 0.18, corner_v - 0.3), (edge + 0.2, corner_v + 0.4), 0.05, 0.1)
    )
    lines += (
        0.5
        * np.minimum(au["AU15"] + 0.35 * age, 1)
        * canvas.line((edge + 0.03, corner_v + 0.02), (edge + 0.12, corner_v + 0.42), 0.05)
    )
    side = au["AU14"] * canvas.line(
        (edge + 0.10, corner_v + geometry.corner_side - 0.2),
        (edge + 0.16, corner_v + geometry.corner_side + 0.2),
        0.05,
        0.05,
        at=canvas.u,
    )
    lines += 0.6 * side
    canvas.darken(0.62 * np.minimum(lines, 1))
    canvas.height -= 0.05 * lines


def brows(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """Two brows, thick inside and pointed outside."""
    span = geometry.brow_out - geometry.brow_in
    q = (canvas.s - geometry.brow_in) / span
    inner, middle, outer = geometry.brow_v_in, geometry.brow_v_mid, geometry.brow_v_out
    control = 2 * middle - 0.5 * (inner + outer)
    centre = (1 - q) ** 2 * inner + 2 * q * (1 - q) * control + q * q * outer
    half = geometry.brow_thickness * (1.05 - 0.80 * np.clip(q, 0, 1) ** 2)
    mask = canvas.band(centre - half, centre + half)
    mask *= smoothstep(q * span / 0.14 + 0.5) * canvas.inside(geometry.brow_out - canvas.s)
    hairs = canvas.strands(canvas.s * 0.9 + (canvas.v - centre) * 0.8, 60.0)
    canvas.paint(mask * (0.84 + 0.16 * hairs), colors.brow)
    canvas.height += 0.03 * mask


def eyes(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """White, iris and pupil between the lids; lashes, the fold of the lid."""
    au = geometry.au
    t = (canvas.s - geometry.eye_u) / geometry.eye_width
    arch = 1 - t * t
    base = -geometry.lid_tilt * t + 0.05 * au["AU1"] * np.maximum(t, 0) * au["AU15"]
    upper = base - geometry.lid_upper * arch * (1 - 0.18 * t)
    lower = base + geometry.lid_lower * arch * (1 + 0.25 * t)
    opening = canvas.band(upper, lower)
    # the lid above the eye, between its fold and the lashes
    fold = upper - (0.13 - 0.09 * au["AU5"] + 0.02 * geometry.age) * np.maximum(1.15 - t * t, 0)
    lid = canvas.band(fold, upper) * canvas.inside(geometry.eye_width * 1.02 * (1 - np.abs(t)))
    canvas.darken(0.22 * lid)
    crease = gauss(((canvas.v - fold) / np.maximum(0.03, 0.5 * canvas.pixel)) ** 2)
    crease *= smoothstep((1.12 - np.abs(t)) / 0.3)
    canvas.darken(0.36 * crease * np.minimum(1, 0.03 / (0.5 * canvas.pixel)))
    globe = 1 - 0.30 * t * t
    canvas.paint(opening, colors.white * globe[:, None] * 0.97)
    x = (canvas.s - geometry.eye_u) * canvas.side - geometry.gaze_x
    y = canvas.v - base + 0.02 - geometry.gaze_y
    radius = np.sqrt(x * x + y * y)
    iris = canvas.inside(geometry.iris - radius) * opening
    canvas.paint(iris, colors.iris * (0.75 + 0.35 * radius / geometry.iris)[:, None])
    ring = iris * smoothstep((radius - geometry.iris + 0.06) / 0.06)
    canvas.darken(0.55 * ring)
    canvas.paint(canvas.inside(0.085 - radius) * opening, colors.black)
    glint = canvas.inside(0.042 - np.sqrt((x + 0.06) ** 2 + (y + 0.07) ** 2)) * opening
    canvas.paint(glint * 0.95, colors.white * 1.05)
    canvas.darken(opening * 0.50 * (1 - smoothstep((canvas.v - upper) / 0.13)))
    lash = 0.030 + 0.030 * np.maximum(arch, 0)
    line = canvas.band(upper - lash, upper + 0.01) * canvas.inside(
        1.08 * geometry.eye_width - np.abs(t) * geometry.eye_width
    )
    canvas.paint(line * 0.92, colors.line)
    below = canvas.band(lower - 0.008, lower + 0.028) * canvas.inside(
        geometry.eye_width * (1 - np.abs(t))
    )
    canvas.paint(below * 0.55, colors.shadow)


def mouth(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """Lips, and between them the opening with teeth and tongue."""
    au, v = geometry.au, canvas.v
    t = canvas.u / geometry.mouth_width
    a = np.abs(t)
    arch = np.maximum(1 - t * t, 0)
    curve = geometry.corner * a**1.7 + geometry.corner_side * np.maximum(t, 0) ** 1.7
    centre = geometry.mouth_v + curve + 0.015 * np.cos(3.1 * t * 2) * arch
    round_arch = np.sqrt(arch)
    shape = arch + (round_arch - arch) * np.clip(au["AU26"] + 0.5 * au["AU16"], 0, 1) * 0.8
    top = centre - (geometry.open_upper + 0.75 * geometry.lip_raise * (au["AU16"])) * shape
    bottom = centre + geometry.open_lower * shape
    bow = 1 - 0.22 * gauss((t / 0.13) ** 2) + 0.10 * gauss(((a - 0.28) / 0.2) ** 2)
    lift = geometry.lip_raise * (1 - au["AU16"]) * arch
    outer_top = top - geometry.lip_upper * arch**0.8 * bow - lift * 0.6
    outer_bottom = bottom + geometry.lip_lower * arch**0.75
    ends = canvas.inside((1 - a) * geometry.mouth_width)
    lips = canvas.band(outer_top, outer_bottom) * ends
    canvas.paint(lips * 0.82, colors.lip)
    lower = canvas.band(bottom, outer_bottom) * ends
    upper = canvas.band(outer_top, top) * ends
    canvas.darken(0.16 * upper)
    mid_lower = (v - bottom) / np.maximum(geometry.lip_lower * 1.0, 0.02)
    canvas.color += (lower * 0.10 * gauss(((mid_lower - 0.45) / 0.25) ** 2) * arch)[:, None]
    canvas.darken(
        0.30
        * canvas.blob(
            0,
            geometry.mouth_v + geometry.open_lower + geometry.lip_lower + 0.14,
            0.45,
            0.07,
            at=canvas.u,
        )
    )
    opening = canvas.band(top, bottom) * ends
    canvas.paint(opening, colors.cavity)
    tongue = opening * smoothstep((v - bottom + 0.42 * geometry.open_lower + 0.1 * t * t) / 0.2)
    canvas.paint(tongue * 0.75 * np.clip(au["AU26"] * 2 - 0.3, 0, 1), colors.tongue)
    # Upper teeth hang from the upper lip; lower teeth show when the lower lip is drawn down.
    gaps = 1 - 0.25 * smoothstep((canvas.strands(canvas.u, 28.0) - 0.75) / 0.25)
    reach = 0.26 - 0.14 * au["AU26"] * (1 - au["AU20"])
    hang = canvas.band(top, np.minimum(top + reach, bottom)) * canvas.inside(
        (0.92 - a) * geometry.mouth_width
    )
    canvas.paint(hang * 0.95, colors.teeth * (gaps * (1 - 0.35 * t * t))[:, None])
    stand = canvas.band(np.maximum(bottom - 0.15, top), bottom) * canvas.inside(
        (0.80 - a) * geometry.mouth_width
    )
    canvas.paint(
        stand * 0.85 * np.clip(au["AU16"] * 1.3, 0, 1), colors.teeth * (gaps * 0.93)[:, None]
    )
    # The line where closed lips meet, darker and deeper where they are pressed.
    width = 0.030 + 0.015 * au["AU23"]
    wide = np.maximum(width, 0.5 * canvas.pixel)
    meet = gauss(((v - 0.5 * (top + bottom)) / wide) ** 2) * width / wide
    meet *= canvas.inside((1.04 - a) * geometry.mouth_width) * (1 - opening)
    canvas.paint(np.minimum(meet, 1) * 0.85, colors.line)
    corner = canvas.blob(geometry.mouth_width, geometry.mouth_v + geometry.corner, 0.07, 0.06)
    canvas.darken(0.40 * corner)


def _hair_shade(canvas: Canvas, phase: np.ndarray) -> np.ndarray:
    shade = 1 + 0.16 * canvas.strands(phase, 9.0) + 0.14 * canvas.strands(phase, 23.0)
    return shade + 0.10 * canvas.strands(phase + 0.2 * np.sin(canvas.v), 61.0)


def hair(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """The hair in front: cap, fringe or side curtains."""
    style = geometry.table["hair"].to_numpy()

    def has(name: str) -> np.ndarray:
        return (style == name).astype(np.float32)[:, None, None]

    u, v, s = canvas.u, canvas.v, canvas.s
    wave = 0.06 * np.sin(2.3 * u + 1) + 0.03 * np.sin(5.1 * u)
    line = -2.05 + 0.20 * s * s * 0.6 + 0.9 * smoothstep((s - 1.35) / 0.75) + wave
    line -= 0.18 * geometry.age * has("short")
    line = line + has("fringe") * (0.78 - 0.10 * s * s + 0.10 * np.sin(7 * u))
    line = line + has("long") * (-0.15 + 0.55 * smoothstep((s - 0.9) / 1.0))
    top = (u / (geometry.head_width + 0.16)) ** 2 + ((v - 0.1) / 3.55) ** 2
    cap = canvas.inside(1.8 * (1 - np.sqrt(top))) * canvas.inside((line - v) * 0.8)
    curtain = canvas.inside(s - geometry.head_width + 0.42 - 0.10 * np.sin(1.3 * v))
    curtain *= canvas.inside(geometry.head_width + 0.4 - s) * canvas.inside(v + 1.4)
    mask = np.maximum(cap * (1 - has("none")), curtain * has("long"))
    phase = u * (1 + 0.12 * (v + 2)) + 0.25 * np.sin(1.5 * v)
    glow = 0.28 * gauss(((v + 2.45 + 0.12 * u * u) / 0.28) ** 2)
    shade = _hair_shade(canvas, phase) + glow
    canvas.paint(mask, colors.hair * np.maximum(shade, 0.3)[:, None])


def beard(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """Stubble, a moustache or a full beard, below the lips in the order of painting."""
    style = geometry.table["beard"].to_numpy()

    def has(*names: str) -> np.ndarray:
        return np.isin(style, names).astype(np.float32)[:, None, None]

    s, v = canvas.s, canvas.v
    smile = geometry.mouth_v + geometry.corner
    lip = geometry.mouth_v - geometry.open_upper - geometry.lip_upper
    moustache = canvas.inside(geometry.mouth_width + 0.10 - s)
    moustache *= smoothstep((v - geometry.nose_v - 0.30) / 0.16) * smoothstep(
        (smile + 0.12 - v) / 0.15
    )
    jaw_line = 1.75 + 0.30 * smoothstep((1.9 - s) / 0.5) + 0.55 * smoothstep((1.4 - s) / 0.5)
    area = smoothstep((v - jaw_line) / 0.3) * smoothstep((v - 1.2) / 0.4)
    chin = np.maximum(area, moustache)
    del lip
    hairs = 0.8 + 0.2 * canvas.strands(s * 0.7 + 0.35 * v, 47.0)
    canvas.paint(chin * has("stubble") * 0.30, colors.shadow)
    canvas.paint(chin * hairs * has("full") * 0.88, colors.hair * 0.85)
    canvas.paint(moustache * hairs * has("moustache") * 0.9, colors.hair * 0.85)


def glasses(canvas: Canvas, geometry: FaceGeometry, colors: Colors) -> None:
    """Dark frames round the eyes, with a bridge and temples."""
    worn = geometry.table["glasses"].to_numpy(bool)
    if not worn.any():
        return
    on = worn.astype(np.float32)[:, None, None]
    s, v = canvas.s, canvas.v - 0.06
    radius = (((s - 1.02) / 0.74) ** 4 + (v / 0.56) ** 4) ** 0.25
    rim = canvas.band(-0.045, 0.045, at=(radius - 1) * 0.62)
    bridge = canvas.band(-0.19 + 0.3 * s * s, -0.11 + 0.3 * s * s, at=v) * canvas.inside(0.3 - s)
    temple = canvas.band(-0.28, -0.18, at=v) * canvas.inside(s - 1.72)
    temple *= canvas.inside(geometry.head_width - s)
    lens = canvas.inside(0.62 * (1 - radius))
    glare = gauss(((canvas.u + 0.8 * v - 1.1) / 0.16) ** 2) + gauss(
        ((canvas.u + 0.8 * v + 0.95) / 0.16) ** 2
    )
    canvas.color += (lens * glare * 0.10 * on)[:, None]
    canvas.paint(np.clip(rim + bridge + temple, 0, 1) * on * 0.95, colors.black * 1.6)
