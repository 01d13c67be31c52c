"""How wide the code is, chosen without labels."""

from typing import Any

import numpy as np

from robustae.checks import InputError
from robustae.spectral import spectrum

__all__ = ["auto_width", "resolve_hidden"]

WIDEST = 32


def auto_width(A: np.ndarray) -> int:
    """Number of components above the noise: the optimal hard threshold of Gavish and Donoho (2014).

    A singular value counts when it exceeds omega(beta) times the median one, beta = n/d or d/n. A is
    the robustly scaled, soft-clipped data, so a few wild cells raise the noise and not the count.
    At least 1, at most 32 and half of the smaller side.
    """
    singular = spectrum(A)
    if len(singular) < 2 or singular[0] == 0:
        return 1
    beta = min(A.shape) / max(A.shape)
    omega = 0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43
    above = int((singular > omega * np.median(singular)).sum())
    return max(1, min(above, WIDEST, min(A.shape) // 2))


def resolve_hidden(hidden: Any, predictor: Any, A: np.ndarray) -> tuple[int, ...]:
    """Return the widths down to the code that `hidden` stands for; () where there is no code to size.

    A single width becomes two layers for the deep predictor: the geometric mean of d and K, then K.
    """
    if predictor == "constant" or not isinstance(predictor, str):
        return ()
    d = A.shape[1]
    if isinstance(hidden, str):
        if hidden != "auto":
            raise InputError(f"hidden={hidden!r} must be 'auto', a whole number, or a tuple of whole numbers.")
        hidden = auto_width(A)
    widths = tuple(hidden) if isinstance(hidden, (tuple, list)) else (hidden,)
    if not widths or not all(hasattr(w, "__index__") and w >= 1 and not isinstance(w, bool) for w in widths):
        raise InputError(f"hidden={hidden!r} must be 'auto', a whole number from 1 on, or a tuple of such.")
    widths = tuple(int(w) for w in widths)
    if predictor == "deep" and len(widths) == 1:
        return (max(round((d * widths[0]) ** 0.5), 2 * widths[0]), *widths)
    return widths
