"""robustae video."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.cli._running import INTERRUPTED
from robustae.utils.checks import InputError
from robustae.utils.progress import shown
from robustae.utils.signals import interrupting

Film = Annotated[
    str,
    typer.Argument(
        metavar="FILM",
        help="The video: a file, a folder of images, frames in .npy or .npz, a camera's number, or a URL.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class FrameOptions:
    """Which frames are read, and how."""

    start: Annotated[
        str | None,
        options.option(
            "WHEN", "--start", help="Where to start: a frame number, or a time such as 12.5s or 1:02."
        ),
    ] = None
    stop: Annotated[
        str | None, options.option("WHEN", "--stop", help="Where to stop, before this frame number or time.")
    ] = None
    every: Annotated[
        int, typer.Option("--every", metavar="NUMBER", min=1, help="Use only every NUMBER-th frame.")
    ] = 1
    scale: Annotated[
        str | None,
        options.option("SIZE", "--scale", help="Size to work in: a factor such as 0.5, or 320x240."),
    ] = None
    gray: Annotated[bool, typer.Option("--gray", help="Work in shades of grey instead of colours.")] = False
    range_: Annotated[
        str | None,
        options.option("LOW,HIGH", "--range", help="Values of black and white in arrays, such as 0,4095."),
    ] = None
    window: Annotated[
        int | None,
        options.option(
            "FRAMES", "--window", help="For long recordings: fit a new background after this many frames."
        ),
    ] = None
    stabilise: Annotated[
        bool,
        typer.Option("--stabilise/--no-stabilise", help="Align frames where the camera is found to shake."),
    ] = True

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of `separate`."""
        settings = asdict(self) | {"start": _when(self.start), "stop": _when(self.stop)}
        return {name.rstrip("_"): value for name, value in settings.items()}


@dataclass(frozen=True)
class MaskOptions:
    """What counts as foreground."""

    cut: Annotated[
        float | None,
        options.option(
            "NUMBER", "--cut", help="Noise deviations from which a pixel counts as foreground (default 4.5)."
        ),
    ] = None
    smooth: Annotated[
        float | None,
        options.option(
            "PIXELS",
            "--smooth",
            help="Width of the filter that smooths the score (default 1.5 to 4, by size).",
        ),
    ] = None
    least_blob: Annotated[
        int | None,
        options.option(
            "PIXELS", "--least-blob", help="Area of the smallest region that counts as foreground."
        ),
    ] = None
    keep_shadows: Annotated[bool, typer.Option("--keep-shadows", help="Count shadows as foreground.")] = False

    @property
    def settings(self) -> dict[str, Any]:
        """Those that are given, and whether shadows are told apart."""
        given = {"cut": self.cut, "smooth": self.smooth, "least_blob": self.least_blob}
        given = {name: value for name, value in given.items() if value is not None}
        return given | {"shadows": not self.keep_shadows}


@dataclass(frozen=True)
class ExtraFiles:
    """What is written beside the videos, the tables and the page."""

    masks: Annotated[
        bool, typer.Option("--masks", help="Also write the mask of every frame as a PNG image.")
    ] = False
    tracks: Annotated[
        bool, typer.Option("--tracks", help="Also write tracks.csv: who moves where, frame by frame.")
    ] = False
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Also write a film with boxes around the foreground.")
    ] = False


@options.takes(reading=FrameOptions, mask=MaskOptions, products=ExtraFiles)
def video(
    film: Film,
    out: Annotated[
        Path, options.option("DIR", "--out", "-o", help="Folder to write videos, tables and a page to.")
    ],
    model: Annotated[
        Path | None,
        options.option(
            "FILE",
            "--model",
            "-m",
            help="A model of the same camera, written with --save; without it one is fitted.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        options.option(
            "FILE", "--save", help="File to write the model to, for other videos of the same camera."
        ),
    ] = None,
    *,
    reading: FrameOptions,
    mask: MaskOptions,
    products: ExtraFiles,
    predictor: options.Predictor = None,
    set_: options.Set = None,
    json: options.Json = False,
) -> None:
    """Separate the video of a fixed camera into background and foreground, and measure activity."""
    _check_places(film, out, save)
    from robustae.report.film import film_page
    from robustae.video import separate
    from robustae.video.output import Interrupted, write_folder

    with shown("fit", "%") as progress:
        separation = separate(
            film,
            model=model,
            mask=mask.settings,
            **reading.settings,
            progress=progress,
            **options.settings_of(set_, predictor=predictor),
        )
    if save is not None:
        separation.save(save)
    try:
        with interrupting(), shown("frames", "frames") as progress:
            summary = write_folder(separation, out, **asdict(products), page=film_page, progress=progress)
    except Interrupted as error:
        typer.echo(_stopped(error, out), err=True)
        raise typer.Exit(INTERRUPTED) from None
    running.show(summary | {"out": str(out)}, json, _lines(summary, separation, out))


def _stopped(error: Any, out: Path) -> str:
    if not error.done:
        return "Interrupted before the first frame was done: nothing was written."
    return f"Interrupted: {error}; {out} holds these."


def _check_places(film: str, out: Path, save: Path | None) -> None:
    from robustae.video.output import check_out

    if Path(film).exists() and out.exists() and out.samefile(film):
        raise InputError(f"--out {str(out)!r} would replace the film: name another folder.")
    check_out(out)
    if save is not None:
        running.place_for(save, Path(film))


def _when(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _lines(summary: dict[str, Any], separation: Any, out: Path) -> Iterator[str]:
    activity = separation.activity
    yield (
        f"{summary['source']}: {running.counted(summary['frames_done'], 'frame')} of "
        f"{summary['width']}x{summary['height']} at {summary['frames_per_second']:.0f} a second"
    )
    yield _foreground(activity)
    yield from (f"Note: {note}" for note in summary["notes"])
    yield f"Open {out / 'index.html'} in a browser."


def _foreground(activity: dict[str, Any]) -> str:
    busiest = int(activity["share"].argmax())
    if activity["share"][busiest] == 0:
        return "nothing moves: no foreground in any frame"
    return (
        f"foreground {running.percent(activity['share'].mean())} of the pixels, at most "
        f"{running.percent(activity['share'].max())} in frame {activity['frame'][busiest]}; "
        f"{running.counted(int(activity['flagged'].sum()), 'frame')} flagged as unusually active"
    )
