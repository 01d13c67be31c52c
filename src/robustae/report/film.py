"""The film page: a separated video that plays its panels in step, as one HTML file."""

from collections.abc import Iterator
from typing import Any

from robustae.report.charts import number
from robustae.report.page import rendered
from robustae.utils.json import plain

__all__ = ["film_page"]

Facts = dict[str, Any]

WEBM = b"\x1a\x45\xdf\xa3"  # how a Matroska or WebM file begins


def film_page(facts: Facts) -> str:
    """Return one self-contained HTML page that plays a separated video.

    Parameters
    ----------
    facts : dict
        `name` (str), `width`, `height` (pixels of one panel), `fps`, `frames` (of the video shown);
        `panels`, dicts of `name` ("original", "background", "foreground", "score") and the offset
        `x`, `y` in pixels inside the video; `video`, the bytes of an H.264 MP4 or a WebM, or None where
        `video_name`, a file beside the page, is played instead; `score_scale`, the score of gray
        level 255; `threshold`, the score from which a pixel is foreground; `activity`, columns `frame`,
        `seconds`, `share`, `score`, `flagged`, `blobs`, `boxes` ("x,y,w,h;x,y,w,h"), one value a frame;
        `thumbnails`, dicts of `frame` (place in the video), `seconds`, `share`, `png` (bytes);
        `summary`, a dict for the table of facts. Where panels are smaller than the frames:
        `frame_width`, `frame_height`, in whose pixels boxes are counted.

    Returns
    -------
    str
        HTML that loads nothing from elsewhere. The browser recomputes the foreground from the score
        panel at any threshold. It cannot where the video lies beside a page opened as a file; the
        page then says so and shows the panels as they are.
    """
    activity = plain(facts["activity"])
    return rendered(
        "film.html",
        ("page.css", "film.css"),
        ("film.js",),
        title=str(facts["name"]),
        facts=facts,
        size=(facts.get("frame_width", facts["width"]), facts.get("frame_height", facts["height"])),
        flagged=sum(map(bool, activity["flagged"])),
        share=max(activity["share"], default=0),
        rows=[row for row in _rows(plain(facts["summary"])) if row[0] != "notes"],  # they stand at the head
        inlined=_inlined(facts, activity),
    )


def _inlined(facts: Facts, activity: Facts) -> Facts:
    """What the script needs."""
    kept = ("width", "height", "fps", "frames", "panels", "video_name", "score_scale", "threshold")
    return plain({key: facts[key] for key in kept}) | {
        "type": "video/webm" if (facts["video"] or b"").startswith(WEBM) else "video/mp4",
        "activity": {name: [*map(_short, column)] for name, column in activity.items()},
    }


def _short(value: Any) -> Any:
    """Six digits are more than a curve shows; long clips stay small."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _rows(summary: Facts, within: str = "") -> Iterator[tuple[str, str]]:
    """Names and values, dicts inside dicts laid flat."""
    for name, value in summary.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{within}{name} · ")
        else:
            yield within + name, _value(value)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_value, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value)
