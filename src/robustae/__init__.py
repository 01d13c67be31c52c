"""Robust autoencoders: learn what is normal from data that already contains anomalies."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustae.baselines import RobustPCA
    from robustae.estimator import RobustAutoencoder, load

__version__ = "0.1.0"
__all__ = ["RobustAutoencoder", "RobustPCA", "__version__", "load"]

_HOMES = {
    "RobustAutoencoder": "robustae.estimator",
    "RobustPCA": "robustae.baselines",
    "load": "robustae.estimator",
}


def __getattr__(name: str) -> Any:
    # Torch and scikit-learn take seconds to import: only when a name that needs them is asked for.
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'robustae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
