"""Small pieces of HTML of which the blocks of a page are made."""

from collections.abc import Sequence
from html import escape
from typing import Any

from robustae.report.charts import number

__all__ = ["bar", "grid", "headed", "label", "mark", "percent", "slider", "value"]

Facts = dict[str, Any]

SLIDER_HELP = (
    "N = soft(R, λ/2): the part of a residual beyond λ/2 is outlier, the rest noise. With a small λ all that "
    "is not explained is outlier; with a large one nothing is, as in a plain autoencoder. The page "
    "recomputes N; the fit stays."
)
LONGEST = 48  # letters of a value


def headed(title: str, body: str, text: str = "", style: str = "") -> str:
    """A block of the page: heading, a sentence or two, ready HTML."""
    said = f'<p class="say">{escape(text)}</p>' if text else ""
    return f'<div class="block {style}"><h3>{escape(title)}</h3>{said}{body}</div>'


def percent(share: float) -> str:
    """A share in at most three digits."""
    return f"{100 * share:.2g}\u00a0%" if share < 0.1 else f"{100 * share:.0f}\u00a0%"


def value(cell: Any) -> str:
    """A cell as written, cut where it is long; a dash for nothing."""
    if isinstance(cell, str) and len(cell) > LONGEST:
        return f"{escape(cell[: LONGEST - 1])}…"
    if isinstance(cell, str | bool | None) or not (cell == int(cell) or 1e-4 <= abs(cell) < 1e7):
        return number(cell, 5)
    return f"{cell:.7g}" if abs(cell) < 1e7 else f"{cell:.0f}" if abs(cell) < 1e15 else number(cell, 5)


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table of ready HTML; the first cell names the row."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        f"<tr><th>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def bar(share: float) -> str:
    """A bar as long as a share of 1."""
    return f'<i class="bar" style="--share:{share:.3f}"></i>'


def mark(top: Facts) -> str:
    """Whether a row is anomalous."""
    style, said = ("chip", "anomalous") if top["anomalous"] else ("chip calm", "normal")
    return f'<span class="{style}">{said}</span>'


def label(top: Facts) -> str:
    """What a row is called beside its number."""
    return f", {escape(top['label'])}" if top.get("label") else ""


def slider(facts: Facts) -> str:
    """The lambda slider, where N can be recomputed."""
    if not facts.get("slider"):
        return ""
    return (
        '<div class="slider"><label>λ <input type="range" class="lam" min="0" max="1000" step="any" '
        'aria-label="lambda"></label><output class="lam-said"></output>'
        '<button type="button" class="fitted">fitted λ</button></div>'
        f'<p class="say">{SLIDER_HELP}</p>'
    )
