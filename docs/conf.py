"""Sphinx settings: `make docs` builds the pages and treats every warning as an error."""

import re

import robustae

project = "robustae"
author = "The robustae developers"
project_copyright = "2026, The robustae developers"
version = release = robustae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas show without a network: MathJax comes along
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "image_scrapers": ("matplotlib",),
    "write_computation_times": False,  # they differ from build to build
    "min_reported_time": 1e9,
    "capture_repr": ("_repr_html_",),  # data frames; not the address of a legend
    "abort_on_example_error": True,
}

html_theme = "furo"
html_title = f"robustae {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]


def literal_names(app, what, name, obj, options, lines):
    """Docstrings say lam_ and *shape as in code; reStructuredText would read links and emphasis there."""
    for i, line in enumerate(lines):
        line = re.sub(r"(?<![\w`*.\\])(\w+_)(?![\w`*])", r"``\1``", line)
        lines[i] = re.sub(r"(?<=[ (])\*(?=\w+[),])", r"\\*", line)


def setup(app):
    """Run after numpydoc, which has turned the sections into reStructuredText by then."""
    app.connect("autodoc-process-docstring", literal_names, priority=900)
