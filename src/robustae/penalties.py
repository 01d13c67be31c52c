"""The maths of N: penalties P(N), their proximal steps and their envelopes.

With the residual R = X - Xhat(theta) fixed, the gross outliers N solve::

    minimise over N    ||R - N||_F^2 + lam * P(N)

`prox` is that N, `envelope` the minimum reached (the Moreau envelope: all that training needs),
`gradient` its derivative in R, which is 2 (R - N). Every line works on NumPy arrays and on torch
tensors alike. R has shape (n, d); a missing cell has R = 0, so its N and its envelope are 0 too.
"""

import math
from typing import Any

import numpy as np

from robustae.utils.checks import InputError, one_of

__all__ = [
    "L1",
    "Channels",
    "Groups",
    "PENALTIES",
    "NoPenalty",
    "Patches",
    "Penalty",
    "Rows",
    "SourceColumns",
    "Trimmed",
    "resolve",
    "soft",
]

Array = Any  # a NumPy array or a torch tensor


def _like(constant: np.ndarray, R: Array) -> Array:
    """Give a NumPy constant the library, device and (when floating) the precision of R."""
    if isinstance(R, np.ndarray):
        return constant
    import torch

    dtype = R.dtype if constant.dtype.kind == "f" else None
    return torch.as_tensor(constant, dtype=dtype, device=R.device)


def _half(lam: Any, R: Array) -> Any:
    return _like(lam / 2, R) if isinstance(lam, np.ndarray) else lam / 2


class Penalty:
    """What every penalty shares: the gradient of the envelope.

    Parameters that follow are the same everywhere: `R` residuals of shape (n, d), `N` outliers of
    the same shape, `lam` a positive float, ``inf`` for none, where `lam_by_column` also one
    value per column.

    What a penalty can do stands in its attributes; other rooms ask these and never which class it is.

    Attributes
    ----------
    by_cell : bool
        The problem of N splits into cells: envelopes and proximal steps are cell by cell.
    lam_by_column : bool
        lam may have one value for each column.
    uses_lam : bool
        lam acts on it.
    linear_beyond : bool
        The envelope is a straight line beyond lam/2.
    soft : bool
        N is a soft-thresholding of cells, or of the norms of source columns.
    drops_rows : bool
        Some rows are left out whole: see `Trimmed`.
    share : float
        Of the rows that are, at most.
    cutoff : float or None
        Energy beyond which rows are, once fitted.
    """

    by_cell = lam_by_column = linear_beyond = soft = drops_rows = False
    uses_lam = True
    share: float = 0.0
    cutoff: float | None = None

    def __init_subclass__(cls) -> None:
        # What an envelope can do does not follow from that of the class it was made of.
        for name in ("by_cell", "lam_by_column", "linear_beyond", "soft"):
            if name not in vars(cls):
                setattr(cls, name, False)

    def value(self, N: Array, lam: Any) -> Array:
        """Return lam * P(N), a scalar."""
        raise NotImplementedError

    def prox(self, R: Array, lam: Any) -> Array:
        """Return the minimising N, of R's shape."""
        raise NotImplementedError

    def envelope(self, R: Array, lam: Any) -> Array:
        """Return the minimum by group, shape (n, groups); its row sums are row energies."""
        raise NotImplementedError

    def lam_max(self, R: Array) -> float:
        """Return the smallest lam at which N = 0."""
        raise NotImplementedError

    @property
    def kept(self) -> "Penalty":
        """The penalty of rows that are not dropped: by it rows are scored."""
        return self

    def pull(self, R: Array, lam: Any) -> Array:
        """Return R - N: the part of the residual the predictor still feels."""
        return R - self.prox(R, lam)

    def bound(self, lam: Any) -> Any:
        """Size up to which a cell is left to the predictor, where `by_cell`: N = R - clip(R, +-bound)."""
        return math.inf

    def fused_loss(self, Xhat: Any, X: Any, lam: float) -> Any:
        """Return the sum of envelopes by one of torch's own kernels, None where there is none."""
        return None

    def keep(self, energies: Array, weight: np.ndarray | None = None) -> np.ndarray:
        """Return which rows stay (bool, shape (n,)): all, unless it `drops_rows`."""
        return np.ones(len(energies), dtype=bool)

    def at(self, cutoff: float) -> "Penalty":
        """Return this penalty with the `cutoff` of a fit, beyond whose energy rows are dropped."""
        return self

    def for_images(self, image_shape: tuple[int, ...]) -> "Penalty":
        """Return the penalty fitted to images of this shape."""
        return self

    def by_source(self, index: Any) -> "Penalty":
        """Return the penalty for encoded columns whose source columns are `index`."""
        return self

    def gradient(self, R: Array, lam: Any) -> Array:
        """Return the envelope's gradient in R: 2 (R - N)."""
        return 2 * self.pull(R, lam)

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={value!r}" for name, value in sorted(vars(self).items()) if name[0] != "_"
        )
        return f"{type(self).__name__}({settings})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        mine, others = vars(self), vars(other)
        return all(np.array_equal(mine[name], others[name]) for name in mine)

    def __hash__(self) -> int:
        return hash(type(self))


