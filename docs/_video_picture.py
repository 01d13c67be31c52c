"""Draw docs/images/video_walkway.png: two frames of the demo's clip, their background and foreground.

.venv/bin/python docs/_video_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from robustae.datasets import load_walkway
from robustae.video import separate

TARGET = Path(__file__).parent / "images" / "video_walkway.png"
SHOWN = (20, 190)
TITLES = ("original", "background", "foreground")


def panels() -> list[tuple[np.ndarray, ...]]:
    """Original, background, and the frame where there is foreground, else white, for each frame shown."""
    clip = load_walkway()
    found = {}
    for batch in separate(clip.X.reshape(-1, *clip.image_shape)):
        for k, frame in enumerate(batch.frames):
            foreground = np.where(batch.mask[k][..., None], frame, 255)
            found[batch.first + k] = frame, batch.background[k], foreground
    return [found[number] for number in SHOWN]


def main() -> None:
    figure, axes = plt.subplots(len(SHOWN), 3, figsize=(9, 4.6), dpi=72, layout="constrained")
    for row, pictures in zip(axes, panels(), strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(title)
    figure.savefig(TARGET)
    Image.open(TARGET).quantize(128).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
