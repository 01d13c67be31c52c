"""A module as one vector: its weights, their gradient, and Adam on them."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["Flat"]


class Flat:
    """A module whose parameters, in training, are parts of one vector `theta`.

    One vector is sent, checked and stepped on at once, whatever the module is made of.

    Attributes
    ----------
    theta : nn.Parameter, shape (p,)
    weights : Tensor, shape (p,)
        1 for weights, 0 for biases, which Omega leaves out.
    state : list of Tensor
        Running statistics of a user's module: its buffers of floating numbers.
    """

    def __init__(self, module: nn.Module, lr: float):
        self.module = module
        self.parameters = list(module.parameters())
        self.theta = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in self.parameters]))
        for parameter, part in zip(self.parameters, self._parts(self.theta.data), strict=True):
            parameter.data = part
        of_weights = [torch.full_like(p, float(p.ndim > 1)).reshape(-1) for p in self.parameters]
        self.weights = torch.cat(of_weights).detach()
        self.state = [b for b in module.buffers() if b.is_floating_point()]
        self._counts = [(b, b.clone()) for b in module.buffers() if not b.is_floating_point()]
        self.adam = torch.optim.Adam([self.theta], lr=lr, fused=True)

    def _parts(self, vector: Tensor) -> Iterator[Tensor]:
        """Return views of a vector in the shapes of the parameters."""
        start = 0
        for parameter in self.parameters:
            yield vector[start : start + parameter.numel()].view(parameter.shape)
            start += parameter.numel()

    def collect(self, gradient: Tensor) -> None:
        """Let what follows add its gradient to this vector, shape (p,)."""
        for parameter, part in zip(self.parameters, self._parts(gradient), strict=True):
            parameter.grad = part

    def step(self, gradient: Tensor, lr: float) -> None:
        """Take one step of Adam."""
        self.theta.grad = gradient
        self.adam.param_groups[0]["lr"] = lr
        self.adam.step()

    def statistics(self) -> Tensor:
        """Return the running statistics, as one vector."""
        return torch.cat([torch.empty(0).to(self.theta), *(b.reshape(-1).to(self.theta) for b in self.state)])

    def set_statistics(self, vector: Tensor) -> None:
        """Set them; counts of batches stay as they were, since processes see more or fewer."""
        for buffer, before in self._counts:
            buffer.copy_(before)
        start = 0
        for buffer in self.state:
            buffer.copy_(vector[start : start + buffer.numel()].view(buffer.shape))
            start += buffer.numel()

    def moments(self) -> dict[str, Tensor]:
        """Return all that Adam and the module hold, by name, in the processor's memory."""
        held = self.adam.state.get(self.theta) or self._fresh()
        own = {"theta": self.theta.data, "statistics": self.statistics()}
        everything = own | {name: held[name] for name in ("exp_avg", "exp_avg_sq", "step")}
        return {name: values.cpu() for name, values in everything.items()}

    def _fresh(self) -> dict[str, Tensor]:
        zeros = torch.zeros_like(self.theta.data)
        step = torch.zeros((), dtype=torch.float32, device=zeros.device)
        return {"exp_avg": zeros, "exp_avg_sq": zeros.clone(), "step": step}

    def restore(self, moments: dict[str, Tensor]) -> None:
        """Set all that `moments` gave; a ValueError where they are of another module."""
        own = self.moments()
        if any(moments[name].shape != held.shape for name, held in own.items()):
            raise ValueError("weights and moments are not of this module")
        self.theta.data.copy_(moments["theta"])
        self.set_statistics(moments["statistics"].to(self.theta))
        fresh = self._fresh()
        self.adam.state[self.theta] = {name: held.copy_(moments[name]) for name, held in fresh.items()}
