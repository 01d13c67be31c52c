"""Fits of more rows than memory holds, by one process or many: the same result, to the last bit.

Every process runs the same function (SPMD) on shards of the rows, and sends one vector a step: the sum of
its rows' gradients. No row of N is stored or sent. See `fit_source`; `RobustAutoencoder.fit` calls it.
"""

from robustae.fit.distributed.fit import SourceFit, SourceOptions, fit_source
from robustae.fit.distributed.worlds import Alone, PeerLost, Torch, World, leave, world_here

__all__ = [
    "Alone",
    "PeerLost",
    "SourceFit",
    "SourceOptions",
    "Torch",
    "World",
    "fit_source",
    "leave",
    "world_here",
]
