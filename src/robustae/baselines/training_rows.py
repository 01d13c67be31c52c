"""Training rows recognised when they come again: a transductive method has an answer for these only."""

import numpy as np

from robustae.fit.known import keys_of

__all__ = ["TrainingRows"]


class TrainingRows:
    """Finds rows among the training rows, by their exact cells."""

    def __init__(self, X: np.ndarray) -> None:
        self._keys, self._first = np.unique(keys_of(X), return_index=True)

    def find(self, X: np.ndarray) -> np.ndarray:
        """Index of the (first) equal training row, -1 where there is none; shape (n,)."""
        keys = keys_of(X)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._first[at], -1)
