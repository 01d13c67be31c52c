"""The folder that a separated clip becomes: films, images, tables and a page, all at once or not at all."""

import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.writers import write_table
from robustae.utils.checks import InputError
from robustae.utils.files import check_folder, replacing_folder, write_bytes, write_text
from robustae.utils.json import plain
from robustae.utils.version import __version__
from robustae.video.sheets import Busiest, Sheet, masked
from robustae.video.tracks import drawn, tracks_of
from robustae.video.writing import ENDINGS, FilmWriter, film, film_name, png

__all__ = ["Interrupted", "check_out", "write_folder"]

FILMS = ("background", "foreground", "mask", "side_by_side", "boxes")
FILES = ("background.png", "activity.csv", "tracks.csv", "summary.json", "index.html", "masks")
_WHITE = 4  # thresholds: the score that is drawn white
_SLOWEST = 10.0  # frames per second of the films: slower ones would hardly play
_EMBEDDED = 64 * 2**20  # bytes of film that a page carries; beyond, it plays the file beside it

Progress = Callable[[int, int | None], None]


class Interrupted(Exception):
    """Stopped by the user; what was done until then is written."""

    def __init__(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
        super().__init__(
            f"stopped after {done} frames" if total is None else f"stopped after {done} of {total} frames"
        )


def write_folder(
    separation: Any,
    out: str | os.PathLike[str],
    *,
    masks: bool = False,
    tracks: bool = False,
    boxes: bool = False,
    page: Callable[[dict[str, Any]], str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write what a separated clip consists of, in one pass over its frames.

    Parameters
    ----------
    separation : Separation
        The clip; it is read once, and no more than two of its batches are held.
    out : path
        The folder: `background.png` (a film where it moves), films `foreground` (the frame's own
        colours where there is foreground, else black), `mask` and `side_by_side` (original,
        background, foreground, score), `activity.csv`, `summary.json`, `index.html`.
    masks : bool
        Also write ``masks/000123.png`` for every frame, named by the source's frame numbers.
    tracks : bool
        Also write `tracks.csv`: regions joined from frame to frame, see `robustae.video.tracks`.
    boxes : bool
        Also write the film `boxes`: the frames with a box around each region.
    page : callable, optional
        Makes the text of `index.html` from facts, as `robustae.report.film.film_page` does.
    progress : callable, optional
        Called after every batch with the number of frames done, and of all or None.

    Returns
    -------
    dict
        What `summary.json` holds.

    Raises
    ------
    InputError
        If a frame cannot be read or `out` cannot be written. Nothing is left behind then.
    Interrupted
        On Ctrl-C during the pass, after the frames done until then were written as a whole folder.
    """
    with replacing_folder(out, _names(out)) as folder:
        written = _Pass(separation, folder, masks, boxes)
        complete = written.run(progress or (lambda done, total: None))
        if not written.done:
            raise Interrupted(0, separation.clip.count)
        summary = written.summary(complete)
        _write_facts(folder, written, summary, page)
        if tracks:
            write_table(folder / "tracks.csv", tracks_of(written.activity()))
    if not complete:
        raise Interrupted(written.done, separation.clip.count)
    return summary


class _Pass:
    """One pass over a separation, every frame into every film."""

    def __init__(self, separation: Any, folder: Path, masks: bool, boxes: bool) -> None:
        self.separation, self.clip, self.folder = separation, separation.clip, folder
        self.masks, self.done = folder / "masks" if masks else None, 0
        self.threshold, self.boxes = float(separation.threshold), boxes
        self.fps = max(self.clip.fps / self.clip.every, min(self.clip.fps, _SLOWEST))
        still, scale = not separation.moving, _WHITE * self.threshold
        self.sheet = Sheet(self.clip.height, self.clip.width, scale, still)
        self.busiest = Busiest()
        self.seconds = {"encode": 0.0, "total": 0.0}

    def run(self, progress: Progress) -> bool:
        """Write all frames; return False if the user stopped it."""
        begin = time.perf_counter()
        if self.masks is not None:
            self.masks.mkdir()
        with ExitStack() as stack:
            films = {name: stack.enter_context(self._film(name)) for name in self._film_names()}
            complete = self._run(films, progress)
        self.seconds["total"] = time.perf_counter() - begin
        return complete

    def _run(self, films: dict[str, FilmWriter], progress: Progress) -> bool:
        # Beside the pass, in a thread of its own: an interrupt, which only the main thread sees, never
        # finds a batch written into one film and not yet into another.
        with ThreadPoolExecutor(1) as pool:
            pending: Future[None] | None = None
            try:
                for batch in self.separation:
                    self._wait(pending, progress)
                    pending = pool.submit(self._add, batch, films)
                self._wait(pending, progress)
            except KeyboardInterrupt:
                self._wait(pending, progress)
                return False
        return True

    def _wait(self, pending: "Future[None] | None", progress: Progress) -> None:
        if pending is not None:
            pending.result()
            progress(self.done, self.clip.count)

    def _film_names(self) -> list[str]:
        wanted = {"background": self.separation.moving, "boxes": self.boxes}
        return [name for name in FILMS if wanted.get(name, True)]

    def _film(self, name: str) -> Any:
        shape = self.sheet if name == "side_by_side" else self.clip
        return film(self.folder / film_name(name), shape.height, shape.width, self.fps)

    def _add(self, batch: Any, films: dict[str, FilmWriter]) -> None:
        begin = time.perf_counter()
        parts = zip(batch.frames, batch.background, batch.score, batch.mask, strict=True)
        for place, (frame, background, score, mask) in enumerate(parts):
            if "background" in films:
                films["background"].add(background[None])
            films["foreground"].add(masked(frame, mask)[None])
            self._add_mask(films["mask"], batch.first + place * self.clip.every, mask)
            films["side_by_side"].add(self.sheet(frame, background, score, mask)[None])
            if "boxes" in films:
                films["boxes"].add(drawn(frame, batch.boxes[place])[None])
            self._see(batch.first + place * self.clip.every, frame, mask)
            self.done += 1
        self.seconds["encode"] += time.perf_counter() - begin

    def _add_mask(self, film: FilmWriter, number: int, mask: np.ndarray) -> None:
        white = mask * np.uint8(255)
        film.add(white[None])
        if self.masks is not None:
            write_bytes(self.masks / f"{number:06d}.png", png(white))

    def _see(self, number: int, frame: np.ndarray, mask: np.ndarray) -> None:
        moment = {"frame": self.done, "seconds": self.clip.seconds_of(number), "share": float(mask.mean())}
        self.busiest.see(moment, frame)

    def activity(self) -> dict[str, list[Any]]:
        """Return the columns of the frames that were written, as lists."""
        columns = self.separation.activity_so_far
        return {name: np.asarray(column)[: self.done].tolist() for name, column in columns.items()}

    def summary(self, complete: bool) -> dict[str, Any]:
        """Return settings, results and timings."""
        clip, model = self.clip, self.separation.model
        spent = getattr(self.separation, "timings", {})
        total = self.seconds["total"] + spent.get("decode", 0) + spent.get("fit", 0)
        facts = {
            "source": clip.name,
            "complete": complete,
            "frames_done": self.done,
            "frames": clip.count,
            "height": clip.height,
            "width": clip.width,
            "fps": clip.fps,
            "fps_of_films": self.fps,
            "threshold": self.threshold,
            "score_drawn_white": _WHITE * self.threshold,
            "lam_": getattr(model, "lam_", None),
            "hidden_": getattr(model, "hidden_", None),
            "settings": self.separation.settings,
            "seconds": spent | self.seconds | {"total": total},
            "frames_per_second": self.done / total,
            "notes": getattr(self.separation, "notes", clip.notes),
            "versions": _versions(),
        }
        return plain(facts, infinite=True)


def _write_facts(folder: Path, done: _Pass, summary: dict[str, Any], page: Callable[..., str] | None) -> None:
    if not done.separation.moving:
        write_bytes(folder / "background.png", png(done.separation.background))
    activity = done.activity()
    write_table(folder / "activity.csv", activity)
    write_text(folder / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    if page is not None:
        write_text(folder / "index.html", page(_facts(folder, done, summary, activity)))


def _facts(folder: Path, done: _Pass, summary: dict[str, Any], activity: dict[str, Any]) -> dict[str, Any]:
    """What the page is drawn from; places and sizes in pixels of the side-by-side film."""
    name = film_name("side_by_side")
    small = (folder / name).stat().st_size < _EMBEDDED
    return {
        "name": done.clip.name,
        "width": done.sheet.panel_width,
        "height": done.sheet.panel_height,
        "frame_width": done.clip.width,
        "frame_height": done.clip.height,
        "fps": done.fps,
        "frames": done.done,
        "panels": done.sheet.panels,
        "video": (folder / name).read_bytes() if small else None,
        "video_name": name,
        "score_scale": _WHITE * done.threshold,
        "threshold": done.threshold,
        "activity": activity,
        "thumbnails": done.busiest.moments(),
        "summary": summary,
    }


def check_out(out: str | os.PathLike[str]) -> None:
    """Refuse early a folder that `write_folder` could not write."""
    check_folder(out, _names(out))


def _names(out: str | os.PathLike[str]) -> set[str]:
    """What may lie in the folder already; images there that are no masks of ours are not to be lost."""
    inside = Path(out).expanduser() / "masks"
    others = [entry.name for entry in _entries(inside) if not re.fullmatch(r"\d{6,}\.png", entry.name)]
    if others:
        raise InputError(
            f"the folder {str(inside)!r} holds other files ({min(others)!r}): name a new folder."
        )
    return {*FILES, *(stem + ending for stem in FILMS for ending in ENDINGS)}


def _entries(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _versions() -> dict[str, str]:
    others = {name: version(name) for name in ("torch", "numpy", "av")}
    return {"robustae": __version__, "python": platform.python_version()} | others
