"""Which devices the processes of a fit ask an engine for."""

__all__ = ["on_gpus"]


def on_gpus(device: str) -> bool:
    """Whether each process needs a GPU: where one is named, or "auto" finds one here."""
    import torch

    return device.startswith("cuda") or device == "auto" and torch.cuda.is_available()
