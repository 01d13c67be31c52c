"""A fitted model as an ONNX graph: scaling, score, reconstruction and outliers in one."""

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustae.fit.model import Model
from robustae.penalties import L1, NoPenalty, Trimmed
from robustae.predictors import Constant, Conv, Deep, Linear, Masked, Sigmoid, predicted
from robustae.solvers.objective import soft_clip_tensor
from robustae.stats.distances import NEIGHBOUR, SELF, TINY, RobustDistance, RowDistances
from robustae.stats.scaling import ColumnScaling
from robustae.utils.checks import InputError, need
from robustae.utils.files import check_writable, replacing

__all__ = ["to_onnx"]

OURS = (Constant, Linear, Sigmoid, Deep, Masked, Conv)


class _Elu(nn.Module):
    """ELU from operations that runtimes have in float64, too."""

    def forward(self, X: Tensor) -> Tensor:
        return torch.where(X > 0, X, torch.exp(X.clamp_max(0)) - 1)


class _Strided(nn.Module):
    """A 3 x 3 convolution as nine matrix products: runtimes convolve in float32 only."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Any, weight: Tensor, stride: int):
        super().__init__()
        self.register_buffer("weight", weight.permute(2, 3, 1, 0).contiguous())  # (3, 3, in, out)
        self.register_buffer("bias", layer.bias)
        self.stride = stride

    def forward(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Images of shape (b, height, width, in) to (b, *size, out)."""
        padded = nn.functional.pad(images, (0, 0, 1, 1, 1, 1))
        step, (height, width) = self.stride, size
        total: Any = self.bias
        for i in range(3):
            for j in range(3):
                rows, columns = slice(i, i + step * height, step), slice(j, j + step * width, step)
                total = total + padded[:, rows, columns] @ self.weight[i, j]
        return total


class _Rise(nn.Module):
    """A transposed convolution of stride 2: zeros between the pixels, then a convolution of stride 1."""

    def __init__(self, layer: Any):
        super().__init__()
        self.inner = _Strided(layer, layer.weight.transpose(0, 1).flip(2, 3), 1)

    def forward(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        zeros = torch.zeros_like(images)
        wide = torch.stack([images, zeros], 3).flatten(2, 3)
        tall = torch.stack([wide, torch.zeros_like(wide)], 2).flatten(1, 2)
        return self.inner(tall[:, : size[0], : size[1]], size)


def _fall(layer: Any) -> _Strided:
    return _Strided(layer, layer.weight, 2)


class _ConvGraph(nn.Module):
    """`Conv` in float64, channels last throughout."""

    def __init__(self, conv: Conv):
        super().__init__()
        self.sizes, self.channels = conv.sizes, conv.channels
        self.down = nn.ModuleList(map(_fall, conv.down))
        self.up = nn.ModuleList(map(_Rise, conv.up))
        self.code, self.spread, self.elu = conv.code, conv.spread, _Elu()

    def forward(self, X: Tensor) -> Tensor:
        images = X.unflatten(1, (*self.sizes[0], self.channels))
        for layer, size in zip(self.down, self.sizes[1:], strict=True):
            images = self.elu(layer(images, size))
        flat = self.elu(self.spread(self.code(images.permute(0, 3, 1, 2).flatten(1))))
        images = flat.unflatten(1, (-1, *self.sizes[-1])).permute(0, 2, 3, 1)
        images = self.elu(self.up[0](images, self.sizes[1]))
        return self.up[1](images, self.sizes[0]).flatten(1)


def _exact(module: nn.Module) -> nn.Module:
    """Return a predictor made of operations that runtimes have in float64; a user's own in float32."""
    module = deepcopy(module).cpu()
    if isinstance(module, Conv):
        return _ConvGraph(module)
    if not isinstance(module, OURS):
        return module.float()
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ELU):
                setattr(parent, name, _Elu())
    return module


