r"""
A moving scene apart from its background
========================================

A composed film: a textured wall, light that slowly changes, and two blobs that walk by. Every frame is a row.
"""

import matplotlib.pyplot as plt
import numpy as np

from robustae import RobustAutoencoder
from robustae.datasets import moving_scene
from robustae.metrics import best_f1
from robustae.video import separate

scene = moving_scene(n=80)
frames = scene.frames.reshape(-1, *scene.shape)

# %%
# Background as a reconstruction
# ------------------------------
# One component is enough for a light that changes. ``flags`` is the mask of what moves: it is decided by the
# noise, not by :math:`N`.

model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(frames)
shown = frames[[8, 30, 64]]
expected, outliers = model.split(shown)
mask = model.flags(shown)

figure, axes = plt.subplots(3, 4, figsize=(8, 5), layout="constrained")
for line, frame, background, moving, flagged in zip(axes, shown, expected, outliers, mask, strict=True):
    line[0].imshow(frame, cmap="gray", vmin=0, vmax=1)
    line[1].imshow(background, cmap="gray", vmin=0, vmax=1)
    line[2].imshow(moving, cmap="RdBu_r", vmin=-1, vmax=1)
    line[3].imshow(flagged, cmap="gray")
for axis, title in zip(axes[0], ("frame", "reconstruction", "N", "flags"), strict=True):
    axis.set_title(title)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])

# %%
# The scene is composed, so the answer is known:

truth = (scene.light[:, None] * scene.background).reshape(frames.shape)
masks = scene.masks.reshape(frames.shape)
error = np.abs(model.reconstruct(frames) - truth)
print(f"off the true background: {error.mean():.4f}, behind the blobs {error[masks].mean():.4f}")

# %%
# Films
# -----
# :func:`robustae.video.separate` is made for films: it knows of light, of shadows, and of people who stand
# still, and it needs no settings. Its score, frame by frame, and how well the best threshold on it would do:

film = separate(np.uint8(255 * frames))
score = np.concatenate([batch.score for batch in film])
print(f"F1 of the score at its best threshold: {best_f1(masks.ravel(), score.ravel()):.3f}")

share = film.activity["share"]
figure, axis = plt.subplots(figsize=(8, 2.5), layout="constrained")
axis.plot(100 * np.asarray(share), label="found")
axis.plot(100 * masks.mean(axis=(1, 2)), color="black", linestyle=":", label="true")
axis.set(xlabel="frame", ylabel="moving (% of pixels)", ylim=(0, None))
axis.legend()
