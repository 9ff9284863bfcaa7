"""The one list of emotion classes, their colors, and the one table that maps other sets' names.

Everything that names an emotion looks it up here; nothing else in the library spells a label set.
"""

from __future__ import annotations

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes in FER2013's order (Goodfellow et al., arXiv 1307.0414)."""

EMOTIONS_8: tuple[str, ...] = (*EMOTIONS, "contempt")
"""The eight classes of FER+, AffectNet and CK+: FER2013's seven and contempt."""

EMOTION_COLORS: dict[str, str] = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "neutral": "#7F7F7F",
    "contempt": "#5B3A1E",
}
"""Okabe and Ito's palette, told apart by people with any common color blindness
(https://jfly.uni-koeln.de/color/); its yellow is darkened to be readable on white."""

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "angry": ("anger", "an", "ang"),
    "disgust": ("disgusted", "di", "dis"),
    "fear": ("fearful", "afraid", "scared", "fe", "af"),
    "happy": ("happiness", "happily", "joy", "smile", "ha", "hap"),
    "sad": ("sadness", "sa"),
    "surprise": ("surprised", "su", "sur"),
    "neutral": ("neutrality", "ne", "neu"),
    "contempt": ("contemptuous", "co"),
}
_CANONICAL: dict[str, str] = {
    synonym: name for name, synonyms in _SYNONYMS.items() for synonym in (name, *synonyms)
}


def find_emotion(name: str) -> str | None:
    """Returns one of `EMOTIONS_8` as `canonical_emotion` does, but None for an unknown name."""
    return _CANONICAL.get(str(name).strip().lower())


def canonical_emotion(name: str) -> str:
    """Returns our name, of `EMOTIONS_8`, for what another data set or a folder calls otherwise.

    Args:
        name: A label such as `"Anger"`, `"happiness"` or KDEF's `"AF"`; case and
            surrounding spaces do not matter.

    Raises:
        ValueError: The name is none that is known; the message lists the known ones.

    Example:
        >>> canonical_emotion("Happiness")
        'happy'
    """
    found = find_emotion(name)
    if found is None:
        raise ValueError(
            f"Expected the name of an emotion, one of {', '.join(EMOTIONS_8)} or a common synonym. "
            f"Received: {name!r}"
        )
    return found
