"""
Clusters, moons and uniform noise
=================================

The sets of scikit-learn's comparison of outlier detectors: 255 normal points and 45 of uniform noise in
two dimensions. Two columns that predict each other badly are the least that an autoencoder can live on:
what ranks here is mostly the distance to other rows, the second part of the energy. Where normal rows
fill a curve (the moons), an isolation forest sees more.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs, make_moons
from sklearn.ensemble import IsolationForest

from robustae import RobustAutoencoder
from robustae.metrics import auroc

n, noise = 300, 45
blobs = {"random_state": 0, "n_samples": n - noise, "n_features": 2}
normal = {
    "one cluster": make_blobs(centers=[[0, 0], [0, 0]], cluster_std=0.5, **blobs)[0],
    "two, alike": make_blobs(centers=[[2, 2], [-2, -2]], cluster_std=[0.5, 0.5], **blobs)[0],
    "two, of two widths": make_blobs(centers=[[2, 2], [-2, -2]], cluster_std=[1.5, 0.3], **blobs)[0],
    "moons": 4 * (make_moons(n_samples=n - noise, noise=0.05, random_state=0)[0] - [0.5, 0.25]),
    "nothing but noise": 14 * (np.random.RandomState(42).rand(n - noise, 2) - 0.5),
}
y = np.r_[np.zeros(n - noise), np.ones(noise)]

# %%
# Both as they come, with AUROC. Shades are scores by rank, lighter for more normal; red points are called by
# the default threshold, which for this package means about one clean row in a hundred.

grid = np.stack(np.meshgrid(*2 * [np.linspace(-7, 7, 90)]), -1).reshape(-1, 2)
methods = {"robust autoencoder": RobustAutoencoder, "isolation forest": IsolationForest}
figure, axes = plt.subplots(len(methods), len(normal), figsize=(11, 4.8), sharex=True, sharey=True)
for column, (name, X) in zip(axes.T, normal.items(), strict=True):
    X = np.vstack([X, np.random.RandomState(42).uniform(-6, 6, size=(noise, 2))])
    for axis, (method, kind) in zip(column, methods.items(), strict=True):
        model = kind(random_state=0).fit(X)
        ranks = model.score_samples(grid).argsort().argsort().reshape(90, 90)
        axis.imshow(ranks, extent=(-7, 7, -7, 7), origin="lower", cmap="Blues_r")
        called = model.predict(X) == -1
        axis.scatter(*X.T, s=5, c=np.where(called, "tab:red", "k"))
        axis.set_title(f"{name}: {auroc(y, -model.score_samples(X)):.2f}", fontsize=9)
        axis.set(xticks=[], yticks=[], ylabel=method if axis in axes[:, 0] else "")
figure.tight_layout()
