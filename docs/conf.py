"""The site of the course, for Sphinx: `make book` builds it from the files where they lie.

The source folder is the repository, so that links between README, lessons, cards and guides are
those that the repository itself has. Notebooks show their stored outputs; nothing is executed. No
page loads anything from elsewhere: formulas are MathML, fonts and scripts come with the theme.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode
from sphinx.writers.html5 import HTML5Translator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # autodoc imports TensorFlow, GPU or not
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import fer_lib  # noqa: E402


def _find_repository() -> str:
    """Returns the address on GitHub, for the Colab buttons, or an empty string."""
    address = os.environ.get("REPOSITORY", "")
    if not address:
        command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
        try:
            address = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:  # no git: a downloaded copy
            return ""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", address)
    return f"https://github.com/{found[1]}" if found else ""


def _find_constants() -> dict[str, list[str]]:
    """Returns the public names of each room that are neither functions nor classes.

    `automodule` leaves those out that a room has from one of its files.
    """
    constants = {"fer_lib": [name for name in fer_lib.__all__ if name.isupper()]}
    for room in ROOMS:
        names = getattr(getattr(fer_lib, room), "__all__", [])
        found = [name for name in names if not callable(getattr(getattr(fer_lib, room), name))]
        constants[f"fer_lib.{room}"] = [name for name in found if name not in fer_lib.__all__]
    return constants


# The rooms are those that docs/api.md lists.
ROOMS = re.findall(
    r"^ +fer_lib\.(\w+)$", Path(__file__).with_name("api.md").read_text("utf-8"), re.M
)
for _stub in ROOT.glob("docs/api/fer_lib.*.rst"):  # of a room that has another name now
    if _stub.stem.removeprefix("fer_lib.") not in ROOMS:
        _stub.unlink()
REPOSITORY = _find_repository()
BRANCH = os.environ.get("BRANCH") or "main"

project = "fer_lib"
author = "The fer_lib authors"
release = version = fer_lib.__version__
root_doc = "README"
include_patterns = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "fer_lib/README.md"),
    *("notebooks/*.md", "notebooks/[0-9]*.ipynb", "notebooks/exercises/*.ipynb"),
    *("datasets/*.md", "saved_models/README.md", "saved_models/*/README.md"),
    *("docs/api.md", "docs/exercises.md", "docs/api/*.rst"),
]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # no lesson stores a widget; the default loads scripts from elsewhere
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4

autosummary_generate = ["docs/api.md"]
autosummary_context = {"room_of": fer_lib._ROOM_OF, "constants": _find_constants()}
templates_path = [str(ROOT / "docs" / "templates")]
default_role = "py:obj"  # `name` in a docstring: code, and a link where it is documented
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ImageSource": "ImageSource"}
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 60

html_theme = "sphinx_book_theme"
html_title = "fer_lib"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_theme_options = {
    "navbar_persistent": [],  # the search stands in the sidebar
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "repository_url": REPOSITORY,
    "repository_branch": BRANCH,
    "use_repository_button": bool(REPOSITORY),
    "launch_buttons": {"colab_url": "https://colab.research.google.com"} if REPOSITORY else {},
}

# Links to folders: the page that shows what is in one. Others lead to the repository.
PAGE_OF_FOLDER = {
    "notebooks/exercises": "/docs/exercises.md",
    "saved_models": "/saved_models/README.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)\)")
_ANCHOR = re.compile(r'^<a id="([\w-]+)"></a>$', re.M)


def prepare_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Gives the front page its table of contents, and Markdown the links that a site can have."""
    if app.env.doc2path(docname).suffix != ".md":
        return
    folder = (ROOT / docname).parent

    def replace(match: re.Match) -> str:
        target = (folder / match[2]).resolve()
        if not target.is_relative_to(ROOT):
            return match[0]
        path = target.relative_to(ROOT).as_posix()
        if path.startswith("notebooks/solutions/"):  # not a page, for students read the site
            return f"{{download}}`{match[1]} </{path}>`"
        if not target.is_dir():
            return match[0]
        if path in PAGE_OF_FOLDER:
            return f"[{match[1]}]({PAGE_OF_FOLDER[path]})"
        return f"[{match[1]}]({REPOSITORY}/tree/{BRANCH}/{path})" if REPOSITORY else match[1]

    text = _LINK.sub(replace, source[0])
    source[0] = _ANCHOR.sub(r"(\1)=", text)  # a name for links that MyST knows, too
    if docname == root_doc:
        contents = Path(app.confdir, "index.md")
        app.env.note_dependency(contents)
        source[0] += "\n" + contents.read_text(encoding="utf-8")


def link_type(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Leads a type that names the module it is written in to the room it is imported from."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target:
        return None
    name = target.rpartition(".")[2]
    ours = target.startswith("fer_lib.") or target == name
    if not ours or (name.islower() and "_" not in name):  # `fit` may be that of Keras
        return None
    for full_name, entry in env.domains["py"].objects.items():
        owner, _, last = full_name.rpartition(".")
        if last == name and owner.count(".") < 2 and owner.islower():
            page = node["refdoc"]
            return make_refnode(app.builder, page, entry.docname, entry.node_id, content, full_name)
    return None


def describe_constant(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Takes the text below a constant from the file that defines it, not from its type."""
    if what != "data":
        return
    last = name.rpartition(".")[2]
    for module_name, module in sorted(sys.modules.items()):
        if module_name.startswith("fer_lib.") and vars(module).get(last) is value:
            texts = ModuleAnalyzer.for_module(module_name).find_attr_docs()
            if ("", last) in texts:
                lines[:] = texts["", last]
                return


def skip_member(
    app: Sphinx, what: str, name: str, value: object, skip: bool, options: object
) -> bool | None:
    """Leaves out the fields of named tuples, which the class describes."""
    text = getattr(value, "__doc__", None) or ""
    return True if text.startswith("Alias for field number") else None


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Writes a formula in a line as MathML."""
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Writes a formula of its own line as MathML."""
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def add_index(app: Sphinx, exception: Exception | None) -> None:
    """Names the front page as web servers look for it."""
    if exception is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    """Connects the functions of this file."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("source-read", prepare_page)
    app.connect("autodoc-process-docstring", describe_constant)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", link_type)
    app.connect("build-finished", add_index)
