"""The page of inspected images: worst first, heat maps over them, a threshold to move."""

from typing import Any

from robustae.report.page import rendered

__all__ = ["image_page"]


def image_page(facts: dict[str, Any]) -> str:
    """Return one self-contained HTML page.

    Parameters
    ----------
    facts : dict
        `summary` (a dict: `images`, `flagged`, `features`, `fitted_to`, `notes`, `could_not_be_read`,
        `by_folder`, ...); `scores` of all images, falling; `threshold`; `cards` of the worst: `name`,
        `score`, `height`, `width`, `left` and `top` of the worst place in percent, `picture` (bytes of a
        JPEG), `heat` (bytes of a PNG with alpha).

    Returns
    -------
    str
        HTML that loads nothing from elsewhere.
    """
    styles = ("page.css", "images.css")
    return rendered("images.html", styles, ("images.js",), title="Odd images", **facts)
