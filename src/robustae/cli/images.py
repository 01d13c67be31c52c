"""robustae images: which images of a folder are unusual, and where."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.checks import InputError
from robustae.utils.progress import stages_shown

NAMED = 5  # files left out that are named on the terminal


def images(
    source: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES",
            help="A folder with its subfolders, image files, or an array in .npy or .npz.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, options.option("DIR", "--out", "-o", help="Folder to write scores, heat maps and a page to.")
    ],
    train: Annotated[
        Path | None,
        options.option(
            "FOLDER", "--train", help="Images to learn from instead of IMAGES; they need not be clean."
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            "--features",
            metavar="NAME",
            help="What images are compared by: auto, patches, strokes or efficientnet.",
        ),
    ] = "auto",
    model: Annotated[
        Path | None,
        options.option(
            "FILE",
            "--model",
            "-m",
            help="The model.rae of an earlier run to score by, instead of learning one.",
        ),
    ] = None,
    contamination: Annotated[
        str,
        typer.Option(
            "--contamination",
            metavar="SHARE",
            help="Share to flag of the images learnt from, 0 to 0.5; auto if it is not known.",
        ),
    ] = "auto",
    json: options.Json = False,
) -> None:
    """Find the unusual ones among images, and where they are unusual; none has to be marked as clean."""
    _check_out(out, *source, train)
    from robustae.images import inspect

    with stages_shown(True, unit="images") as progress:
        found = inspect(
            source[0] if len(source) == 1 else source,
            train=train,
            features=features,
            contamination=options.value_of(contamination),
            model=model,
            progress=progress,
        )
        summary = found.write(out, progress)
    running.show(summary | {"out": str(out)}, json, _lines(summary, out))


def _check_out(out: Path, *sources: Path | None) -> None:
    from robustae.images.output import check_out

    for source in sources:
        if source is not None and source.exists() and source.resolve().is_relative_to(out.resolve()):
            raise InputError(f"--out {str(out)!r} would replace the images: name another folder.")
    check_out(out)


def _lines(summary: dict[str, Any], out: Path) -> Iterator[str]:
    yield (
        f"{running.counted(summary['images'], 'image')}, {summary['flagged']} flagged; "
        f"worst: {summary['worst']} ({running.short(summary['worst_score'])}, "
        f"flagged above {running.short(summary['threshold'])})"
    )
    yield f"compared by {summary['features']}, fitted to {running.counted(summary['fitted_to'], 'image')}"
    yield from (f"Note: {note}" for note in summary["notes"])
    left = list(summary["could_not_be_read"].items())
    yield from (f"Left out: {name}: {why}" for name, why in left[:NAMED])
    if len(left) > NAMED:
        yield f"Left out: {len(left) - NAMED} more, named in {out / 'summary.json'}"
    yield f"Open {out / 'index.html'} in a browser."