class NoPenalty(Penalty):
    """lam = inf: N = 0, envelope r^2, the plain autoencoder."""

    by_cell, soft, uses_lam = True, True, False

    def fused_loss(self, Xhat: Any, X: Any, lam: float = math.inf) -> Any:
        from torch.nn import functional

        return functional.mse_loss(Xhat, X, reduction="sum") if type(self) is NoPenalty else None

    def value(self, N: Array, lam: Any = math.inf) -> Array:
        return 0.0 * (N * N).sum()

    def prox(self, R: Array, lam: Any = math.inf) -> Array:
        return 0.0 * R

    def pull(self, R: Array, lam: Any = math.inf) -> Array:
        return R

    def envelope(self, R: Array, lam: Any = math.inf) -> Array:
        return R * R

    def lam_max(self, R: Array) -> float:
        return 0.0


def soft(R: Array, threshold: Any) -> Array:
    """Soft threshold: R moved towards 0 by `threshold`, and exactly 0 within it."""
    return R - R.clip(-threshold, threshold)


class L1(Penalty):
    """P(N) = sum of abs(N): soft-thresholding at lam/2, equation (6), cell by cell.

    With c = clip(r, -lam/2, lam/2): N = r - c, envelope c (2 r - c), gradient 2 c. The envelope is
    twice the Huber loss with delta = lam/2.
    """

    by_cell = lam_by_column = linear_beyond = soft = True

    def value(self, N: Array, lam: Any) -> Array:
        if np.ndim(lam) == 0 and math.isinf(lam):
            return NoPenalty().value(N)
        return (2 * _half(lam, N) * abs(N)).sum()

    def bound(self, lam: Any) -> Any:
        return lam / 2

    def by_source(self, index: Any) -> Penalty:
        return SourceColumns(index)

    def fused_loss(self, Xhat: Any, X: Any, lam: float) -> Any:
        from torch.nn import functional

        if type(self) is not L1:  # a subclass may have another envelope
            return None
        if math.isinf(lam):
            return functional.mse_loss(Xhat, X, reduction="sum")
        return 2 * functional.huber_loss(Xhat, X, reduction="sum", delta=lam / 2)

    def pull(self, R: Array, lam: Any) -> Array:
        half = _half(lam, R)
        return R.clip(-half, half)

    def prox(self, R: Array, lam: Any) -> Array:
        return soft(R, _half(lam, R))

    def envelope(self, R: Array, lam: Any) -> Array:
        c = self.pull(R, lam)
        return c * (2 * R - c)

    def lam_max(self, R: Array) -> float:
        return 2 * float(abs(R).max())


