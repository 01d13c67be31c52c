r"""
A table with categories, dates and missing cells
================================================

Visits to a doctor, composed: numbers, categories, a date, a running number, some cells missing, and five
mistakes as people make them. A DataFrame goes in as it is.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from robustae import RobustAutoencoder

rng = np.random.default_rng(0)
n = 500
sex = rng.choice(["female", "male"], n)
height = rng.normal(np.where(sex == "male", 179, 166), 7).round(1)
weight = (0.9 * height - 85 + rng.normal(0, 7, n)).round(1)
visits = pd.DataFrame(
    {
        "number": np.arange(1, n + 1),
        "visit": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D"),
        "sex": sex,
        "height": height,
        "weight": weight,
        "waist": (0.6 * weight + 38 + rng.normal(0, 4, n)).round(1),
        "temperature": rng.normal(36.8, 0.4, n).round(1),
        "smoker": rng.choice(["no", "yes", "used to"], n, p=[0.6, 0.25, 0.15]),
    }
)
for name in ("waist", "temperature", "smoker"):
    visits.loc[rng.choice(n, 30, replace=False), name] = None

visits.loc[20, "height"] = 1.82  # metres
visits.loc[77, "sex"] = "femlae"
visits.loc[140, "visit"] = pd.Timestamp("1925-06-03")
visits.loc[301, "temperature"] = 98.1  # Fahrenheit
visits.loc[333, "weight"] = 163.0  # pounds
visits.head()

# %%
# What was read
# -------------
# Kinds are decided from the cells. The running number carries no information and is left out, with a warning.

with warnings.catch_warnings(record=True) as warned:
    model = RobustAutoencoder(random_state=0).fit(visits)
print(warned[0].message)
for column in model.columns_:
    print(f"{column.name}: {column.why or column.kind}")

# %%
# Which cells are wrong
# ---------------------
# ``explain`` lists them as they are written, the farthest first, with what the rest of the row leads to
# expect:

model.explain(visits)[["row", "column", "observed", "expected", "deviations"]].head(8)

# %%
# How far off each cell of each column is, and where the five mistakes lie:

mistakes = {20: "height", 77: "sex", 140: "visit", 301: "temperature", 333: "weight"}
deviations = np.abs(np.asarray(model.cell_scores(visits)))
names = [name for name in visits.columns if name != "number"]
figure, axis = plt.subplots(figsize=(8, 3.5), layout="constrained")
for k, name in enumerate(names):
    values = deviations[:, visits.columns.get_loc(name)] + 0.1
    axis.scatter(values, k + rng.uniform(-0.25, 0.25, n), s=5, color="tab:blue", alpha=0.5)
    wrong = [row for row, column in mistakes.items() if column == name]
    axis.scatter(values[wrong], np.full(len(wrong), k), s=90, facecolors="none", edgecolors="tab:red")
axis.axvline(3.1, color="black", linewidth=1)
axis.set(xscale="log", xlabel="deviations, plus 0.1 (circled: the five mistakes)")
axis.set_yticks(range(len(names)), names)

# %%
# Repair
# ------
# A DataFrame of the same types, with only flagged and missing cells replaced:

repaired = model.repaired(visits)
repaired.loc[sorted(mistakes)]
