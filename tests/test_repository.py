"""The repository keeps its promises: layout, sizes, dependencies, light import, public names."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import notebook_form
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fer_lib

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "fer_lib").rglob("*.py"))
TOP_LEVEL = {
    *("README.md", "requirements.txt", "notebooks", "fer_lib", "datasets", "saved_models", "tests"),
    *("pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "CITATION.cff", "CHANGELOG.md"),
    *("CONTRIBUTING.md", "docs", ".gitignore", ".pre-commit-config.yaml", ".github", ".ci"),
}
HEAVY = ("keras", "tensorflow", "jax", "torch", "cv2", "mtcnn", "matplotlib", "seaborn", "pandas")
HEAVY += ("numpy", "scipy", "sklearn", "skimage", "av", "anywidget", "pooch", "jinja2", "PIL")

# From the bottom to the top. A room imports from its own line and from the lines above it.
ROOMS = (
    ("errors", "files", "labels", "paths", "processes"),
    ("images",),
    ("results",),
    ("detection", "alignment", "enhancement"),
    ("datasets",),  # above the faces, for `load_folder` aligns those of a user's own images
    ("synthetic",),
    ("course",),
    ("models", "augmentation"),
    ("pretrained",),
    ("evaluation",),
    ("plotting",),
    ("explain", "report"),
    ("training", "export", "recipes"),
    ("audit",),
    ("tracking",),  # below `recognition`, whose streams keep faces apart with it
    ("recognition",),
    ("webcam", "video", "batch", "serve"),
    ("cli", "__main__"),
)
LEVEL_OF = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

# Imported name -> distribution, where the two differ.
DISTRIBUTION_OF = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "h5py": "keras",
    "imagehash": "ImageHash",
    "jinja2": "Jinja2",
    "IPython": "jupyter",
    "ipywidgets": "anywidget",
    "traitlets": "anywidget",
    "ai_edge_litert": "ai-edge-litert",
}


def _tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _requirements(lines: list[str]) -> dict[str, Requirement]:
    texts = [line.split("#")[0].strip() for line in lines]
    found = [Requirement(text) for text in texts if text]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def _file_requirements(name: str) -> dict[str, Requirement]:
    return _requirements((ROOT / name).read_text(encoding="utf-8").splitlines())


def test_top_level_holds_what_it_should_and_nothing_else() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in _tracked_files()}
    assert found == TOP_LEVEL


def test_files_are_small() -> None:
    large = [
        path.relative_to(ROOT).as_posix()
        for path in _tracked_files()
        if path.stat().st_size > (notebook_form.MAX_BYTES if path.suffix == ".ipynb" else 1_000_000)
        and "saved_models" not in path.parts
    ]
    assert large == []


# Folders of one machine, and documents that a reader of the repository does not have.
LOCAL = re.compile(
    r"(?:^|[^A-Za-z0-9_.])/(?:home|root|work|farm|tmp|mnt)/"
    r"|\.\./shared|\b(?:design|style|peers|recipes)\.md\b"
)


def test_modules_are_short_and_in_the_words_of_the_field() -> None:
    words = r"\b(pictures?|films?|twins?|doctor|boastful|shall|whoever|mend(s|ed|ing)?)\b"
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 250, f"{path}: more than 250 lines"
        assert not re.search(words, text, re.IGNORECASE), f"{path}: not a word of the field"


def test_nothing_names_a_folder_of_one_machine() -> None:
    found = []
    for path in _tracked_files():
        name = path.relative_to(ROOT).as_posix()
        if name == ".ci/run" or b"\0" in path.read_bytes():
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [
            f"{name}:{n}: {line[:120]}" for n, line in enumerate(lines, 1) if LOCAL.search(line)
        ]
    assert found == []


def test_data_of_others_is_not_committed() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in _tracked_files()]
    owned = re.compile(
        r"(fer2013|ferplus|ckplus|jaffe|kdef|affectnet)[^/]*\.(csv|npz|zip|tar|gz|png|jpg)$"
    )
    assert [name for name in names if owned.search(name.lower())] == []


def test_requirements_are_the_dependencies_and_the_notebooks() -> None:
    project = _project()
    lines = project["dependencies"] + project["optional-dependencies"]["notebooks"]
    wanted = {name: str(requirement) for name, requirement in _requirements(lines).items()}
    listed = {
        n: str(requirement) for n, requirement in _file_requirements("requirements.txt").items()
    }
    assert listed == wanted


def test_constraints_hold_a_tested_version_of_each_dependency() -> None:
    project = _project()
    lines = list(project["dependencies"])
    for extra in ("notebooks", "test", "dev", "jax"):
        lines += project["optional-dependencies"][extra]
    tested = _file_requirements("constraints.txt")
    for name, pinned in tested.items():
        assert pinned.url is None, name
        assert len(pinned.specifier) == 1, name
    for name, requirement in _requirements(lines).items():
        if name == "fer-lib":  # an extra that names other extras
            continue
        assert name in tested, f"{name} has no version in constraints.txt: run `make constraints`"
        [pin] = tested[name].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), f"{tested[name]} is below {requirement}"


def _imports(path: Path) -> set[str]:
    """The dotted names that a module imports anywhere, `from a import b` as both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level or None]
            base = ".".join([*(package if node.level else ()), *filter(None, [node.module])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def test_third_party_imports_are_declared() -> None:
    project = _project()
    declared = set(_requirements(project["dependencies"]))
    for lines in project["optional-dependencies"].values():
        declared |= set(_requirements(lines))
    names = {name.split(".")[0] for path in MODULES for name in _imports(path)}
    brought = {"fer_lib", *sys.stdlib_module_names}
    for name in names - brought:
        distribution = canonicalize_name(DISTRIBUTION_OF.get(name, name))
        assert distribution in declared, f"{name}: no dependency of fer-lib brings it"


def test_imports_go_down() -> None:
    for path in MODULES:
        room = path.relative_to(ROOT / "fer_lib").with_suffix("").parts[0]
        if room == "__init__":
            continue
        assert room in LEVEL_OF, f"{room} is a new room: give it a place in ROOMS"
        for name in _imports(path):
            [package, *inner] = name.split(".")
            if package == "fer_lib" and inner and inner[0] in LEVEL_OF:
                is_below = LEVEL_OF[inner[0]] <= LEVEL_OF[room]
                assert is_below, f"{path.name} in {room} imports from {inner[0]}, above it"


def _python(code: str) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return process.stdout


def test_import_is_light() -> None:
    code = "import fer_lib, json, sys; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(_python(code))
    assert [name for name in loaded if name.split(".")[0] in HEAVY] == []


def test_import_takes_less_than_300_ms() -> None:
    code = (
        "import time; start = time.perf_counter(); import fer_lib; "
        "print(time.perf_counter() - start)"
    )
    assert min(float(_python(code)) for _ in range(3)) < 0.3


@pytest.mark.parametrize("name", fer_lib.__all__)
def test_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(fer_lib, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert inspect.getdoc(value), f"fer_lib.{name} has no docstring"


def test_every_room_is_an_attribute() -> None:
    hidden = {"__init__", "__main__", "errors"}
    for room in {path.relative_to(ROOT / "fer_lib").parts[0] for path in MODULES}:
        name = room.removesuffix(".py")
        assert name in hidden or name in fer_lib._ROOMS, f"fer_lib.{name} cannot be reached"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = fer_lib.no_such_name


def test_versions_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", citation, re.M)[1] == fer_lib.__version__
    assert f"## [{fer_lib.__version__}]" in changelog


@pytest.mark.parametrize("name", ["README.md", "notebooks/RESPONSIBLE_USE.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page)
    links += re.findall(r"<img [^>]*src=\"(?!https?:)([^\"]+)\"", page)
    assert links
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


def test_makefile_help_names_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split()
    described = re.findall(r'@echo "make ([a-z-]+) ', makefile)
    assert sorted(described) == sorted(set(targets) - {"help"})