class Groups(Penalty):
    """Cells of a row stand or fall together: P(N) = sum over groups of w s(N), w = sqrt(group size).

    With s the Euclidean norm of a group and t = lam w / 2: N = max(0, 1 - t/s) r, and with
    c = min(s, t) the envelope is c (2 s - c): s^2 below t, else lam w s - lam^2 w^2 / 4.

    Parameters
    ----------
    index : array of int, shape (d,)
        The group of every column, numbered from 0.

    Raises
    ------
    InputError
        If `index` is not a list of whole numbers from 0 on, or d differs from R's columns.
    """

    def __init__(self, index: Any):
        self.index = index

    def _index(self, d: int) -> np.ndarray:
        index = np.asarray(self.index)
        if index.ndim != 1 or index.dtype.kind not in "iu" or index.min(initial=0) < 0:
            raise InputError("penalty: Groups(index) needs one whole number from 0 on for every column.")
        if len(index) != d:
            raise InputError(f"penalty: Groups has {len(index)} columns and X has {d}.")
        return index

    def _layout(self, R: Array) -> tuple[Any, np.ndarray]:
        """(columns sorted by group, group sizes, group of each column) and the weights w."""
        index = self._index(R.shape[1])
        _, group, size = np.unique(index, return_inverse=True, return_counts=True)
        return (np.argsort(index, kind="stable"), size, group), np.sqrt(size.astype(float))

    def _norms(self, R: Array, layout: Any) -> Array:
        order, size, _ = layout
        squares = (R * R)[:, order]
        if isinstance(R, np.ndarray):
            return np.sqrt(np.add.reduceat(squares, np.cumsum(size) - size, axis=1))
        import torch

        lengths = torch.as_tensor(size, device=R.device).repeat(len(R), 1)
        sums = torch.segment_reduce(squares, "sum", lengths=lengths, axis=1)
        return (sums + (sums == 0)).sqrt() * (sums != 0)  # the root of 0 has no finite derivative

    def _norms_and_bounds(self, R: Array, lam: Any) -> tuple[Array, Array, Array]:
        layout, weight = self._layout(R)
        bound = weight * (self._by_group(lam, layout) / 2)
        return self._norms(R, layout), _like(bound, R), layout[2]

    @staticmethod
    def _by_group(lam: Any, layout: Any) -> Any:
        """lam of the groups: the root mean square of their columns', where it has one for each."""
        _, size, group = layout
        return lam if np.ndim(lam) == 0 else np.sqrt(np.bincount(group, np.square(lam)) / size)

    def value(self, N: Array, lam: Any) -> Array:
        if np.ndim(lam) == 0 and math.isinf(lam):
            return NoPenalty().value(N)
        s, bound, _ = self._norms_and_bounds(N, lam)
        return (2 * bound * s).sum()

    def pull(self, R: Array, lam: float) -> Array:
        s, bound, group = self._norms_and_bounds(R, lam)
        kept = self._shorter(s, bound) / (s + (s == 0))  # min(1, bound / s), without dividing by 0
        return kept[:, group] * R

    def prox(self, R: Array, lam: float) -> Array:
        return R - self.pull(R, lam)

    def envelope(self, R: Array, lam: float) -> Array:
        s, bound, _ = self._norms_and_bounds(R, lam)
        c = self._shorter(s, bound)
        return c * (2 * s - c)

    @staticmethod
    def _shorter(s: Array, bound: Array) -> Array:
        return s.clip(None, bound) if isinstance(s, np.ndarray) else s.minimum(bound)

    def lam_max(self, R: Array) -> float:
        layout, weight = self._layout(R)
        return float((2 * self._norms(R, layout) / _like(weight, R)).max())


class SourceColumns(Groups):
    """Cells of a table by source column: a category's one-hot columns are a group, numbers stand alone.

    `L1`, where there are no categories; so an automatic lam has one value for each column.
    """

    lam_by_column = soft = True


class Rows(Groups):
    """The whole row is one group: row-wise outliers (the l2,1 norm by rows)."""

    def __init__(self):
        pass

    def _index(self, d: int) -> np.ndarray:
        return np.zeros(d, dtype=int)


class Channels(Groups):
    """The `n` colour channels of a pixel are one group (channels vary fastest in a row).

    `n` is taken from the images' shape where it is not given.
    """

    def __init__(self, n: int | None = None):
        self.n = n

    def for_images(self, image_shape: tuple[int, ...]) -> Penalty:
        return Channels(image_shape[2] if len(image_shape) > 2 else 0) if self.n is None else self

    def _index(self, d: int) -> np.ndarray:
        if not self.n or self.n < 1:
            raise InputError("penalty='channels' needs colour images: image_shape=(height, width, channels).")
        if d % self.n:
            raise InputError(f"penalty: Channels({self.n}) does not divide the {d} columns of X.")
        return np.arange(d) // self.n


