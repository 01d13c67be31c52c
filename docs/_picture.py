"""Draw docs/_static/walkway.png: frames of the demo's clip, split by one fit of a robust background.

.venv/bin/python docs/_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from PIL import Image

from robustae import RobustAutoencoder
from robustae.datasets import load_walkway

TARGET = Path(__file__).parent / "_static" / "walkway.png"
SHOWN = (20, 130, 190)


def main() -> None:
    clip = load_walkway()
    frames = clip.X.reshape(-1, *clip.image_shape)
    model = RobustAutoencoder(predictor="constant", random_state=0).fit(frames)
    shown = frames[list(SHOWN)]
    expected, outliers = model.split(shown)
    figure, axes = plt.subplots(3, len(SHOWN), figsize=(9, 6.6), dpi=72, layout="constrained")
    for k, (frame, background, people) in enumerate(zip(shown, expected, outliers, strict=True)):
        axes[0, k].imshow(frame, cmap="gray", vmin=0, vmax=255)
        axes[1, k].imshow(background, cmap="gray", vmin=0, vmax=255)
        axes[2, k].imshow(people, cmap="RdBu_r", vmin=-120, vmax=120)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[:, 0], ["original", "reconstruction", "outliers"], strict=True):
        axis.set_ylabel(name)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET)
    Image.open(TARGET).quantize(200).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
