"""Rows of small pictures, as the lessons show them."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from robustae.utils.checks import InputError, need

__all__ = ["show_images"]


SIGNED = ("N", "residual")


def show_images(
    rows: Mapping[str, Any],
    shape: tuple[int, ...] = (8, 8),
    width: float = 9.0,
    signed: Collection[str] = SIGNED,
) -> None:
    """Show pictures in rows, the name of each before it, in the grey levels of the first.

    Parameters
    ----------
    rows : mapping of str to (n, height * width) array
        As many pictures in each row.
    shape : (height, width)
        Pixels of a picture.
    width : float
        Of all together, in inches.
    signed : collection of str
        Rows that are shown in red (above 0) and blue (below) instead.

    Raises
    ------
    InputError
        If there is nothing to show, the rows differ in length, or Matplotlib is missing.
    """
    stacks = {name: np.asarray(row, float).reshape(-1, *shape) for name, row in rows.items()}
    count = {len(stack) for stack in stacks.values()}
    if len(count) != 1 or 0 in count:
        raise InputError("rows must hold as many pictures each, and one at least.")
    plots = need("tutorial", "matplotlib.pyplot", "drawing")
    across, down = count.pop(), len(stacks)
    side = width / (across + 1)
    figure, axes = plots.subplots(
        down, across, figsize=(width, down * side * shape[0] / shape[1] + 0.1), squeeze=False
    )
    grey = next((stack for name, stack in stacks.items() if name not in signed), None)
    for line, (name, stack) in zip(axes, stacks.items(), strict=True):
        _show_row(line, name, stack, _diverging(stack) if name in signed else _grey(grey))
    figure.tight_layout(pad=0.3)
    plots.show()
    plots.close(figure)


def _grey(stack: Any) -> dict[str, Any]:
    """From near black to near white; a few wild pixels do not stretch the scale."""
    low, high = np.quantile(stack, [0.03, 0.97])
    return {"cmap": "gray", "vmin": low, "vmax": high if high > low else low + 1}


def _diverging(stack: np.ndarray) -> dict[str, Any]:
    top = np.quantile(abs(stack), 0.999) or 1.0
    return {"cmap": "RdBu_r", "vmin": -top, "vmax": top}


def _show_row(axes: Any, name: str, stack: np.ndarray, colours: Mapping[str, Any]) -> None:
    for ax, image in zip(axes, stack, strict=True):
        ax.imshow(image, **colours)
        ax.set(xticks=[], yticks=[])
    axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
