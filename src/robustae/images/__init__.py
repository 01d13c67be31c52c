"""Images: a folder's odd ones found and shown where; spoilt ones repaired."""

from typing import Any

__all__ = ["Inspection", "MaskedAutoencoder", "inspect", "load"]

_PLACES = {
    "Inspection": "inspection",
    "inspect": "inspection",
    "load": "stored",
    "MaskedAutoencoder": "repair",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: some of it takes seconds."""
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
