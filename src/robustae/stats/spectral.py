"""Where a fit starts: leading components of robustly centred, clipped data."""

from dataclasses import dataclass

import numpy as np

from robustae.stats.scales import Weight, median, some_rows

__all__ = ["Components", "components"]

GRAM_LIMIT = 2500  # sides up to this go through their Gram matrix, larger ones through random projection


@dataclass(frozen=True)
class Components:
    """location (d,) and orthonormal loadings (K, d) of A - location, the leading one first."""

    location: np.ndarray
    loadings: np.ndarray

    def filled(self, K: int) -> "Components":
        """Return K loadings: zeros where the data has fewer dimensions."""
        zeros = np.zeros((K - len(self.loadings), self.loadings.shape[1]))
        return Components(self.location, np.vstack([self.loadings, zeros]))


def components(A: np.ndarray, K: int, weight: Weight = None, robust: bool = True) -> Components:
    """Leading K components of A, shape (n, d), about its median, far rows pulled in.

    If not robust: about its mean, which is PCA.

    The smaller of the two Gram matrices is used, in float64: for n << d it is n x n and the cost
    one pass over A. If both sides are large, a randomised SVD with a fixed seed.
    """
    location = _location(A, weight, robust)
    B = A - location.astype(A.dtype)
    if robust:
        _winsorise_rows(B, weight)
    if weight is not None:
        B *= np.sqrt(weight)[:, None].astype(A.dtype)
    K = min(K, *B.shape)
    if K == 0:
        return Components(location, np.empty((0, B.shape[1])))
    if min(B.shape) > GRAM_LIMIT:
        return Components(location, _randomised(B, K))
    return Components(location, _wide(B, K) if B.shape[0] <= B.shape[1] else _tall(B, K))


def _winsorise_rows(B: np.ndarray, weight: Weight) -> None:
    """Pull rows longer than the median one in to its length, in place.

    Their direction counts, their length does not: a few far rows cannot buy a component (the
    generalised spatial sign covariance of Raymaekers and Rousseeuw 2019).
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", B, B))
    B *= np.minimum(1.0, median(lengths, weight) / np.maximum(lengths, 1e-30))[:, None].astype(B.dtype)


def _location(A: np.ndarray, weight: Weight, robust: bool) -> np.ndarray:
    if robust:
        return np.asarray(median(*some_rows(A, weight)), dtype=np.float64)
    return np.average(A, axis=0, weights=weight).astype(np.float64)


def _gram(B: np.ndarray) -> np.ndarray:
    """B B' in float64, a block of columns at a time."""
    step = max(1, 2**21 // max(len(B), 1))
    total = np.zeros((len(B), len(B)))
    for start in range(0, B.shape[1], step):
        block = B[:, start : start + step].astype(np.float64)
        total += block @ block.T
    return total


def _leading(gram: np.ndarray, K: int) -> np.ndarray:
    from scipy.linalg import eigh

    n = len(gram)
    return eigh(gram, subset_by_index=[n - K, n - 1])[1][:, ::-1]


def _wide(B: np.ndarray, K: int) -> np.ndarray:
    loadings = _leading(_gram(B), K).T.astype(B.dtype) @ B
    return _orthonormal(loadings.astype(np.float64))


def _tall(B: np.ndarray, K: int) -> np.ndarray:
    return _leading(_gram(B.T), K).T


def _orthonormal(loadings: np.ndarray) -> np.ndarray:
    """Rows made orthonormal in their order; a vanishing row (rank below K) becomes some unit vector."""
    Q, R = np.linalg.qr(loadings.T)
    return (Q * np.where(np.diag(R) < 0, -1.0, 1.0)).T


def _randomised(B: np.ndarray, K: int) -> np.ndarray:
    from sklearn.utils.extmath import randomized_svd

    return randomized_svd(B, K, n_oversamples=20, random_state=0)[2]
