"""A fitted model as an ONNX graph: scaling, score, reconstruction and outliers in one."""

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustae.estimators.exported_pairs import Pairs
from robustae.fit.cells import Cells
from robustae.fit.model import Model
from robustae.predictors import predicted, traits_of
from robustae.solvers.objective import soft_clip_tensor
from robustae.stats.scaling import ColumnScaling
from robustae.utils.checks import InputError, need
from robustae.utils.files import check_writable, replacing

__all__ = ["to_onnx"]


def _exact(module: Any) -> nn.Module:
    """Return a predictor made of operations that runtimes have in float64; a user's own in float32."""
    module = deepcopy(module).cpu()
    return module.graph() if hasattr(module, "graph") else module.float()


class _Graph(nn.Module):
    """One member as tensors in, tensors out: (energy / unit, reconstruction, N), in the user's units."""

    location: Tensor
    scale: Tensor
    noise: Tensor
    fill: Tensor
    bound: Tensor
    lam: Tensor

    def __init__(self, model: Model):
        super().__init__()
        scaling = model.scaling
        assert isinstance(scaling, ColumnScaling)
        self.whole_rows = traits_of(model.predictor).conditional  # the graph leaves no cells out
        self.predictor = _exact(model.predictor)
        self.dtype = next((p.dtype for p in self.predictor.parameters()), torch.float64)
        self.clip, self.unit, self.energy = model.clip, model.unit, model.energy.graph()
        self.pairs = None if model.sources is None else Pairs(model.sources, scaling)
        self.kept = model.penalty.kept
        self.cutoff = model.penalty.cutoff if model.penalty.drops_rows else None
        constants: dict[str, Any] = {"location": scaling.location, "scale": scaling.scale}
        constants |= {
            "noise": model.noise,
            "fill": model.fill,
            "lam": model.lam,
            "bound": self.kept.bound(model.lam),
        }
        for name, values in constants.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        missing = torch.isnan(X)
        Z = torch.where(missing, self.fill, (X - self.location) / self.scale)
        inputs = Z if self.clip is None else soft_clip_tensor(Z, self.clip)
        Zhat = predicted(self.predictor, inputs.to(self.dtype), ~missing).double()
        R = torch.where(missing, torch.zeros_like(Z), Z - Zhat)
        pull = torch.minimum(torch.maximum(R, -self.bound), self.bound)
        full = torch.where(missing, Zhat, Z)
        whole = torch.where(missing.any(1), torch.nan, 0.0).to(R.dtype)
        pairs = None if self.pairs is None else self.pairs(full, R, self.noise)
        energy = whole + self.energy(Cells(R, full, ~missing, self.noise, self.kept, self.lam, pairs))
        if self.whole_rows:
            hole = missing.any(1)
            energy, Zhat = torch.where(hole, torch.nan, energy), torch.where(hole[:, None], torch.nan, Zhat)
        return self._outputs(energy, Zhat + whole[:, None], R + whole[:, None], pull)

    def _outputs(
        self, energy: Tensor, Zhat: Tensor, R: Tensor, pull: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return energy / self.unit, Zhat * self.scale + self.location, self._outliers(R, pull) * self.scale

    def _outliers(self, R: Tensor, pull: Tensor) -> Tensor:
        """N: a row beyond the cutoff of trimming is dropped whole."""
        if self.cutoff is None:
            return R - pull
        kept = (pull * (2 * R - pull)).sum(1, keepdim=True) <= self.cutoff
        return torch.where(kept, R - pull, R)


class _Ensemble(nn.Module):
    """Mean score of the members; reconstruction and outliers of the first."""

    def __init__(self, members: list[_Graph]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = [member(X) for member in self.members]
        return -torch.stack([energy for energy, _, _ in parts]).mean(0), parts[0][1], parts[0][2]


def to_onnx(models: list[Model], path: str | os.PathLike[str]) -> None:
    """Write the graph with input X (batch, d) and outputs score, reconstruction, outliers.

    X is float64; a row with a missing cell (NaN) gives NaN. All is computed in float64, but for your own
    module: float32.

    Raises
    ------
    InputError
        If the extra is missing, or the penalty or the scaling has no graph.
    """
    need("onnx", "onnxscript", "to_onnx")
    first = models[0]
    if not first.penalty.kept.by_cell or not isinstance(first.scaling, ColumnScaling):
        raise InputError(
            "to_onnx needs penalty 'l1', 'trimmed' or 'none' and a scaling by name; this model has others."
        )
    check_writable(path)
    graph = _exported(_Ensemble([_Graph(model) for model in models]), len(first.noise))
    with replacing(Path(path)) as file:
        file.write(graph.SerializeToString())


def _exported(ensemble: nn.Module, d: int) -> Any:
    program = torch.onnx.export(
        ensemble.eval(),
        (torch.zeros(3, d, dtype=torch.float64),),
        input_names=["X"],
        output_names=["score", "reconstruction", "outliers"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return program.model_proto
