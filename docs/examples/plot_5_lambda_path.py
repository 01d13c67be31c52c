r"""
The path over lambda
====================

:math:`\lambda` is the price of calling a part of a cell an outlier. At :math:`\lambda = \infty` nothing is
one: the plain autoencoder. On the way down :math:`N` takes more and more cells, the wrong ones first.
"""

import matplotlib.pyplot as plt
import numpy as np

from robustae import RobustAutoencoder
from robustae.datasets import planted, subspace_error

data = planted(n=300, d=30, rank=3, share=0.05, size=8, random_state=1)
settings = {"predictor": "linear", "hidden": 3, "random_state": 0}

# %%
# :meth:`~robustae.RobustAutoencoder.lam_path` walks from the least :math:`\lambda` at which :math:`N = 0`
# downwards, each fit starting from the last.

automatic = RobustAutoencoder(**settings).fit(data.X)
path = automatic.lam_path(data.X, n_lams=25, ratio=1e-2)
lam = path["lam"][1:]  # the first is infinity

# %%
# Here the true subspace is known, so each :math:`\lambda` can be judged by how far the fitted one lies off.


def off(lam):
    """Distance of the learned subspace from the true one."""
    model = RobustAutoencoder(lam=lam, **settings).fit(data.X)
    clean = model.reconstruct(data.X) - np.median(model.reconstruct(data.X), axis=0)
    return subspace_error(np.linalg.svd(clean, full_matrices=False)[2][:3].T, data.loadings)


errors = [off(value) for value in lam]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
curves = (100 * path["share_nonzero"][1:], path["residual_scale"][1:], errors)
titles = ("cells with N ≠ 0 (%)", "residual scale", "subspace error")
for axis, curve, title in zip(axes, curves, titles, strict=True):
    axis.semilogx(lam, curve, marker=".")
    axis.axvline(automatic.lam_, color="tab:red", linewidth=1)
    axis.set(title=title, xlabel="λ")
axes[2].axhline(off(float("inf")), color="grey", linestyle=":")
axes[2].set_ylim(0, None)

# %%
# The red line is ``lam="auto"``: :math:`\lambda = 2 k \hat\sigma` with the same :math:`k` for every data set
# and :math:`\hat\sigma` from the residuals. It needs no truth. The dotted line is the plain autoencoder. With
# the small :math:`\lambda` that fits best most clean cells have :math:`N \ne 0`, which is why flags are
# decided apart from it:

flags = automatic.flags(data.X)
print(f"N is nonzero in {100 * (automatic.outliers(data.X) != 0).mean():.0f} % of the cells, ", end="")
print(f"{100 * flags.mean():.1f} % are flagged, {100 * data.mask.mean():.1f} % were planted")
