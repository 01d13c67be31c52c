"""The classroom page: the session's story in pictures that move, in one HTML file that needs no network."""

from robustae.report.page import rendered
from robustae.utils.files import PathLike, check_writable, write_text

__all__ = ["classroom_html", "write_classroom"]

SCRIPTS = ("robust.js", "plotting.js", "bending.js", "threshold.js", "restaurant.js")


def classroom_html() -> str:
    """Return the page as a string."""
    return rendered(
        "classroom.html",
        ("page.css", "classroom.css"),
        SCRIPTS,
        package="robustae.tutorial",
        title="From autoencoder to robust autoencoder",
    )


def write_classroom(path: PathLike) -> None:
    """Write the classroom page, whole or not at all.

    Parameters
    ----------
    path : str or path
        Ends in .html or .htm; a file of that name is replaced.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    check_writable(path, (".html", ".htm"))
    write_text(path, classroom_html())
