r"""
Thresholds without knowing the share of anomalies
=================================================

``contamination="auto"`` finds the clean part of the scores from their lower half, and calls a row anomalous
where it lies three deviations above. No share is asked for, because mostly nobody knows it.
"""

import matplotlib.pyplot as plt
import numpy as np

from robustae import RobustAutoencoder
from robustae.datasets import planted_rows

SHARES = (0.0, 0.01, 0.05, 0.2)


def rows_with(share):
    """Rows near a plane, a share of them anomalous in all their cells."""
    data = planted_rows(n=600, d=20, rank=3, share=share, size=2.0, random_state=0)
    return data.X, data.y == 1


# %%
# Four tables, from clean to one row in five anomalous, and the same model for all:

figure, axes = plt.subplots(2, 2, figsize=(8, 5), layout="constrained")
for axis, share in zip(axes.flat, SHARES, strict=True):
    X, y = rows_with(share)
    model = RobustAutoencoder(predictor="linear", hidden=3, energy="squared", random_state=0).fit(X)
    energy, called = -model.score_samples(X), model.predict(X) == -1
    bins = np.geomspace(energy.min(), energy.max(), 40)
    axis.hist([energy[~y], energy[y]], bins, stacked=True, color=["tab:blue", "tab:orange"])
    axis.axvline(-model.offset_, color="black")
    title = f"{y.mean():.0%} anomalous: {called.sum()} called, {(called & y).sum()} of {y.sum()} found"
    axis.set(xscale="log", yscale="log", ylim=(0.8, None))
    axis.set_title(title, fontsize=9)
    axis.set_xticks([], minor=True)
    axis.set_xticks([2, 5, 10, 20, 50], [2, 5, 10, 20, 50])
for axis in axes[1]:
    axis.set_xlabel("energy of a row")

# %%
# Where a share is known, or a number of rows that somebody can check, the threshold moves without a refit.
# With 0 it lies above all training rows.

for contamination in ("auto", 0.1, 0.0):
    model.rethreshold(contamination)
    print(f"contamination={contamination}: {(model.predict(X) == -1).sum()} rows called anomalous")

# %%
# :meth:`~robustae.RobustAutoencoder.predict_proba` puts scores on a common scale: the second column is the
# probability that a clean row has a lower energy.

model.rethreshold("auto")
probability = model.predict_proba(X)[:, 1]
print(f"over 0.99: {(probability[y] > 0.99).mean():.0%} of the anomalies", end=", ")
print(f"{(probability[~y] > 0.99).mean():.1%} of the others")
