"""A first guess of the inverse Hessian for one-hidden-layer predictors, by Kronecker factors.

In the linear layer y = A w the Gauss-Newton Hessian is (A'A) x (G) with G the curvature in y
(Martens and Grosse 2015). For the decoder G = 2 I and A = [codes, 1]; for the encoder
A = [inputs, 1] and G = 2 V V', times the activation's slopes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from robustae.predictors import traits_of
from robustae.solvers.objective import Problem

__all__ = ["inverse_curvature"]

DAMPING = 1e-2  # ridge, in units of the mean diagonal
SIDE = 3000  # largest Gram matrix that is factorised

Solve = Callable[[Tensor], Tensor]


def inverse_curvature(problem: Problem, module: nn.Module) -> Solve:
    """Return a map from gradients to steps; where no structure is known, by the curvature of an intercept."""
    if not traits_of(module).bilinear or min(problem.shape) > SIDE:
        return lambda g: g * (0.5 / problem.total_weight)
    with torch.no_grad():
        layers = _Layers(problem, module)
    return layers.step


class _Layers:
    """Factorised curvatures of encoder (U, a) and decoder (V, b)."""

    def __init__(self, problem: Problem, module: Any):
        self.names = [name for name, _ in module.named_parameters()]
        self.sizes = [p.numel() for p in module.parameters()]
        self.d, self.K = module.U.shape
        codes = module.encode(problem.inputs)
        slope = (module.slopes(codes) ** 2).mean(0).sqrt()
        self.outer = _inverse(2 * (module.V @ module.V.T) * slope[:, None] * slope, DAMPING)
        self.encoder = _through_gram(_rows(problem.inputs, "a" in self.names, problem.weight))
        D = _rows(codes, "b" in self.names, problem.weight)
        self.decoder = _inverse(2 * (D.T @ D), 1e-2 * DAMPING)

    def step(self, g: Tensor) -> Tensor:
        """Inverse curvature times g, layer by layer; biases are the last row of their layer."""
        parts = dict(zip(self.names, g.split(self.sizes), strict=True))
        U, V = parts["U"].view(self.d, self.K), parts["V"].view(self.K, self.d)
        top = self.encoder(torch.vstack([U, parts["a"][None]]) if "a" in parts else U) @ self.outer
        bottom = self.decoder @ (torch.vstack([V, parts["b"][None]]) if "b" in parts else V)
        steps = {"U": top[: self.d], "a": top[-1], "V": bottom[: self.K], "b": bottom[-1]}
        return torch.cat([steps[name].reshape(-1) for name in self.names])


def _rows(A: Tensor, bias: bool, weight: Tensor | None) -> Tensor:
    """A, with a column of ones for the bias, its rows weighted."""
    if bias:
        A = torch.hstack([A, torch.ones(len(A), 1).to(A)])
    return A if weight is None else A * weight.sqrt()[:, None]


def _inverse(M: Tensor, damping: float) -> Tensor:
    exact = M.double()
    ridge = damping * float(exact.diagonal().mean()) + 1e-12
    return torch.linalg.inv(exact + ridge * torch.eye(len(M)).to(exact)).to(M)


def _through_gram(A: Tensor) -> Solve:
    """Return g -> (A'A + r I)^-1 g, by the smaller of the two Gram matrices."""
    n, d = A.shape
    if n >= d:
        inverse = _inverse(A.T @ A, DAMPING)
        return lambda g: inverse @ g
    gram = A @ A.T
    r = DAMPING * float(gram.diagonal().mean()) + 1e-12
    inverse = _inverse(gram, DAMPING)
    return lambda g: (g - ((g.T @ A.T) @ inverse @ A).T) / r  # few rows by many columns: the fast way round
