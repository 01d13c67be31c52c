"""robustae images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.checks import InputError
from robustae.utils.progress import Progress


def images(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Images, in folders below too; or one image, .npy or .npz.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, options.option("DIR", "--out", "-o", help="Folder for scores, heat maps and page.")],
    train: Annotated[
        Path | None,
        options.option("FOLDER", "--train", help="Learn from these instead, which need not be clean."),
    ] = None,
    features: Annotated[
        str, typer.Option("--features", metavar="NAME", help="patches, strokes, efficientnet or auto.")
    ] = "auto",
    model: Annotated[
        Path | None, options.option("FILE", "--model", "-m", help="Score by this model.rae; learn nothing.")
    ] = None,
    contamination: Annotated[
        str, typer.Option("--contamination", metavar="SHARE", help="Share to flag, or auto.")
    ] = "auto",
    json: options.Json = False,
) -> None:
    """Find the odd images in a folder, and where they are odd; none has to be clean."""
    _check_out(out, folder, train)
    from robustae.images import inspect

    with _progress() as progress:
        found = inspect(
            folder,
            train=train,
            features=features,
            contamination=options.value_of(contamination),
            model=model,
            progress=progress,
        )
        summary = found.write(out, progress)
    running.show(summary | {"out": str(out)}, json, _lines(summary, out))


def _check_out(out: Path, *sources: Path | None) -> None:
    from robustae.utils.files import check_writable

    for source in sources:
        if source is not None and source.exists() and source.resolve().is_relative_to(out.resolve()):
            raise InputError(f"--out {str(out)!r} would replace the images: name another folder.")
    check_writable(out)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield the callback: a line on standard error for each thing that is done."""
    each: dict[str, Progress] = {}

    def report(what: str, done: int, of: int) -> None:
        if what not in each:
            for other in each.values():
                other.clear()
            each[what] = Progress(what, "images")
        each[what](done, of)

    try:
        yield report
    finally:
        for progress in each.values():
            progress.clear()


def _lines(summary: dict[str, Any], out: Path) -> Iterator[str]:
    yield (
        f"{running.counted(summary['images'], 'image')}, {summary['flagged']} flagged; "
        f"worst: {summary['worst']} ({running.short(summary['worst_score'])}, "
        f"flagged above {running.short(summary['threshold'])})"
    )
    yield f"compared by {summary['features']}, fitted to {running.counted(summary['fitted_to'], 'image')}"
    yield from (f"Note: {note}" for note in summary["notes"])
    yield from (f"Left out: {name}: {why}" for name, why in summary["could_not_be_read"].items())
    yield f"Open {out / 'index.html'} in a browser."
