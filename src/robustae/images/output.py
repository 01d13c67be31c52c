"""The folder that inspected images become: scores, heat maps, the model and a page."""

import io
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.writers import write_table
from robustae.images.reading import in_colour, resized
from robustae.utils.checks import InputError, need
from robustae.utils.files import check_folder, replacing_folder, write_bytes, write_text
from robustae.utils.json import plain
from robustae.utils.version import __version__

__all__ = ["FILES", "check_out", "write_folder"]

FILES = ("scores.csv", "summary.json", "index.html", "model.rae", "heatmaps")
SHOWN = 120  # images that the page carries, worst first
PICTURE = 360  # pixels of the longer side of a picture in the page
DRAWN = 256  # and of a heat map as a file
LONGEST = 180  # bytes of its name, of the 255 that disks allow
FINER = 8  # times finer than its grid a heat map lies over a picture
COLOUR = (217, 89, 26)
COOL, HOT, HOTTEST = 1.5, 4.0, 0.98  # deviations drawn clear, drawn full at least; share of images below full


def write_folder(found: Any, out: str | os.PathLike[str], progress: Any = None) -> dict[str, Any]:
    """Write what was found, whole or not at all.

    Parameters
    ----------
    found : Inspection
    out : path
        The folder: `scores.csv`, `heatmaps/NAME.png` (grey, black to white as in the page), `model.rae`,
        `index.html`, `summary.json`.
    progress : callable, optional
        As for `inspect`, with "write".

    Returns
    -------
    dict
        What `summary.json` holds.

    Raises
    ------
    InputError
        If `out` cannot be written.
    """
    from robustae.report.images import image_page

    summary = _summary(found)
    with replacing_folder(out, _names(out)) as folder:
        write_table(folder / "scores.csv", _table(found))
        _write_heatmaps(found, folder / "heatmaps", progress)
        found.save(folder / "model.rae")
        write_text(folder / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
        write_text(folder / "index.html", image_page(_facts(found, summary)))
    return summary


def check_out(out: str | os.PathLike[str]) -> None:
    """Refuse early a folder that `write_folder` could not write."""
    check_folder(out, _names(out))


def _names(out: str | os.PathLike[str]) -> set[str]:
    """What may lie in the folder already: nothing below `heatmaps` that is no picture of ours."""
    inside = Path(out).expanduser() / "heatmaps"
    others = [path.name for path in inside.glob("*") if path.suffix != ".png"] if inside.is_dir() else []
    if others:
        raise InputError(
            f"the folder {str(inside)!r} holds other files ({min(others)!r}): name a new folder."
        )
    return set(FILES)


def _table(found: Any) -> dict[str, Any]:
    (y, x), (height, width) = found.places.T, found.sizes.T
    return {
        "file": found.names,
        "anomaly_score": found.scores,
        "flagged": found.flagged.astype(int),
        "worst_y": y,
        "worst_x": x,
        "height": height,
        "width": width,
    }


def _summary(found: Any) -> dict[str, Any]:
    worst = found.scores.argmax()
    return plain(
        {
            "images": len(found.names),
            "flagged": int(found.flagged.sum()),
            "threshold": found.threshold,
            "worst": found.names[worst],
            "worst_score": found.scores[worst],
            "features": found.model.features.name,
            "fitted_to": len(found.model.scores),
            "compared_at": {"height": found.model.shape[0], "width": found.model.shape[1]},
            "heatmap": {"rows": found.model.grid[0], "columns": found.model.grid[1]},
            "by_folder": _by_folder(found),
            "could_not_be_read": found.damaged,
            "notes": found.notes,
            "versions": {"robustae": __version__, "python": platform.python_version()},
        }
    )


def _by_folder(found: Any) -> dict[str, dict[str, int]]:
    folders = [Path(name).parent.as_posix() for name in found.names]
    return {
        folder: {
            "images": folders.count(folder),
            "flagged": sum(
                bool(flag) for own, flag in zip(folders, found.flagged, strict=True) if own == folder
            ),
        }
        for folder in sorted(set(folders))
    }


def _write_heatmaps(found: Any, folder: Path, progress: Any) -> None:
    folder.mkdir()
    image, top = need("images", "PIL.Image", "writing heat maps"), _hottest(found)
    for number, (name, heat) in enumerate(zip(_files(found.names), found.heatmaps, strict=True)):
        level = resized(_level(heat, top)[:, :, None], _within(DRAWN, *found.sizes[number]))[:, :, 0]
        write_bytes(folder / name, _encoded(image.fromarray(_bytes(level)), "PNG"))
        if progress is not None:
            progress("write", number + 1, len(found.names))


def _files(names: list[str]) -> Iterator[str]:
    """Yield a file name for each image: folders joined by "_", a number where that is taken."""
    used: set[str] = set()
    for name in names:
        long = Path(name.lstrip("/")).with_suffix("").as_posix().replace("/", "_")
        stem = long.encode()[-LONGEST:].decode(errors="ignore")
        one, number = stem, 1
        while one.casefold() in used:  # some disks do not distinguish cases
            number += 1
            one = f"{stem}_{number}"
        used.add(one.casefold())
        yield f"{one}.png"


def _hottest(found: Any) -> float:
    return max(HOT, float(np.quantile(found.heatmaps.reshape(len(found.names), -1).max(axis=1), HOTTEST)))


def _level(heat: np.ndarray, top: float) -> np.ndarray:
    """Return how strongly a place is drawn, from 0 to 1."""
    return np.clip((heat - COOL) / (top - COOL), 0, 1)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(255 * values + 0.5, 0, 255).astype(np.uint8)


def _within(most: int, height: int, width: int) -> tuple[int, int]:
    factor = most / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _encoded(image: Any, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=82) if kind == "JPEG" else image.save(file, kind)
    return file.getvalue()


def _facts(found: Any, summary: dict[str, Any]) -> dict[str, Any]:
    """What the page is drawn from: plain values, pictures as bytes."""
    order = np.argsort(-found.scores, kind="stable")[:SHOWN]
    return {
        "summary": summary,
        "scores": np.sort(found.scores)[::-1].round(4).tolist(),
        "threshold": round(float(found.threshold), 4),
        "cards": [_card(found, int(number), _hottest(found)) for number in order],
    }


def _card(found: Any, number: int, top: float) -> dict[str, Any]:
    height, width = (int(side) for side in found.sizes[number])
    y, x = found.places[number]
    return {
        "name": found.names[number],
        "score": round(float(found.scores[number]), 4),
        "height": height,
        "width": width,
        "left": 100 * float(x) / width,
        "top": 100 * float(y) / height,
        "picture": _picture(found, number),
        "heat": _overlay(found.heatmaps[number], top),
    }


def _picture(found: Any, number: int) -> bytes:
    image = need("images", "PIL.Image", "drawing images")
    values = found.pictures.read(found.numbers[number], PICTURE)
    small = in_colour(resized(values, _within(PICTURE, *values.shape[:2])), True)
    low, high = (0, 1) if small.min() >= 0 and small.max() <= 1 else found.model.values
    return _encoded(image.fromarray(_bytes((small - low) / (high - low))), "JPEG")


def _overlay(heat: np.ndarray, top: float) -> bytes:
    image = need("images", "PIL.Image", "drawing heat maps")
    level = resized(_level(heat, top)[:, :, None], tuple(FINER * side for side in heat.shape))  # type: ignore
    pixels = np.empty((*level.shape[:2], 4), dtype=np.uint8)
    pixels[:, :, :3], pixels[:, :, 3:] = COLOUR, _bytes(level)
    return _encoded(image.fromarray(pixels), "PNG")
