"""Clean rows that the default calls, by kind of data: rows it was not fitted to, none of them anomalous."""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measuring import write
from robustae import RobustAutoencoder

FITS, ROWS, UNSEEN, COLUMNS = 20, 1000, 2000, 8
SHARE = 0.2
Draw = Callable[[int], np.ndarray]


def kinds(rng: np.random.Generator, d: int) -> Iterator[tuple[str, Draw]]:
    """Yield names and what draws rows, shape (n, d)."""
    normal = lambda n, k=d: rng.normal(size=(n, k))  # noqa: E731
    mixing, loadings = rng.normal(size=(d, d)), rng.normal(size=(3, d))
    places = 4 * rng.normal(size=(12, d))
    yield "normal", normal
    yield "t(5)", lambda n: rng.standard_t(5, size=(n, d))
    yield "lognormal", lambda n: np.exp(normal(n))
    yield "uniform", lambda n: rng.random((n, d))
    yield "counts", lambda n: rng.poisson(1.0, size=(n, d)).astype(float)
    yield "two factors and noise", lambda n: normal(n, 2) @ loadings[:2] + 0.3 * normal(n)
    yield "the same, a fifth of the cells missing", lambda n: _holes(normal(n, 2) @ loadings[:2], rng, 0.2)
    yield "bent", lambda n: np.tanh(normal(n, 3) @ loadings) + 0.1 * normal(n)
    yield "twelve clusters", lambda n: places[rng.integers(12, size=n)] + normal(n)
    yield "t(5) of whole rows", lambda n: normal(n) @ mixing / np.sqrt(rng.chisquare(5, (n, 1)) / 5)
    yield "lognormal, correlated", lambda n: np.exp(0.7 * (0.5 * normal(n) + normal(n, 1)))
    yield (
        "rows of different noise",
        lambda n: normal(n, 2) @ loadings[:2] + 0.1 * np.exp(normal(n, 1)) * normal(n),
    )


def _holes(X: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    X = X + 0.3 * rng.normal(size=X.shape)
    holes = rng.random(X.shape) < share
    holes[holes.all(1), 0] = False
    return np.where(holes, np.nan, X)


def spoilt(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows of which a fifth are anomalies, five times as wide as the others in every column."""
    odd, seen = rng.random(len(X)) < SHARE, ~np.isnan(X)
    wide = np.nanmean(X, 0) + 5 * np.nanstd(X, 0) * rng.normal(size=X.shape)
    return np.where(odd[:, None] & seen, wide, X)


def run(runs: int) -> None:
    """Write false_alarms.csv: means over 20 fits (`runs` is not used)."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(FITS):
        for name, draw in kinds(rng := np.random.default_rng(seed), COLUMNS):
            X, unseen = draw(ROWS), draw(UNSEEN)
            clean, dirty = (RobustAutoencoder(random_state=0).fit(rows) for rows in (X, spoilt(X, rng)))
            called = [(model.predict(unseen) == -1).mean() for model in (clean, dirty)]
            beyond = (clean.predict_proba(unseen)[:, 1] > 0.95).mean()
            found.setdefault(name, []).append((*called, beyond))
    write("false_alarms", [_row(name, np.array(shares)) for name, shares in found.items()])


def _row(name: str, shares: np.ndarray) -> dict[str, str]:
    called, with_anomalies, beyond = shares.mean(0)
    return {
        "clean rows": name,
        "called": f"{100 * called:.1f} %",
        "most in a fit": f"{100 * shares[:, 0].max():.1f} %",
        "a fifth of the fit anomalies": f"{100 * with_anomalies:.1f} %",
        "probability above .95": f"{100 * beyond:.1f} %",
    }
