"""The page: sections of facts in one HTML file that needs no network and nothing beside it."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from robustae.report.blocks import section
from robustae.report.facts import Facts
from robustae.utils.files import write_text
from robustae.utils.version import __version__

__all__ = ["html_of", "write_report"]

TITLE = "Robust autoencoder report"


def html_of(sections: Sequence[Facts], title: str = TITLE) -> str:
    """Return the page as a string; `sections` are facts as from `facts_of`."""
    parts = [section(facts, index) for index, facts in enumerate(sections)]
    links = [f'<a href="#part-{k}">{escape(facts["title"])}</a>' for k, facts in enumerate(sections)]
    # "<" inside JSON could close the script element it stands in.
    data = json.dumps([*sections], allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        version=__version__,
        style=_asset("page.css") + _asset("table.css"),
        script=_asset("table.js") + _asset("page.js"),
        links="".join(links) if len(links) > 1 else "",
        sections="".join(parts),
        facts=data,
    )


def _asset(name: str) -> str:
    return files("robustae.report").joinpath(name).read_text(encoding="utf-8")


def write_report(path: str | Path, sections: Sequence[Facts], title: str = TITLE) -> None:
    """Write one self-contained HTML file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to.
    sections : sequence of dict
        Facts, one dict per section, as from `facts_of`.
    title : str
        Heading of the page.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    write_text(path, html_of(sections, title))
