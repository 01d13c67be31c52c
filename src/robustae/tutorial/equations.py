"""Equations (1), (3) and (6) as they are meant, for NumPy arrays and torch tensors alike.

With X (n, d), U (d, K), V (K, d), N (n, d) and f the sigmoid. The slides print (3) without the bracket
around f(XU)V + N; with it, its minimiser in N is (6).
"""

import math
from typing import Any

from robustae.penalties import soft

__all__ = ["autoencoder_loss", "robust_autoencoder_loss", "sigmoid", "soft_threshold"]


def sigmoid(A: Any) -> Any:
    """f(a) = 1 / (1 + exp(-a))."""
    return 1 / (1 + math.e**-A)


def autoencoder_loss(X: Any, U: Any, V: Any) -> Any:
    """Equation (1): ||X - f(XU)V||_F^2."""
    return ((X - sigmoid(X @ U) @ V) ** 2).sum()


def robust_autoencoder_loss(X: Any, U: Any, V: Any, N: Any, mu: float, lam: float) -> Any:
    """Equation (3): ||X - (f(XU)V + N)||_F^2 + mu/2 (||U||_F^2 + ||V||_F^2) + lam ||N||_1."""
    R = X - (sigmoid(X @ U) @ V + N)
    return (R**2).sum() + mu / 2 * ((U**2).sum() + (V**2).sum()) + lam * abs(N).sum()


def soft_threshold(r: Any, lam: float) -> Any:
    """Equation (6): what exceeds lam/2, entry by entry."""
    return soft(r, lam / 2)
