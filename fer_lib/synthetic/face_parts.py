"""The parts of a face that expressions move, each one function that draws it on a `Canvas`."""

from __future__ import annotations

import numpy as np

from fer_lib.synthetic.canvas import Canvas, gauss, smoothstep, square
from fer_lib.synthetic.geometry import FaceGeometry
from fer_lib.synthetic.head import Colors


def forehead_lines(canvas: Canvas, face: FaceGeometry) -> None:
    """Level lines above raised brows, upright ones between lowered brows."""
    canvas = canvas.strip(-2.2, -0.2)
    v, s = canvas.v, canvas.s
    wave = square(0.5 + 0.5 * canvas.strands(v + 0.10 * s * s, 20.0))
    wave *= smoothstep((-1.15 - v) / 0.2) * smoothstep((v + 2.1) / 0.3)
    raised = np.maximum(0.60 * face["AU2"], 0.35 * face.age) * smoothstep((1.7 - s) / 0.6)
    lines = wave * np.maximum(raised, 0.5 * face["AU1"] * smoothstep((0.85 - s) / 0.5))
    lines += 0.80 * face["AU4"] * canvas.line((0.15, -1.02), (0.12, -0.30), 0.042, 0.03)
    _crease(canvas, lines)


def eye_lines(canvas: Canvas, face: FaceGeometry) -> None:
    """Crow's feet, the pouch below the eye, and the lines down the sides of a wrinkled nose."""
    canvas = canvas.strip(-0.5, 0.6)
    au6, au9, age = face["AU6"], face["AU9"], face.age
    lines = np.zeros_like(canvas.v)
    for top in (-0.16, 0.04, 0.24):
        lines += 0.50 * au9 * canvas.line((0.03, top - 0.06), (0.34, top + 0.16), 0.032, 0.04)
    feet = np.minimum(0.45 * au6 + 0.30 * age, 0.6)
    for turn in (-0.20, 0.04, 0.28):
        lines += feet * canvas.line((1.52, 0.05 + 0.2 * turn), (1.98, 0.02 + turn), 0.024)
    pouch = np.minimum(0.12 + 0.40 * au6 + 0.30 * face["AU7"] + 0.3 * age + 0.3 * au9, 0.6)
    low = face.lid_lower + 0.12
    lines += pouch * canvas.line((0.56, 0.06 + low), (1.44, low), 0.04, -0.14)
    _crease(canvas, lines)


def mouth_lines(canvas: Canvas, face: FaceGeometry) -> None:
    """The fold from nose to mouth, brackets beside a stretched mouth, lines below its corners."""
    canvas = canvas.strip(0.6, 3.0)
    age, au9, line = face.age, face["AU9"], canvas.line
    corner, edge = face.mouth_v + face.corner, face.mouth_width
    smile = np.maximum(face["AU12"], 0.85 * au9)
    depth = np.minimum(0.10 + 0.35 * age + 0.45 * smile + 0.20 * face["AU20"], 0.85)
    start = (face.nose_width + 0.08, face.nose_v - 0.08)
    lines = depth * line(start, (edge + 0.24, corner + 0.12), 0.055, 0.02 + 0.10 * face["AU12"])
    bracket = line((edge + 0.16, corner - 0.35), (edge + 0.16, corner + 0.40), 0.05, 0.08)
    lines += 0.5 * face["AU20"] * bracket
    droop = line((edge + 0.02, corner), (edge + 0.14, corner + 0.46), 0.05)
    lines += 0.5 * np.minimum(face["AU15"] + 0.35 * age, 1) * droop
    top, bottom = corner + face.corner_right - 0.26, corner + face.corner_right + 0.26
    dimple = line((edge + 0.12, top), (edge + 0.12, bottom), 0.05, 0.08, at=canvas.u)
    _crease(canvas, lines + 0.7 * face["AU14"] * dimple)


def _crease(canvas: Canvas, lines: np.ndarray) -> None:
    canvas.darken(0.60 * np.minimum(lines, 1))
    canvas.height -= 0.05 * lines


