"""Robust autoencoders: learn what is normal from data that already contains anomalies."""

from typing import TYPE_CHECKING, Any

from robustae.utils.version import __version__

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder, load
    from robustae.estimators.robust_pca import RobustPCA
    from robustae.utils.checks import InputError

__all__ = ["InputError", "RobustAutoencoder", "RobustPCA", "__version__", "load"]

_HOMES = {
    "RobustAutoencoder": "robustae.estimators.autoencoder",
    "InputError": "robustae.utils.checks",
    "RobustPCA": "robustae.estimators.robust_pca",
    "load": "robustae.estimators.autoencoder",
}


def __getattr__(name: str) -> Any:
    # Torch and scikit-learn take seconds to import: only when a name that needs them is asked for.
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'robustae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
