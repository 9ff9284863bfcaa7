"""A notebook says in one line that it does not fit the library."""

from __future__ import annotations

import warnings

import pytest

import fer_lib


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch):
    """A function that gives the library another version."""
    return lambda text: monkeypatch.setattr(fer_lib, "__version__", text)


@pytest.mark.parametrize("installed", ["0.4.0", "0.4.7", "0.5.0", "0.5.1.dev3"])
def test_a_fitting_library_is_silent(version, installed: str) -> None:
    version(installed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fer_lib.check_notebook_version("0.4")


@pytest.mark.parametrize("installed", ["0.3.9", "0.0.1"])
def test_an_older_library_is_one_line_with_the_remedy(version, installed: str) -> None:
    version(installed)
    with pytest.raises(RuntimeError, match=r"needs fer_lib 0\.4.*git pull") as error:
        fer_lib.check_notebook_version("0.4")
    assert installed in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("installed", ["0.6.0", "1.0.0"])
def test_a_much_newer_library_warns(version, installed: str) -> None:
    version(installed)
    with pytest.warns(FutureWarning, match=r"written for fer_lib 0\.4") as warned:
        fer_lib.check_notebook_version("0.4")
    assert warned[0].filename == __file__


@pytest.mark.parametrize("wanted", ["", "1", "new", "0.x"])
def test_what_is_no_version_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="Expected a version"):
        fer_lib.check_notebook_version(wanted)
