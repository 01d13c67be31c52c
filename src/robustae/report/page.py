"""Pages from facts: one HTML file that needs no network and nothing beside it."""

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from robustae.report import charts
from robustae.utils.files import write_text
from robustae.utils.version import __version__

__all__ = ["html_of", "rendered", "write_report"]

Facts = dict[str, Any]

TITLE = "Robust autoencoder report"
FILTERS = ("activity", "cell", "expected", "histogram", "number", "percent", "training")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")  # of a command: no line ends within it
MARKED = r"<span class=option>\1</span>"


@cache
def _environment(package: str) -> Any:
    """Templates, style sheets and scripts of a package's folder `page`, and those of the report."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    loader = ChoiceLoader([PackageLoader(name, "page") for name in (package, "robustae.report")])
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    made.filters |= {name: getattr(charts, name) for name in FILTERS}
    made.filters |= {"base64": base64, "best_means": best_means, "clock": clock, "groups": groups}
    made.filters["unbroken"] = lambda text: Markup(OPTION.sub(MARKED, str(escape(text))))
    made.globals |= {
        "version": __version__,
        "asset": lambda name: Markup(loader.get_source(made, name)[0]),  # our own, not from facts
    }
    return made


def rendered(
    template: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    package: str = "robustae.report",
    **facts: Any,
) -> str:
    """Return a page; whatever the facts hold is escaped.

    Parameters
    ----------
    template : str
        Extends base.html.
    styles, scripts : sequence of str
        Files that become part of the page, in this order.
    package : str
        Whose folder `page` is searched first.
    **facts
        What the template shows.
    """
    page = _environment(package).get_template(template)
    return page.render(facts, styles=styles, scripts=scripts)


def base64(data: bytes) -> str:
    """Return bytes as text, for an address that holds its own data."""
    return b64encode(data).decode("ascii")


def clock(seconds: float) -> str:
    """Return minutes and seconds, as film.js writes them under the panels."""
    minutes, tenths = divmod(round(10 * float(seconds)), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def best_means(comparison: Facts) -> list[float]:
    """Return the best mean of each column; `better` is "high" (the default) or "low"."""
    pick = max if comparison.get("better", "high") == "high" else min
    columns = zip(*(row["values"] for row in comparison["rows"]), strict=True)
    return [pick(value["mean"] for value in column) for column in columns]


def groups(names: Sequence[str], at_most: int) -> list[Sequence[str]]:
    """Return neighbouring names together, in at most so many groups."""
    step = max(1, -(-len(names) // at_most))
    return [names[start : start + step] for start in range(0, len(names), step)]


def html_of(sections: Sequence[Facts], title: str = TITLE) -> str:
    """Return the page as a string; `sections` are facts as from `robustae.estimators.facts`."""
    styles, scripts = ("page.css", "table.css"), ("table.js", "page.js")
    return rendered("report.html", styles, scripts, title=title, sections=[*sections])


def write_report(path: str | Path, sections: Sequence[Facts], title: str = TITLE) -> None:
    """Write one self-contained HTML file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to.
    sections : sequence of dict
        Facts, one dict per section, as from `robustae.estimators.facts.facts_of`.
    title : str
        Heading of the page.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    write_text(path, html_of(sections, title))
