"""Handwritten ones with a few sevens among them, as the paper uses USPS: who finds the sevens?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.baselines import comparison_methods
from robustae.datasets import load_digits_anomalies
from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.estimators.facts import facts_of
from robustae.lab.methods import STROKES, Inspected
from robustae.metrics import auprc, auroc, precision_at

__all__ = ["digits_part"]

DRAWS = 20
SHAPE = (8, 8)
MEASURES = {"AUPRC": auprc, "AUROC": auroc, "P@10": precision_at}


def _methods(seed: int) -> dict[str, Any]:
    """Unfitted methods, none of which is given a label."""
    usual = comparison_methods(seed, scale_columns=False)
    plain = _autoencoder(seed).set_params(lam=float("inf"))
    return {
        "PCA": usual["PCA"](),
        "RPCA": usual["RPCA"](),
        "AE (λ = ∞)": plain,
        "RAE": _autoencoder(seed),
        STROKES: Inspected(SHAPE, "strokes"),
    }


def _autoencoder(seed: int) -> RobustAutoencoder:
    # Ranked by its residuals: what the envelope does for them is what is compared.
    return RobustAutoencoder(image_shape=SHAPE, energy="squared", random_state=seed)


def digits_part(progress: Callable[[str], None]) -> dict[str, Any]:
    """Compare the methods over several draws of sevens; show the first draw in pictures."""
    names = list(_methods(0))
    values = np.empty((len(names), len(MEASURES), DRAWS))
    for seed in range(DRAWS):
        progress(f"digits: draw {seed + 1} of {DRAWS}")
        data = load_digits_anomalies(random_state=seed)
        for m, method in enumerate(_methods(seed).values()):
            anomaly = -method.fit(data.X).score_samples(data.X)
            values[m, :, seed] = [measure(data.y, anomaly) for measure in MEASURES.values()]
    return _pictures() | {"comparisons": [_comparison(names, values)], "line": _line(names, values)}


def _pictures() -> dict[str, Any]:
    data = load_digits_anomalies(random_state=0)
    assert data.y is not None
    sevens = int(data.y.sum())
    lead = (
        f"{len(data.y) - sevens} handwritten ones with {sevens} sevens among them, without labels. The "
        "autoencoder learns what most of the images have in common; what does not fit ends in N, and a row "
        "that fits badly scores high."
    )
    model = _autoencoder(0).fit(data.X)
    facts = facts_of(model, data.X, title="Digits: ones, and a few sevens", lead=lead)
    for top in facts["top"]:
        top["label"] = "a seven" if data.y[top["row"]] else "a one"
    found = sum(top["label"] == "a seven" for top in facts["top"][:10])
    tile = {"label": "sevens in the ten worst", "value": f"{found} of {sevens}", "note": "draw shown below"}
    return facts | {"numbers": [tile]}


def _comparison(names: list[str], values: np.ndarray) -> dict[str, Any]:
    rows = [
        {"name": name, "values": [{"mean": float(v.mean()), "sd": float(v.std(ddof=1))} for v in of_method]}
        for name, of_method in zip(names, values, strict=True)
    ]
    text = (
        f"Mean and standard deviation over {DRAWS} draws of the sevens. AUPRC is the average precision, P@10 "
        "the share of sevens among the ten worst images (at most 0.9 here). No method is given which images "
        "are sevens."
    )
    title = "Who finds the sevens?"
    return {"title": title, "text": text, "columns": [*MEASURES], "rows": rows, "bars": True}


def _line(names: list[str], values: np.ndarray) -> str:
    auprcs = zip(names, values[:, 0], strict=True)
    scores = (f"{name} {v.mean():.3f} ± {v.std(ddof=1):.3f}" for name, v in auprcs)
    return f"digits: AUPRC {', '.join(scores)} ({DRAWS} draws)"
