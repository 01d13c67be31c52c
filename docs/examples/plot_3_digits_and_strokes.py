r"""
Images apart from what was drawn over them
==========================================

Handwritten digits, some with a stroke across them. The strokes are gross and few, the digits are what the
images have in common: the model keeps the one and puts the other into :math:`N`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from robustae import RobustAutoencoder
from robustae.images import MaskedAutoencoder
from robustae.metrics import auprc

digits = load_digits()
clean = digits.images[digits.target == 0] / 16


def with_strokes(images, share, seed=0):
    """A copy with a bright stroke, one pixel wide, across a share of the images."""
    rng = np.random.default_rng(seed)
    images, struck = images.copy(), rng.random(len(images)) < share
    for k in np.flatnonzero(struck):
        lines = images[k] if rng.random() < 0.5 else images[k].T
        lines[rng.integers(1, 7)] = 1
    return images, struck


images, struck = with_strokes(clean, 0.15)

# %%
# Normal part and outliers
# ------------------------
# A linear code of a few components, fitted to all images, struck or not. ``split`` gives both parts of each
# image, and they add up to it, but for the noise.

model = RobustAutoencoder(predictor="linear", hidden=6, random_state=0).fit(images)
shown = images[np.flatnonzero(struck)[:8]]
expected, outliers = model.split(shown)


def gallery(rows, width=8):
    """Pictures in rows: grey levels, or red and blue for what may be negative."""
    figure, axes = plt.subplots(len(rows), width, figsize=(8, 1.1 * len(rows)), layout="constrained")
    for line, (name, (stack, colours)) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, stack, strict=True):
            axis.imshow(image, **colours)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)


grey = {"cmap": "gray", "vmin": 0, "vmax": 1}
signed = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
gallery({"image": (shown, grey), "expected": (expected, grey), "N": (outliers, signed)})

# %%
# Which images were struck
# ------------------------
# The energy of an image ranks them. It is the squared residual: :math:`N` alone would tie all images without
# a stroke. The plain autoencoder of the same width has learnt some of the strokes and ranks worse.

plain = RobustAutoencoder(predictor="linear", hidden=6, lam=float("inf"), random_state=0).fit(images)
for name, fitted in {"plain": plain, "robust": model}.items():
    print(f"{name}: AUPRC {auprc(struck, -fitted.score_samples(images)):.3f}")

# %%
# Repair
# ------
# An autoencoder is shown the pixel that it has to predict. :class:`~robustae.images.MaskedAutoencoder`
# predicts each from others only, and repairs strokes better. It too has only seen the images as they are,
# struck ones among them.

masked = MaskedAutoencoder(max_iter=300, random_state=0).fit(images)
repaired = masked.denoised(shown)
gallery({"image": (shown, grey), "repaired": (repaired, grey), "truth": (clean[struck][:8], grey)})