class _Graph(nn.Module):
    """One member as tensors in, tensors out: (energy / unit, reconstruction, N), in the user's units."""

    location: Tensor
    scale: Tensor
    noise: Tensor
    fill: Tensor
    bound: Tensor
    centre: Tensor
    precision: Tensor

    def __init__(self, model: Model):
        super().__init__()
        scaling, distance = model.scaling, model.distance
        assert isinstance(scaling, ColumnScaling)
        self.predictor = _exact(model.predictor)
        self.dtype = next((p.dtype for p in self.predictor.parameters()), torch.float64)
        self.clip, self.energy, self.unit = model.clip, model.energy, model.unit
        penalty = model.penalty
        self.cutoff = penalty.cutoff if isinstance(penalty, Trimmed) else None
        lam = model.lam if isinstance(penalty.kept, L1) else torch.inf
        constants: dict[str, Any] = {"location": scaling.location, "scale": scaling.scale}
        constants |= {"noise": model.noise, "fill": model.fill, "bound": torch.as_tensor(lam) / 2}
        if isinstance(distance, RobustDistance):
            constants |= {"centre": distance.location, "precision": distance.precision}
        self.looks = _Looks(distance) if isinstance(distance, RowDistances) else None
        for name, values in constants.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        missing = torch.isnan(X)
        Z = torch.where(missing, self.fill, (X - self.location) / self.scale)
        inputs = Z if self.clip is None else soft_clip_tensor(Z, self.clip)
        Zhat = predicted(self.predictor, inputs.to(self.dtype), ~missing).double()
        R = torch.where(missing, torch.zeros_like(Z), Z - Zhat)
        pull = torch.minimum(torch.maximum(R, -self.bound), self.bound)
        if self.looks is not None:
            energy = self.looks(inputs, ~missing)
            return self._outputs(energy, Zhat, R, pull)
        energy = self._cell_energies(R, pull).sum(1) * X.shape[1] / (~missing).to(X.dtype).sum(1)
        if self.energy == "combined":
            B = inputs - self.centre
            energy = energy + X.shape[1] * torch.log1p(((B @ self.precision) * B).sum(1))
        return self._outputs(energy, Zhat, R, pull)

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

    def _cell_energies(self, R: Tensor, pull: Tensor) -> Tensor:
        if self.energy == "squared":
            return R * R
        if self.energy == "envelope":
            return pull * (2 * R - pull)
        return torch.log1p((R / self.noise) ** 2)


class _Looks(nn.Module):
    """The energy "distances"."""

    centre: Tensor
    scale: Tensor
    location: Tensor
    others: Tensor
    others_scale: Tensor
    references: Tensor
    middle: Tensor
    spread: Tensor

    def __init__(self, distances: RowDistances):
        super().__init__()
        for name, values in vars(distances).items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, Z: Tensor, observed: Tensor) -> Tensor:
        seen = observed.to(Z.dtype)
        share = Z.shape[1] / seen.sum(1)
        deviations = (Z - self.centre) / self.scale, (Z - self.location) @ self.others / self.others_scale
        cells = [(torch.log1p(one**2) * seen).sum(1) * share for one in deviations]
        logs = torch.log(torch.stack([*cells, self._nearest(Z)], 1) + TINY)
        return torch.exp(((logs - self.middle) / self.spread).mean(1))

    def _nearest(self, Z: Tensor) -> Tensor:
        last = min(NEIGHBOUR, len(self.references) - 1)
        squares = (Z * Z).sum(1, keepdim=True) + (self.references**2).sum(1) - 2 * Z @ self.references.T
        near = torch.topk(squares, last + 1, dim=1, largest=False).values.clamp_min(0).sqrt()
        floor = SELF * torch.sqrt(Z.shape[1] + (Z * Z).sum(1))
        return torch.where(near[:, 0] < floor, near[:, last], near[:, max(last - 1, 0)])


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

    X is float64, NaN for missing cells. All is computed in float64, but for your own module: float32.

    Raises
    ------
    InputError
        If the extra is missing, or the penalty or the scaling has no graph.
    """
    need("onnx", "onnxscript", "to_onnx")
    first = models[0]
    if type(first.penalty.kept) not in (L1, NoPenalty) or not isinstance(first.scaling, ColumnScaling):
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
