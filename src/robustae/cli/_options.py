"""Arguments and options that several commands share, and how values given as text are read."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.utils.checks import InputError, known_names


def option(metavar: str, *names: str, help: str, **more: Any) -> Any:
    """Return an option whose default, if none is shown, is nothing."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, **more)


Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="The table to use: CSV, JSON lines, .xlsx, Parquet, .npy or .npz.",
        show_default=False,
    ),
]
DataFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA...",
        help="The table to use: CSV, JSON lines, .xlsx, Parquet, .npy or .npz; several files or a folder.",
        show_default=False,
    ),
]
Model = Annotated[Path, option("FILE", "--model", "-m", help="The model file, written by robustae fit.")]
MaybeModel = Annotated[
    Path | None,
    option(
        "FILE",
        "--model",
        "-m",
        help="The model file, written by robustae fit; without it a model is fitted to DATA.",
    ),
]
Label = Annotated[
    str | None,
    option(
        "COLUMN", "--label", help="Column (name or position) that marks known anomalies; not used in the fit."
    ),
]
Positive = Annotated[
    str | None, option("VALUE", "--positive", help="Value of the label that marks anomalies, if not 1.")
]
Normal = Annotated[
    str | None,
    option(
        "VALUE",
        "--normal",
        help="Value of the label that marks normal rows; all other values mark anomalies.",
    ),
]
Drop = Annotated[
    list[str] | None,
    option("COLUMN", "--drop", help="Column to leave out, such as an identifier; may be repeated."),
]
Guard = Annotated[
    bool,
    typer.Option(
        "--guard/--no-guard",
        help="Put an apostrophe before texts in CSV that a spreadsheet would run as a formula.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Predictor = Annotated[
    str | None,
    option(
        "NAME",
        "--predictor",
        help="The kind of model: auto, shallow, kernel, constant, linear, sigmoid, deep or conv.",
    ),
]
Lam = Annotated[
    str | None,
    option(
        "VALUE",
        "--lam",
        help="The penalty on outliers, lambda: auto, a number, or inf for none (a plain autoencoder).",
    ),
]
ImageShape = Annotated[
    str | None,
    option(
        "H,W[,C]",
        "--image-shape",
        help="Height, width and channels of images whose pixels are columns, such as 28,28.",
    ),
]
Contamination = Annotated[
    str | None,
    option(
        "SHARE",
        "--contamination",
        help="Share of anomalies in DATA, from 0 to 0.5; auto (the default) if it is not known.",
    ),
]
FalseAlarms = Annotated[
    float | None,
    option(
        "RATE", "--false-alarms", help="Share of clean rows that may be called, instead of a share of DATA."
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="NUMBER",
        min=0,
        help="Seed of the random numbers: the same seed gives the same result.",
    ),
]
Set = Annotated[
    list[str] | None,
    option(
        "NAME=VALUE", "--set", help="Any parameter of RobustAutoencoder, such as hidden=4; may be repeated."
    ),
]


def takes(**groups: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that a group's parameters are; it gets what the group makes of them.

    Parameters
    ----------
    **groups : callable
        By the parameter of the command that takes its result, and at whose place its options are listed.
    """
    options = {name: inspect.signature(group).parameters for name, group in groups.items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def with_options(**values: Any) -> None:
            made = {
                name: group(**{each: values.pop(each) for each in options[name]})
                for name, group in groups.items()
            }
            command(**values, **made)

        signature = inspect.signature(command)
        listed = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for own in signature.parameters.values()
            for parameter in (options[own.name].values() if own.name in groups else [own])
        ]
        with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
        with_options.__module__ = command.__module__
        with_options.__annotations__ = {each.name: each.annotation for each in listed}
        setattr(with_options, "__signature__", signature.replace(parameters=listed))  # noqa: B010
        return with_options

    return decorate


@dataclass(frozen=True)
class ModelOptions:
    """What is asked of a model that is to be fitted."""

    contamination: Contamination = None
    predictor: Predictor = None
    lam: Lam = None
    image_shape: ImageShape = None
    seed: Seed = 0
    set_: Set = None

    @property
    def chosen(self) -> dict[str, Any]:
        """Parameters that have options of their own; None where not given."""
        return {
            "predictor": self.predictor,
            "lam": None if self.lam is None else value_of(self.lam),
            "image_shape": image_shape_of(self.image_shape),
            "contamination": None if self.contamination is None else value_of(self.contamination),
        }

    def settings(self, model: Path | None = None, **more: Any) -> dict[str, Any]:
        """Return the parameters of RobustAutoencoder that were given; none may be, beside a fitted model."""
        if model is not None and (self.set_ or any(value is not None for value in self.chosen.values())):
            raise InputError(
                "--model is fitted already: leave out --contamination, --predictor, --lam, --image-shape and "
                "--set."
            )
        return settings_of(self.set_, random_state=self.seed, **more, **self.chosen)


_WORDS = {"inf": float("inf"), "infinity": float("inf"), "true": True, "false": False}


def value_of(text: str) -> Any:
    """Read a value: a Python literal, inf, or a string."""
    from ast import literal_eval

    try:
        return literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _WORDS.get(text.strip().lower(), text.strip())


def settings_of(pairs: Iterable[str] | None, **given: Any) -> dict[str, Any]:
    """Return the parameters of RobustAutoencoder that were given, those by --set among them.

    Raises
    ------
    InputError
        If a pair is not name=value, or a parameter is not known or given twice.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if not settings and not pairs:
        return settings  # without the seconds that torch takes to import
    from robustae import RobustAutoencoder

    for pair in pairs or []:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise InputError(f"--set {pair!r} must be NAME=VALUE, for instance hidden=8.")
        if name in settings:
            raise InputError(f"{name!r} is given twice.")
        settings[name] = value_of(text)
    known_names("parameter", settings, RobustAutoencoder().get_params())
    return settings


def valid_alarms(rate: float, contamination: str | None) -> float:
    """Return the rate of false alarms asked for; no share of the data goes with it."""
    from robustae.stats.thresholds import valid_rate

    if contamination is not None:
        raise InputError("--false-alarms and --contamination both set the threshold: leave one out.")
    return valid_rate(rate)


def image_shape_of(text: str | None) -> tuple[int, ...] | None:
    """Read height,width[,channels], also with x in between."""
    if text is None:
        return None
    try:
        return tuple(int(side) for side in text.lower().replace("x", ",").strip("() ").split(","))
    except ValueError:
        raise InputError(
            f"--image-shape {text!r} must be whole numbers, for instance 8,8 or 32,32,3."
        ) from None
