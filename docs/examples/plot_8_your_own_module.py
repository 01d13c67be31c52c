r"""
Your own network
================

Any module that maps rows to rows can be the predictor: the package adds the robust loss, :math:`N`, the
scaling, the threshold and the rest. Here are days of a power meter, one value an hour, and a network whose
layers are convolutions around the clock.
"""

import matplotlib.pyplot as plt
import numpy as np
from torch import nn

from robustae import RobustAutoencoder

rng = np.random.default_rng(0)
hours = np.arange(24)


def day():
    """Two humps, in the morning and in the evening, at times and heights that vary."""
    morning, evening = rng.normal(7.5, 0.7), rng.normal(19, 0.9)
    humps = [h * np.exp(-((hours - at) ** 2) / 6) for h, at in ((1, morning), (rng.uniform(1, 2), evening))]
    return 0.4 + sum(humps) + 0.05 * rng.normal(size=24)


days = np.array([day() for _ in range(400)])
wrong = np.arange(0, 400, 20)
for k in wrong:
    at = rng.integers(0, 20)
    days[k, at : at + 4] = 0 if k % 40 else 3  # the meter stands still, or a boiler runs on

# %%
# The network
# -----------
# A circular convolution knows that 23 o'clock is beside 0. The ``encoder`` attribute makes ``encode`` work;
# batch normalisation is better avoided, since it mixes rows.


class RoundTheClock(nn.Module):
    """24 values, to a code of 4, and back."""

    def __init__(self):
        super().__init__()
        around = {"padding": 2, "padding_mode": "circular"}
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, 24)),
            nn.Conv1d(1, 8, 5, **around),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(8 * 24, 4),
        )
        self.decoder = nn.Sequential(
            nn.Linear(4, 8 * 24),
            nn.Unflatten(1, (8, 24)),
            nn.ELU(),
            nn.Conv1d(8, 1, 5, **around),
            nn.Flatten(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


# %%
# A module is fitted as it stands; a callable that returns one gets fresh weights at every fit.

model = RobustAutoencoder(predictor=lambda d: RoundTheClock(), random_state=0).fit(days)
print(model.status_)
worst = np.argsort(model.score_samples(days))[: len(wrong)]
print(f"{np.isin(worst, wrong).sum()} of the {len(wrong)} wrong days are the {len(wrong)} worst")

# %%
# The hours that are wrong
# ------------------------

flags = model.flags(days)
figure, axes = plt.subplots(2, 2, figsize=(8, 4.5), sharex=True, sharey=True, layout="constrained")
for axis, k in zip(axes.flat, worst, strict=False):
    axis.plot(hours, days[k], color="black", label="observed")
    axis.plot(hours, model.reconstruct(days[[k]])[0], color="tab:blue", label="expected")
    axis.plot(hours[flags[k]], days[k][flags[k]], "o", color="tab:red", label="flagged")
axes[0, 0].legend()
for axis in axes[1]:
    axis.set(xlabel="hour", xticks=(0, 6, 12, 18))
