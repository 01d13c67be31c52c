r"""
Wrong cells in a table
======================

Measurements of 569 tumours in 30 columns, taken from scikit-learn. In a copy, 3 % of the cells are moved by
six deviations of their column, up or down, and 3 % are emptied. Which ones were moved, and what had stood
there?
"""

import matplotlib.pyplot as plt
import numpy as np

from robustae import RobustAutoencoder
from robustae.datasets import load_breast_cancer_cells

table = load_breast_cancer_cells()
model = RobustAutoencoder(random_state=0).fit(table.X)

# %%
# How far off
# -----------
# :meth:`~robustae.RobustAutoencoder.cell_scores` measures how far each cell is from what the rest of its row
# leads to expect, in deviations of the noise. Forty rows, after the cell maps of cellWise: red is above the
# expected value, blue below, white is missing. A dot marks a cell that was really moved.

rows = slice(0, 40)
deviations = model.cell_scores(table.X)[rows]
deviations = np.where(np.isnan(table.X[rows]), np.nan, deviations)
figure, axis = plt.subplots(figsize=(8, 7), layout="constrained")
shown = axis.imshow(deviations, cmap="RdBu_r", vmin=-8, vmax=8, aspect="auto")
axis.scatter(*np.nonzero(table.cells[rows])[::-1], s=12, color="gold", edgecolors="black")
axis.set(xlabel="column", ylabel="row")
figure.colorbar(shown, label="deviations")

# %%
# Flags
# -----
# Cells beyond three deviations are flagged. Not every such cell was planted: real measurements have wild
# cells of their own.

flags = model.flags(table.X)
found = (flags & table.cells).sum()
print(f"planted: {table.cells.sum()}, found: {found}, flagged: {flags.sum()} of {flags.size}")

# %%
# The list, largest first, with the value and what was expected instead:

worst = model.explain(table.X)
for k in range(5):
    name = table.columns[worst["column"][k]]
    print(f"row {worst['row'][k]}, {name}: {worst['observed'][k]:.4g}, expected {worst['expected'][k]:.4g}")

# %%
# Repair
# ------
# :meth:`~robustae.RobustAutoencoder.repaired` replaces flagged and missing cells by what is expected, and
# leaves all others as they are, to the last bit. With ``passes=1`` a row is encoded once more with its repair
# in place, so that a wrong cell does not speak for itself.

repaired = model.repaired(table.X, passes=1)
spread = table.clean.std(axis=0)
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True, layout="constrained")
for axis, values, title in zip(axes, (table.X, repaired), ("as found", "repaired"), strict=True):
    centred = [(part - table.clean.mean(axis=0)) / spread for part in (table.clean, values)]
    axis.scatter(*(part[table.cells] for part in centred), s=8)
    axis.axline((0, 0), slope=1, color="grey", linewidth=1)
    axis.set(title=title, xlabel="true value (deviations)")
axes[0].set_ylabel("value in the table")
