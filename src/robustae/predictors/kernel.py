"""Rows as wholes, predicted from other rows: robust components in the feature space of a kernel."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustae.predictors.base import Predictor, Traits
from robustae.stats.kernel import KernelComponents, fit_kernel
from robustae.stats.scales import Weight

__all__ = ["Kernel"]

LISTED = "__"  # joins the number of a fold's model and the name of its part


class Kernel(Predictor):
    """Xhat = sum_i a_i(x) x_i over rows of the fit: `stats.kernel`, averaged over the models of the folds.

    For many columns of one unit. Fitted in closed form, no width to choose; rows of the fit are judged by
    components of the other folds.
    """

    traits = Traits(
        closed_form=True,
        takes_observed=True,
        conditional=True,
        whole_rows=True,
        clips=False,
        energy="kernel",
        noise_of_images="rows",
    )

    rows: Tensor
    centre: Tensor
    width: Tensor

    def __init__(self, d: int):
        super().__init__()
        self.set(fit_kernel(np.zeros((1, d))))

    def set(self, components: KernelComponents) -> None:
        """Take over components."""
        for name, values in components.arrays().items():
            self.register_buffer(name.replace(".", LISTED), torch.from_numpy(np.array(values, order="C")))

    @classmethod
    def widths(cls, hidden: Any, d: int, auto: Any) -> tuple[int, ...]:
        """There is no code."""
        return ()

    @classmethod
    def build(cls, d: int, widths: Any, image_shape: Any, generator: Any) -> "Kernel":
        """Return one that is yet to be fitted."""
        return cls(d)

    @classmethod
    def least_weights(cls, d: int, widths: Any, image_shape: Any) -> int:
        """One row, and the centre."""
        return 2 * d

    def start(self, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
        """Fit to A, shape (n, d); not robust: to all rows."""
        self.set(fit_kernel(A, weight, clean=not robust))

    def moved(self, Z: np.ndarray, weight: Weight, share: float) -> None:
        """Let rows Z, shape (n, d), take the place of a share of the rows of the fit."""
        arrays = {name.replace(LISTED, "."): values.cpu().numpy() for name, values in self.named_buffers()}
        self.set(KernelComponents.of(arrays).continued(Z, share))

    def forward(self, X: Tensor, observed: Tensor | None = None) -> Tensor:
        """Return rows made of weighted rows of the fit, by the cells that are observed."""
        A, squares, wider = X - self.centre, (self.rows * self.rows).sum(1), 1.0
        if observed is not None and not bool(observed.all()):
            seen = observed.to(X)
            wider = seen.shape[1] / seen.sum(1, keepdim=True).clamp(min=1)
            A, squares = A * seen, seen @ (self.rows * self.rows).T
        squares = (A * A).sum(1, keepdim=True) + squares - 2 * A @ self.rows.T
        K = torch.exp(-(squares * wider).clamp(min=0) / self.width)
        folds = sum(name.endswith(f"{LISTED}loadings") for name, _ in self.named_buffers())
        made = [self._mixed(K, f"model{number}{LISTED}") for number in range(folds)]
        return torch.stack(made).mean(0) + self.centre

    @torch.no_grad()
    def conditional(self, Z: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Xhat from the cells that are `there`, and how many times wider residuals spread for it.

        Both of shape (n, d). Distances by o of d cells are less sure by sqrt(d / o).
        """
        counts = np.maximum(there.sum(1, keepdims=True), 1)
        made = self(torch.from_numpy(Z), torch.from_numpy(there)).numpy()
        return made, np.broadcast_to(np.sqrt(there.shape[1] / counts), there.shape)

    def _mixed(self, K: Tensor, model: str) -> Tensor:
        """What the model of one fold makes: `stats.kernel.FoldModel.mixing`."""
        names = ("members", "weight", "row_means", "mean", "loadings", "shares")
        members, weight, row_means, mean, loadings, shares = (getattr(self, model + name) for name in names)
        K = K[:, members]
        codes = (K - (K @ weight)[:, None] - row_means + mean) @ loadings
        parts = (codes * shares) @ loadings.T
        return (parts + (1 - parts.sum(1, keepdim=True)) * weight) @ self.rows[members]

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        """Shapes and the number of folds follow from the rows of the fit."""
        for name in [name for name, _ in self.named_buffers()]:
            delattr(self, name)
        for name, values in state.items():
            if name.startswith(prefix):
                self.register_buffer(name.removeprefix(prefix), torch.empty_like(values))
        super()._load_from_state_dict(state, prefix, *rest)
