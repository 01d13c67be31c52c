"""The classroom page: the session's story in pictures that move, in one HTML file that needs no network."""

from importlib.resources import files
from string import Template

from robustae.utils.files import PathLike, check_writable, write_text
from robustae.utils.version import __version__

__all__ = ["classroom_html", "write_classroom"]

SCRIPTS = ("robust.js", "plotting.js", "bending.js", "threshold.js", "restaurant.js")


def classroom_html() -> str:
    """Return the page as a string."""
    return Template(_asset("classroom.html")).substitute(
        version=__version__,
        style=files("robustae.report").joinpath("page.css").read_text("utf-8") + _asset("classroom.css"),
        script="\n".join(map(_asset, SCRIPTS)),
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


def _asset(name: str) -> str:
    return files("robustae.tutorial").joinpath(f"page/{name}").read_text("utf-8")
