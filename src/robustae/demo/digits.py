"""Handwritten ones with a few sevens among them, as the paper uses USPS: who finds the sevens?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.metrics import auprc, auroc, precision_at
from robustae.report import facts_of

__all__ = ["digits_part"]

DRAWS, SEVENS, SHAPE = 10, 9, (8, 8)
MEASURES = {"AUPRC": auprc, "AUROC": auroc, "P@10": precision_at}


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All ones of scikit-learn's digits and `SEVENS` random sevens, shuffled: X (n, 64), y (1 = seven)."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    X, digit = load_digits(return_X_y=True)
    ones, sevens = np.flatnonzero(digit == 1), np.flatnonzero(digit == 7)
    rows = rng.permutation(np.r_[ones, rng.choice(sevens, SEVENS, replace=False)])
    return X[rows], (digit[rows] == 7).astype(int)


def _pca(X: np.ndarray, seed: int) -> np.ndarray:
    """Squared residual of as many components as explain 90 % of the variance."""
    from sklearn.decomposition import PCA

    pca = PCA(0.9, svd_solver="full").fit(X)
    return ((X - pca.inverse_transform(pca.transform(X))) ** 2).sum(1)


def _rpca(X: np.ndarray, seed: int) -> np.ndarray:
    from robustae import RobustPCA

    return -RobustPCA().fit(X).score_samples(X)


def _ae(X: np.ndarray, seed: int) -> np.ndarray:
    return -_autoencoder(seed, lam=float("inf")).fit(X).score_samples(X)


def _rae(X: np.ndarray, seed: int) -> np.ndarray:
    return -_autoencoder(seed).fit(X).score_samples(X)


def _autoencoder(seed: int, **settings: Any) -> Any:
    from robustae import RobustAutoencoder

    return RobustAutoencoder(image_shape=SHAPE, random_state=seed, **settings)


METHODS = {"PCA": _pca, "RPCA": _rpca, "AE (λ = ∞)": _ae, "RAE": _rae}


def digits_part(progress: Callable[[str], None]) -> dict[str, Any]:
    """Compare the methods over several draws of sevens; show one draw in pictures."""
    values = np.empty((len(METHODS), len(MEASURES), DRAWS))
    for seed in range(DRAWS):
        progress(f"digits: draw {seed + 1} of {DRAWS}")
        X, y = draw(seed)
        for m, score in enumerate(METHODS.values()):
            anomaly = score(X, seed)
            values[m, :, seed] = [measure(y, anomaly) for measure in MEASURES.values()]
    return _pictures() | {"comparisons": [_comparison(values)], "line": _line(values)}


def _pictures() -> dict[str, Any]:
    X, y = draw(0)
    facts = facts_of(
        _autoencoder(0).fit(X),
        X,
        title="Digits: ones, and a few sevens",
        lead=f"{len(y) - SEVENS} handwritten ones with {SEVENS} sevens among them, without labels. The autoencoder learns "
        "what most of the images have in common; what it cannot express ends in N.",
    )
    found = [top for top in facts["top"][:10] if y[top["row"]]]
    for top in facts["top"]:
        top["label"] = "a seven" if y[top["row"]] else "a one"
    facts["numbers"] = [{"label": "sevens among the 10 worst", "value": f"{len(found)} of {SEVENS}", "note": "in the draw shown below"}]
    return facts


def _comparison(values: np.ndarray) -> dict[str, Any]:
    rows = [
        {"name": name, "values": [{"mean": float(v.mean()), "sd": float(v.std(ddof=1))} for v in of_method]}
        for name, of_method in zip(METHODS, values, strict=True)
    ]
    text = (
        f"Mean and standard deviation over {DRAWS} draws of {SEVENS} sevens. AUPRC is the average precision, P@10 the share of "
        "sevens among the ten worst images (at most 0.9 here). No method is told which images are sevens."
    )
    return {"title": "Who finds the sevens?", "text": text, "columns": [*MEASURES], "rows": rows, "bars": True}


def _line(values: np.ndarray) -> str:
    means, sds = values[:, 0].mean(1), values[:, 0].std(1, ddof=1)
    said = (f"{name} {mean:.3f} ± {sd:.3f}" for name, mean, sd in zip(METHODS, means, sds, strict=True))
    return f"digits: AUPRC {', '.join(said)} ({DRAWS} draws)"
