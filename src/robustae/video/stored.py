"""A scene as a file and back: arrays and JSON, nothing executed on load."""

import os
from typing import TYPE_CHECKING, Any

from robustae.utils.checks import InputError
from robustae.video.scene import LARGEST, LEAST_NOISE, Scene

if TYPE_CHECKING:
    from robustae.video.learned import LearnedScene

__all__ = ["load_scene", "save_scene"]

PREFIX = "scene."


def save_scene(model: "Scene | LearnedScene", path: str | os.PathLike[str]) -> None:
    """Write the model of a scene to `path`, whole or not at all.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    from robustae.fit import artifact

    if isinstance(model, Scene):
        artifact.write(path, model.arrays(), {"scene": {}})
        return
    from robustae.estimators.saving import packed

    arrays, description = packed(model.estimator)
    artifact.write(path, arrays | model.scene.arrays(), description | {"scene": {"noise": model.noise}})


def load_scene(path: str | os.PathLike[str]) -> Any:
    """Read the model of a scene.

    Returns
    -------
    Scene or LearnedScene

    Raises
    ------
    InputError
        If the file is damaged, or no model of a scene; NotFound if there is none.
    """
    from robustae.fit import artifact

    arrays, description = artifact.read(path)
    if "scene" not in description:
        raise InputError(f"model {str(path)!r} is one of rows, not of a scene: robustae video writes those.")
    with artifact.damage_named():
        return _scene_of(arrays, description)


def _scene_of(arrays: dict[str, Any], description: dict[str, Any]) -> Any:
    scene = Scene.of({name: values for name, values in arrays.items() if name.startswith(PREFIX)})
    if "members" not in description:
        return scene
    from robustae.estimators.autoencoder import RobustAutoencoder
    from robustae.estimators.saving import rebuilt
    from robustae.video.learned import LearnedScene

    members = {name: part for name, part in description.items() if name != "scene"}
    own = {name: values for name, values in arrays.items() if not name.startswith(PREFIX)}
    estimator = rebuilt(RobustAutoencoder, own, members)
    if estimator.n_features_in_ != scene.picture.size:
        raise InputError("model: the picture of the scene is not of the size that its model predicts.")
    noise = float(description["scene"]["noise"])
    if not LEAST_NOISE <= noise < LARGEST:
        raise InputError(f"model: a noise of {noise} is none.")
    return LearnedScene(scene, estimator, noise)