class Patches(Groups):
    """Squares of `height` x `width` pixels, all channels together, are groups.

    Patches at the right and lower border may be smaller; their weight is the root of their own size.
    `image_shape` (height, width[, channels]) is taken from the estimator where it is not given.
    """

    def __init__(self, height: int = 4, width: int = 4, image_shape: tuple[int, ...] | None = None):
        self.height = height
        self.width = width
        self.image_shape = image_shape

    def for_images(self, image_shape: tuple[int, ...]) -> Penalty:
        return Patches(self.height, self.width, tuple(image_shape)) if self.image_shape is None else self

    def _index(self, d: int) -> np.ndarray:
        if self.image_shape is None:
            raise InputError("penalty: Patches needs image_shape=(height, width[, channels]).")
        if self.height < 1 or self.width < 1:
            raise InputError(f"penalty: Patches({self.height}, {self.width}) needs sides from 1 on.")
        height, width, *channels = self.image_shape
        if height * width * math.prod(channels) != d:
            raise InputError(f"penalty: image_shape={self.image_shape} does not make the {d} columns of X.")
        rows = np.arange(height)[:, None] // self.height
        columns = np.arange(width)[None, :] // self.width
        index = rows * -(-width // self.width) + columns
        return np.repeat(index.ravel(), math.prod(channels))


class Trimmed(Penalty):
    """Row l2,0: at most a `share` of the rows may have N != 0, those farthest from the model.

    A dropped row is explained whole (N = r, envelope 0); the rows kept follow `inner`, so that
    ``Trimmed(.25, L1())`` drops rows and names cells in the others. lam has no meaning for the
    trimming, the share has. Solvers alternate fits and `keep` (concentration steps), which never
    raises the objective.

    Parameters
    ----------
    share : float in [0, 0.5]
    inner : Penalty, optional
        For the rows kept; `NoPenalty()` if not given.
    cutoff : float, optional
        Energy beyond which a row is dropped; a fit stores it, so that rows scored later are judged
        one by one and not against each other.
    """

    uses_lam, drops_rows = False, True

    def __init__(self, share: float = 0.25, inner: Penalty | None = None, cutoff: float | None = None):
        if isinstance(inner, Trimmed):  # work would double with each
            raise InputError("penalty: Trimmed(inner=...) trims once: its inner penalty must not trim.")
        self.share = share
        self.inner = inner
        self.cutoff = cutoff

    def at(self, cutoff: float) -> "Trimmed":
        """Return this penalty with the `cutoff` of a fit."""
        return Trimmed(self.share, self.inner, cutoff)

    def by_source(self, index: Any) -> Penalty:
        return Trimmed(self.share, self.kept.by_source(index), self.cutoff)

    def for_images(self, image_shape: tuple[int, ...]) -> Penalty:
        inner = None if self.inner is None else self.inner.for_images(image_shape)
        return Trimmed(self.share, inner, self.cutoff)

    @property
    def kept(self) -> Penalty:
        """The penalty of the rows kept."""
        return NoPenalty() if self.inner is None else self.inner

    def keep(self, energies: Array, weight: np.ndarray | None = None) -> np.ndarray:
        """Return which rows stay (bool, shape (n,)): all but the `share` with the largest energies.

        With row weights the dropped rows weigh at most `share` of the whole.
        """
        energies = np.asarray(energies)
        if self.cutoff is not None:
            return energies <= self.cutoff
        weight = np.ones(len(energies)) if weight is None else weight
        order = np.argsort(-energies, kind="stable")
        dropped = np.cumsum(weight[order]) <= self.share * weight.sum() * (1 + 1e-12)
        keep = np.ones(len(energies), dtype=bool)
        keep[order[dropped]] = False
        return keep

    def _kept_rows(self, R: Array, lam: Any) -> Array:
        energies = self.kept.envelope(R, lam).sum(1)
        keep = self.keep(energies if isinstance(energies, np.ndarray) else energies.detach().cpu().numpy())
        return _like(keep.astype(float)[:, None], R)

    def value(self, N: Array, lam: Any = math.inf) -> Array:
        return self.kept.value(N * self._kept_rows(N, lam), lam)

    def pull(self, R: Array, lam: Any = math.inf) -> Array:
        return self._kept_rows(R, lam) * self.kept.pull(R, lam)

    def prox(self, R: Array, lam: Any = math.inf) -> Array:
        return R - self.pull(R, lam)

    def envelope(self, R: Array, lam: Any = math.inf) -> Array:
        return self._kept_rows(R, lam) * self.kept.envelope(R, lam)

    def lam_max(self, R: Array) -> float:
        return self.kept.lam_max(R)


PENALTIES = {
    "l1": L1,
    "rows": Rows,
    "channels": Channels,
    "patches": Patches,
    "trimmed": Trimmed,
    "none": NoPenalty,
}


def resolve(penalty: Any, image_shape: tuple[int, ...] | None = None) -> Penalty:
    """Return the penalty object a name or an object stands for, fitted to `image_shape`; "auto" is l1."""
    if isinstance(penalty, str):
        penalty = PENALTIES["l1" if penalty == "auto" else one_of("penalty", penalty, ["auto", *PENALTIES])]()
    if not isinstance(penalty, Penalty):
        raise InputError(f"penalty must be a name or an object of robustae.penalties, not {penalty!r}.")
    if penalty.drops_rows and not 0 <= penalty.share <= 0.5:
        raise InputError(f"penalty: Trimmed(share={penalty.share}) must lie in [0, 0.5].")
    return penalty if image_shape is None else penalty.for_images(tuple(image_shape))
