"""robustae video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import options, running
from robustae.cli.exits import INTERRUPTED
from robustae.utils.checks import InputError
from robustae.utils.progress import shown
from robustae.utils.signals import interrupting

__all__ = ["COMMANDS"]

Film = Annotated[
    str,
    typer.Argument(
        metavar="FILM",
        help="A film, a folder of images, .npy or .npz of frames, a camera's number or a URL.",
        show_default=False,
    ),
]


def video(
    film: Film,
    out: Annotated[Path, options.option("DIR", "--out", "-o", help="Folder for films, tables and page.")],
    model: Annotated[
        Path | None,
        options.option("FILE", "--model", "-m", help="By --save, from the same camera; else fitted."),
    ] = None,
    save: Annotated[
        Path | None, options.option("FILE", "--save", help="Write the model, for other clips.")
    ] = None,
    start: Annotated[
        str | None, options.option("WHEN", "--start", help="First frame: a number, 12.5s or 1:02.")
    ] = None,
    stop: Annotated[
        str | None, options.option("WHEN", "--stop", help="First frame left out, in the same way.")
    ] = None,
    every: Annotated[int, typer.Option("--every", metavar="NUMBER", min=1, help="One frame in so many.")] = 1,
    scale: Annotated[
        str | None, options.option("SIZE", "--scale", help="A factor such as 0.5, or 320x240.")
    ] = None,
    gray: Annotated[bool, typer.Option("--gray", help="In grey.")] = False,
    window: Annotated[
        int | None, options.option("FRAMES", "--window", help="Long recordings: fit anew after so many.")
    ] = None,
    cut: Annotated[
        float | None,
        options.option("NUMBER", "--cut", help="Foreground from so many noise deviations (4.5)."),
    ] = None,
    smooth: Annotated[
        float | None, options.option("PIXELS", "--smooth", help="Smoothing of the score (1.5 to 4).")
    ] = None,
    least_blob: Annotated[
        int | None, options.option("PIXELS", "--least-blob", help="Smallest region that counts.")
    ] = None,
    keep_shadows: Annotated[
        bool, typer.Option("--keep-shadows", help="Shadows count like everything else.")
    ] = False,
    masks: Annotated[bool, typer.Option("--masks", help="A PNG mask of every frame, too.")] = False,
    predictor: options.Predictor = None,
    set_: options.Set = None,
    json: options.Json = False,
) -> None:
    """Part a film of a still camera: background, foreground, activity, and a page to look at."""
    _check_places(film, out, save)
    given = {"cut": cut, "smooth": smooth, "least_blob": least_blob}
    mask = {name: value for name, value in given.items() if value is not None} | {"shadows": not keep_shadows}
    from robustae.report.film import film_page
    from robustae.video import separate
    from robustae.video.output import Interrupted, write_folder

    separation = separate(
        film,
        model=model,
        mask=mask,
        window=window,
        start=_when(start),
        stop=_when(stop),
        every=every,
        scale=scale,
        gray=gray,
        **options.settings_of(set_, predictor=predictor),
    )
    if save is not None:
        separation.save(save)
    try:
        with interrupting(), shown("frames", "frames") as tell:
            summary = write_folder(separation, out, masks=masks, page=film_page, progress=tell)
    except Interrupted as error:
        typer.echo(_stopped(error, out), err=True)
        raise typer.Exit(INTERRUPTED) from None
    running.show(summary | {"out": str(out)}, json, _lines(summary, separation, out))


def _stopped(error: Any, out: Path) -> str:
    if not error.done:
        return "Interrupted before the first frame was done: nothing was written."
    return f"Interrupted: {error}; {out} holds these."


def _check_places(film: str, out: Path, save: Path | None) -> None:
    from robustae.utils.files import check_writable

    if Path(film).exists() and out.exists() and out.samefile(film):
        raise InputError(f"--out {str(out)!r} would replace the film: name another folder.")
    check_writable(out)
    if save is not None:
        running.place_for(save, Path(film))


def _when(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _lines(summary: dict[str, Any], separation: Any, out: Path) -> Iterator[str]:
    seen = separation.seen
    yield (
        f"{summary['source']}: {running.counted(summary['frames_done'], 'frame')} of "
        f"{summary['width']}x{summary['height']} at {summary['frames_per_second']:.0f} a second"
    )
    busiest = int(seen["share"].argmax())
    yield (
        f"foreground {running.percent(seen['share'].mean())} of the pixels, at most "
        f"{running.percent(seen['share'].max())} in frame {seen['frame'][busiest]}; "
        f"{running.counted(int(seen['flagged'].sum()), 'frame')} flagged as unusually active"
    )
    yield from (f"Note: {note}" for note in summary["notes"])
    yield f"Open {out / 'index.html'} in a browser."


COMMANDS = [video]
