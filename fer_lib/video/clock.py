"""Times that strictly increase, whatever the file says."""

from __future__ import annotations

# A clock that goes back or ahead by more seconds was restarted; less is jitter.
_MAX_BACK_S, _MAX_AHEAD_S = 0.5, 3600.0
_MIN_STEP_S = 1e-3


class Clock:
    """Makes times strictly increasing from 0 on, also where joined recordings restart theirs."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._shift_s = 0.0
        self._last_s: float | None = None

    def follow(self, time_s: float | None) -> float:
        """Returns the time of the next frame; `None` is one step after the last."""
        last_s = self._last_s
        if last_s is None:
            self._last_s = time_s or 0.0
            if not 0 <= self._last_s < _MAX_AHEAD_S:  # the file's start is wrong, not its steps
                self._shift_s, self._last_s = -self._last_s, 0.0
            return self._last_s
        new_s = last_s + self._step_s if time_s is None else time_s + self._shift_s
        if not -_MAX_BACK_S < new_s - last_s < _MAX_AHEAD_S:
            self._shift_s += last_s + self._step_s - new_s
            new_s = last_s + self._step_s
        self._last_s = max(new_s, last_s + _MIN_STEP_S)
        return self._last_s