def nose(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Ridge, tip and wings as relief; nostrils and the shadow below them as paint."""
    canvas = canvas.strip(-1.0, 2.3)
    shift_u, shift_v = face.nose_shift()
    v, tip, wide = canvas.v, face.nose_v + shift_v, face.nose_width
    u = canvas.u - shift_u * smoothstep((v + 0.4) / 1.5)
    s = np.abs(u)
    rise = smoothstep((v + 0.45) / (tip + 0.45)) * (1 - smoothstep((v - tip - 0.02) / 0.32))
    canvas.height += 0.34 * rise * gauss(square(u / (0.15 + 0.12 * rise)))
    bridge = smoothstep((v + 0.9) / 0.6) * smoothstep((tip - v) / 0.3)
    canvas.height += 0.06 * gauss(square(u / 0.14)) * bridge
    wing = gauss(square((s - 0.80 * wide) / 0.16) + square((v - tip - 0.02) / 0.18))
    canvas.height += 0.11 * wing
    canvas.darken(0.30 * gauss(square(s / (0.8 * wide)) + square((v - tip - 0.30) / 0.11)))
    flare = 0.065 + 0.02 * face["AU9"]
    hole = square((s - 0.46 * wide) / (0.30 * wide))
    hole += square((v - tip - 0.17 + 0.35 * (s - 0.46 * wide)) / flare)
    canvas.paint(0.9 * smoothstep((1.25 - hole) / 0.7), colors.shadow * 0.75)
    fold = canvas.line((1.02 * wide, tip - 0.20), (0.92 * wide, tip + 0.22), 0.035, 0.10, at=s)
    canvas.darken(0.38 * fold)


def eyes(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """White, iris and pupil between the lids; lashes, and the fold of the upper lid."""
    canvas = canvas.strip(-1.0, 0.5)
    v, au5 = canvas.v, face["AU5"]
    frown = face["AU4"] * (1 - 0.75 * face["AU1"])
    canvas.darken(0.30 * frown * canvas.blob(0.75, -0.32, 0.35, 0.14))
    t = (canvas.s - face.eye_u) / face.eye_width
    arch = 1 - t * t
    base = -face.lid_tilt * t
    upper = base - face.lid_upper * arch * (1 - 0.18 * t)
    lower = base + face.lid_lower * arch * (1 + 0.25 * t)
    within = canvas.inside(face.eye_width * (1 - np.abs(t)))
    opening = canvas.band(upper, lower)
    fold = upper - (0.14 - 0.09 * au5) * np.maximum(1.15 - t * t, 0)
    canvas.darken(0.20 * canvas.band(fold, upper) * within)
    canvas.darken(0.36 * canvas.thread(v - fold, 0.028) * smoothstep((1.12 - np.abs(t)) / 0.3))
    canvas.paint(opening, colors.white * (0.97 - 0.28 * t * t)[:, None])
    x = (canvas.s - face.eye_u) * np.sign(canvas.u) - face.gaze_x
    y = v + 0.02 - face.gaze_y
    radius = np.sqrt(x * x + y * y)
    iris = opening * canvas.inside(0.185 - radius)
    canvas.paint(iris, colors.iris * (0.75 + 1.9 * radius)[:, None])
    canvas.darken(0.55 * iris * smoothstep((radius - 0.125) / 0.06))
    canvas.paint(opening * canvas.inside(0.085 - radius), colors.black)
    canvas.darken(0.50 * opening * (1 - smoothstep((v - upper) / 0.13)))
    glint = opening * canvas.inside(0.042 - np.sqrt(square(x + 0.06) + square(y + 0.07)))
    canvas.paint(0.95 * glint, colors.white)
    lashes = canvas.band(upper - 0.03 - 0.03 * np.maximum(arch, 0), upper + 0.01)
    lashes *= canvas.inside(face.eye_width * (1.06 - np.abs(t)))
    canvas.paint(0.92 * lashes, colors.line)
    canvas.paint(0.55 * within * canvas.band(lower - 0.008, lower + 0.028), colors.shadow)


def brows(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Two brows, blunt inside and pointed outside."""
    canvas = canvas.strip(-2.0, 0.2)
    span = face.brow_out - face.brow_in
    q = np.clip((canvas.s - face.brow_in) / span, -0.1, 1.1)
    bend = 2 * face.brow_v_mid - 0.5 * (face.brow_v_in + face.brow_v_out)
    centre = square(1 - q) * face.brow_v_in + 2 * q * (1 - q) * bend + q * q * face.brow_v_out
    half = face.brow_thickness * (1.08 - 0.80 * q * q)
    brow = canvas.band(centre - half, centre + half)
    brow *= smoothstep(q * span / 0.14 + 0.5) * canvas.inside(face.brow_out - canvas.s)
    grain = canvas.strands(canvas.v - centre - 0.45 * canvas.s, 75.0)
    canvas.paint(brow * (0.86 + 0.08 * grain), colors.brow)


def mouth(canvas: Canvas, face: FaceGeometry, colors: Colors) -> None:
    """Lips, and between them the opening with teeth and tongue."""
    canvas = canvas.strip(1.2, 4.0)
    v, drop, stretch, lowered = canvas.v, face["AU26"], face["AU20"], face["AU16"]
    t = canvas.u / face.mouth_width
    a = np.minimum(np.abs(t), 2.0)
    arch = np.maximum(1 - t * t, 0)
    soft = np.sqrt(arch)
    pull = a * np.sqrt(a)
    centre = face.mouth_v + pull * (face.corner + face.corner_right * (t > 0))
    centre += 0.014 * np.cos(6.2 * a) * arch
    # an open mouth is round where the jaw drops, and boxed where it is stretched
    shape = arch + np.minimum(1.2 * drop + 0.5 * lowered, 1) * (soft - arch)
    shape += np.maximum(0.3 * drop, 0.6 * stretch) * (np.sqrt(soft) - shape)
    top = centre - (face.open_upper + 0.50 * face.lip_raise) * shape
    bottom = np.maximum(centre + face.open_lower * shape, top)
    bow = 1 - 0.22 * gauss(square(t / 0.13)) + 0.10 * gauss(square((a - 0.28) / 0.2))
    full = np.sqrt(arch * soft)
    rim_top = top - (face.lip_upper * bow + 0.35 * face.lip_raise) * full
    rim_bottom = bottom + face.lip_lower * full
    ends = canvas.inside((1 - a) * face.mouth_width)
    chin = face.mouth_v + face.open_lower + face.lip_lower + 0.15
    canvas.darken(0.26 * canvas.blob(0, chin, 0.42, 0.075))
    upper, lower = canvas.band(rim_top, top) * ends, canvas.band(bottom, rim_bottom) * ends
    canvas.paint(0.85 * np.minimum(upper + lower, 1), colors.lip)
    canvas.darken(0.16 * upper)
    shine = gauss(square(((v - bottom) / np.maximum(face.lip_lower, 0.05) - 0.45) / 0.25))
    canvas.color += (0.09 * lower * shine * arch)[:, None]
    opening = canvas.band(top, bottom) * ends
    canvas.paint(opening, colors.cavity)
    tongue = smoothstep((v - bottom + 0.40 * face.open_lower - 0.1 * t * t) / 0.2)
    canvas.paint(0.7 * opening * tongue * np.clip(2 * drop - 0.5, 0, 1), colors.tongue)
    # Upper teeth hang where the lips part; lower teeth stand where the lower lip is drawn down.
    gaps = 1 - 0.22 * smoothstep((canvas.strands(canvas.u, 28.0) - 0.75) / 0.25)
    shown = np.minimum(2.5 * face["AU25"] + 3 * stretch * drop + 0.6 * drop, 1)
    reach = (0.25 - 0.15 * drop * (1 - stretch) - 0.05 * stretch) * shown
    hang = canvas.band(top, np.minimum(top + reach, bottom))
    hang *= canvas.inside((0.92 - a) * face.mouth_width)
    canvas.paint(0.95 * hang, colors.teeth * (gaps * (1 - 0.35 * t * t))[:, None])
    stand = canvas.band(np.maximum(bottom - 0.15 * lowered, top), bottom)
    stand *= canvas.inside((0.78 - a) * face.mouth_width)
    canvas.paint(0.9 * stand, colors.teeth * (0.92 * gaps)[:, None])
    # the line where closed lips meet, darker where they are pressed
    meet = canvas.thread(v - 0.5 * (top + bottom), 0.030 + 0.015 * face["AU23"])
    meet *= canvas.inside((1.04 - a) * face.mouth_width) * (1 - opening)
    canvas.paint(0.85 * meet, colors.line)
    canvas.darken(0.35 * canvas.thread(v - centre, 0.06) * canvas.thread(a - 1.02, 0.08))
