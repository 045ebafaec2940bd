"""The site: `pip install ".[docs]" && sphinx-build -W -b html docs build/site`, without a network.

Pages are those of docs, as they are read in the repository. What comes from elsewhere (the help of
the commands, the reference, files outside of docs) is read while the site is built.
"""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from documentation.commands import help_sections
from documentation.links import page_text
from documentation.names import (
    escaped,
    library_names,
    package_names,
    reference,
    with_options,
)

from stylejax.version import VERSION

project = "stylejax"
author = "the stylejax developers"
copyright = author
version = release = VERSION

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "Thumbs.db"]
myst_heading_anchors = 3
# Blocks of no language are formulas and what programs print.
highlight_language = "text"

# Notebooks are run when the site is built, each in seconds; what fails ends the build. Their
# pictures are small, so that compiling is what costs.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Types are named without their modules, and two packages have statistics of their own.
suppress_warnings = ["ref.python"]
napoleon_use_ivar = True
napoleon_attr_annotations = False
# One backtick is code in docstrings, as it is in Markdown.
default_role = "code"

html_theme = "furo"
html_title = "stylejax"
html_static_path = ["_static"]
html_css_files = ["stylejax.css"]
html_show_sphinx = False
# Else a page with a widget would fetch scripts from elsewhere.
nb_ipywidgets_js = {}

_GENERATED = {
    "command-line": help_sections,
    "api": lambda: reference(library_names()),
    "api-packages": lambda: reference(package_names()),
}


def _read(app, page, source):
    source[0] = page_text(page, source[0])
    if page in _GENERATED:
        source[0] += "\n" + _GENERATED[page]()


def _docstring(app, what, name, value, options, lines):
    # Of a field that has no docstring Python says its place, which nobody asks for.
    is_bare = bool(lines) and lines[0].startswith("Alias for field number")
    lines[:] = [] if is_bare else escaped(with_options(value, lines))


def _signature(app, what, name, value, options, arguments, result):
    # A type by its name alone, wherever it is from.
    short = lambda text: text and re.sub(r"~[\w.]+\.|jaxlib\._jax\.", "", text)
    return short(arguments), short(result)


def setup(app):
    """Connect what is above."""
    app.connect("source-read", _read)
    # Before napoleon, which turns sections into reStructuredText.
    app.connect("autodoc-process-docstring", _docstring, priority=400)
    app.connect("autodoc-process-signature", _signature)
