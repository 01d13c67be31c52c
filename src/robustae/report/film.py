"""The film page: a separated video that plays its panels in step, as one HTML file."""

import json
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from robustae.report.charts import number
from robustae.utils.json import plain
from robustae.utils.version import __version__

__all__ = ["film_page"]

Facts = dict[str, Any]

WEBM = b"\x1a\x45\xdf\xa3"  # how a Matroska or WebM file begins
VIEW = (
    '<select id="view" aria-label="this panel shows"><option value="colours">foreground</option>'
    '<option value="difference">difference</option>'
    '<option value="score">score</option></select>'
)
CAPTIONS = {"original": "original", "background": "background", "foreground": VIEW}  # ready HTML


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
    return Template(_asset("film.html")).substitute(
        name=escape(str(facts["name"])),
        version=__version__,
        style=_asset("page.css") + _asset("film.css"),
        script=_asset("film.js"),
        lead=_lead(facts),
        panels=_panels(facts),
        aspect=f"{facts['width'] / facts['height']:.4g}",
        moments=_moments(facts["thumbnails"]),
        rows=_listed(plain(facts["summary"])),
        facts=_inlined(facts),
        video="" if facts["video"] is None else b64encode(facts["video"]).decode("ascii"),
    )


def _asset(name: str) -> str:
    return files("robustae.report").joinpath(name).read_text(encoding="utf-8")


def _inlined(facts: Facts) -> str:
    """What the script needs, as JSON; "<" in it could close the script element it stands in."""
    kept = ("width", "height", "fps", "frames", "panels", "video_name", "score_scale", "threshold")
    data = plain({key: facts[key] for key in kept}) | {
        "type": "video/webm" if (facts["video"] or b"").startswith(WEBM) else "video/mp4",
        "activity": {name: [*map(_short, column)] for name, column in plain(facts["activity"]).items()},
    }
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _short(value: Any) -> Any:
    """Six digits are more than a curve shows; long clips stay small."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _size(facts: Facts) -> tuple[int, int]:
    """Width and height of the frames that the panels were drawn from."""
    return facts.get("frame_width", facts["width"]), facts.get("frame_height", facts["height"])


def _lead(facts: Facts) -> str:
    flagged, share = sum(map(bool, facts["activity"]["flagged"])), max(facts["activity"]["share"], default=0)
    width, height = _size(facts)
    return (
        f"{number(facts['frames'])} frames at {number(facts['fps'], 4)} a second, {width} × {height} pixels. "
        f"Flagged: {number(flagged) if flagged else 'none'}; at most {_percent(share)} of a frame is "
        "foreground."
    )


def _panels(facts: Facts) -> str:
    names = [panel["name"] for panel in facts["panels"] if panel["name"] in CAPTIONS]
    return "".join(
        f'<figure class="{name}"><div class="picture"><canvas id="{name}" role="img" aria-label="{name}" '
        f'width="{facts["width"]}" height="{facts["height"]}"></canvas>{_boxes(facts, name)}</div>'
        f"<figcaption>{CAPTIONS[name]}</figcaption></figure>"
        for name in names
    )


def _boxes(facts: Facts, panel: str) -> str:
    if panel != "original":
        return ""
    width, height = _size(facts)
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        '<path id="boxes"/></svg>'
    )


def _moments(thumbnails: list[Facts]) -> str:
    if not thumbnails:
        return ""
    drawn = "".join(map(_moment, thumbnails))
    return f'<div class="block"><h2>Busiest moments</h2><div class="moments">{drawn}</div></div>'


def _moment(thumbnail: Facts) -> str:
    time, share = _clock(float(thumbnail["seconds"])), _percent(float(thumbnail["share"]))
    picture = b64encode(thumbnail["png"]).decode("ascii")
    return (
        f'<button type="button" data-frame="{int(thumbnail["frame"])}">'
        f'<img alt="" src="data:image/png;base64,{picture}"><b>{time}</b> {share}</button>'
    )


def _clock(seconds: float) -> str:
    """Minutes and seconds, as film.js writes them under the panels."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _listed(summary: Facts) -> str:
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in _rows(summary))


def _rows(summary: Facts, within: str = "") -> Iterator[tuple[str, str]]:
    """Names and ready HTML, dicts inside dicts laid flat."""
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
