"""Video: a clip of a still camera in two, background and foreground."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustae.video.maps import MaskSettings
    from robustae.video.scene import Scene
    from robustae.video.separation import Batch, Separation, separate
    from robustae.video.stored import load_scene

__all__ = ["Batch", "MaskSettings", "Scene", "Separation", "load_scene", "separate"]

_HOMES = {"MaskSettings": "maps", "Scene": "scene", "load_scene": "stored"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in __all__:
        return getattr(import_module(f"robustae.video.{_HOMES.get(name, 'separation')}"), name)
    raise AttributeError(f"module 'robustae.video' has no attribute {name!r}")
