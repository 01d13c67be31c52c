"""What the checks of the hands-on say to a learner: right, not yet and why, still blank."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from robustae.tutorial import check_autoencoder_loss, check_robust_autoencoder_loss, check_soft_threshold
from robustae.tutorial.equations import autoencoder_loss, robust_autoencoder_loss, soft_threshold


def f(A):
    return 1 / (1 + np.exp(-A))


def squares(A):
    return (A**2).sum()


# Right answers --------------------------------------------------------------------------------------


def looped_loss(X, U, V):
    total = 0.0
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            predicted = 0.0
            for k in range(U.shape[1]):
                a = sum(X[i, m] * U[m, k] for m in range(X.shape[1]))
                predicted += V[k, j] / (1 + np.exp(-a))
            total += (X[i, j] - predicted) ** 2
    return total


def looped_torch_loss(X, U, V):
    total = torch.zeros(())
    for row in X:
        total = total + torch.sum((row - torch.sigmoid(row @ U) @ V) ** 2)
    return total


def looped_robust_loss(X, U, V, N, mu, lam):
    J = looped_loss(X - N, np.zeros_like(U), np.zeros_like(V)) - squares(X - N)
    Xhat = f(X @ U) @ V
    for x, xhat, n in zip(X.ravel(), Xhat.ravel(), N.ravel(), strict=True):
        J += (x - xhat - n) ** 2 + lam * abs(n)
    for weight in [*U.ravel(), *V.ravel()]:
        J += mu / 2 * weight**2
    return J


def test_equations_say_what_the_slides_mean():
    X, U, V, N = np.array([[2.0]]), np.array([[0.0]]), np.array([[1.0]]), np.array([[0.5]])
    assert autoencoder_loss(X, U, V) == 2.25
    assert robust_autoencoder_loss(X, U, V, N, 2.0, 3.0) == 1 + 1 + 1.5
    assert soft_threshold(np.array([3.0, -3.0, 0.9]), 2.0).tolist() == [2.0, -2.0, 0.0]


@pytest.mark.parametrize(
    "fn",
    [
        lambda X, U, V: squares(X - f(X @ U) @ V),
        lambda X, U, V: np.linalg.norm(X - f(np.dot(X, U)).dot(V)) ** 2,
        lambda X, U, V: float(np.trace((X - f(X @ U) @ V).T @ (X - f(X @ U) @ V))),
        lambda V, U, X: np.array([squares(f(X @ U) @ V - X)]),
        lambda data, W1, W2, activation=f: np.sum(np.square(data - activation(data @ W1) @ W2)),
        looped_loss,
        lambda X, U, V: torch.sum((X - torch.sigmoid(X @ U) @ V) ** 2),
        lambda X, U, V: torch.nn.functional.mse_loss(torch.sigmoid(X @ U) @ V, X, reduction="sum"),
        lambda X, U, V: torch.linalg.norm(X - (1 / (1 + torch.exp(-X @ U))) @ V, "fro").square(),
        lambda X, U, V: (X - (-(X @ U)).exp().add(1).reciprocal() @ V).pow(2).sum(),
        looped_torch_loss,
        autoencoder_loss,
    ],
)
def test_right_autoencoder_losses(fn):
    found = check_autoencoder_loss(fn)
    assert found.ok and found, str(found)
    assert "right" in str(found)


@pytest.mark.parametrize(
    "fn",
    [
        lambda X, U, V, N, mu, lam: (
            squares(X - (f(X @ U) @ V + N)) + mu / 2 * (squares(U) + squares(V)) + lam * np.abs(N).sum()
        ),
        lambda X, U, V, N, mu, lam: (
            torch.norm(X - torch.sigmoid(X @ U) @ V - N) ** 2
            + 0.5 * mu * (torch.norm(U) ** 2 + torch.norm(V) ** 2)
            + lam * torch.norm(N, 1)
        ),
        lambda X, U, V, N, mu, lamda: (
            ((X - torch.sigmoid(X @ U) @ V - N) ** 2).sum()
            + mu / 2 * sum((W**2).sum() for W in (U, V))
            + lamda * N.abs().sum()
        ),
        looped_robust_loss,
        robust_autoencoder_loss,
    ],
)
def test_right_robust_losses(fn):
    assert check_robust_autoencoder_loss(fn).ok, str(check_robust_autoencoder_loss(fn))


def looped_threshold(r, lam):
    N = np.zeros(len(r))
    for i in range(len(r)):
        if r[i] > lam / 2:
            N[i] = r[i] - lam / 2
        elif r[i] < -lam / 2:
            N[i] = r[i] + lam / 2
    return N


def twice_looped_threshold(R, lam):
    N = torch.zeros_like(R)
    for i in range(R.shape[0]):
        for j in range(R.shape[1]):
            N[i, j] = torch.sign(R[i, j]) * max(abs(R[i, j]) - lam / 2, 0)
    return N


@pytest.mark.parametrize(
    "fn",
    [
        soft_threshold,
        looped_threshold,
        twice_looped_threshold,
        lambda r, lam: np.sign(r) * np.maximum(np.abs(r) - lam / 2, 0),
        lambda r, lam: [max(v - lam / 2, 0) + min(v + lam / 2, 0) for v in r],
        lambda r, lam: np.where(r > lam / 2, r - lam / 2, np.where(r < -lam / 2, r + lam / 2, 0)),
        lambda r, lam: torch.sign(r) * torch.relu(r.abs() - lam / 2),
        lambda r, lam: torch.nn.functional.softshrink(r, lam / 2),
    ],
)
def test_right_thresholds(fn):
    assert check_soft_threshold(fn).ok, str(check_soft_threshold(fn))


# Wrong answers: each with its message ------------------------------------------------------------


def in_place_loss(X, U, V):
    X -= f(X @ U) @ V
    return (X**2).sum()


def in_place_torch_loss(X, U, V):
    V *= 2
    return ((X - torch.sigmoid(X @ U) @ V / 2) ** 2).sum()


def no_return(X, U, V):
    loss = squares(X - f(X @ U) @ V)
    assert loss


def squeezed(X, U, V):
    code = np.squeeze(f(X @ U))
    return squares(X - (code @ V if code.ndim == 2 else code[:, None] * V))


def rows_against_columns(X, U, V):
    total = 0.0
    for x in X:
        column = x[:, None]
        total += squares(column - f(x @ U) @ V)
    return total


def raises(X, U, V):
    return undefined_name  # noqa: F821


AUTOENCODER = {
    "mean of the squares": lambda X, U, V: np.mean((X - f(X @ U) @ V) ** 2),
    "takes the root": lambda X, U, V: np.linalg.norm(X - f(X @ U) @ V),
    "square is missing: it adds up the absolute": lambda X, U, V: np.abs(X - f(X @ U) @ V).sum(),
    "positive and negative ones cancel": lambda X, U, V: (X - f(X @ U) @ V).sum(),
    "sigmoid is forgotten": lambda X, U, V: squares(X - X @ U @ V),
    "sigmoid is applied twice": lambda X, U, V: squares(X - f(f(X @ U)) @ V),
    "applied to the output, too": lambda X, U, V: squares(X - f(f(X @ U) @ V)),
    "around the whole product": lambda X, U, V: squares(X - f(X @ U @ V)),
    "wrong sign in its exponent": lambda X, U, V: squares(X - (1 / (1 + np.exp(X @ U))) @ V),
    "tanh": lambda X, U, V: ((X - torch.tanh(X @ U) @ V) ** 2).sum(),
    "ReLU": lambda X, U, V: ((X - torch.relu(X @ U) @ V) ** 2).sum(),
    "factor 1/2": lambda X, U, V: 0.5 * squares(X - f(X @ U) @ V),
    "divides by the number of rows": lambda X, U, V: squares(X - f(X @ U) @ V) / len(X),
    "largest singular value": lambda X, U, V: np.linalg.norm(X - f(X @ U) @ V, 2) ** 2,
    "squares the sum": lambda X, U, V: (X - f(X @ U) @ V).sum() ** 2,
    "no sum is taken": lambda X, U, V: (X - f(X @ U) @ V) ** 2,
    "each row is summed by itself": lambda X, U, V: ((X - f(X @ U) @ V) ** 2).sum(axis=1),
    "makes a table of all pairs,": lambda X, U, V: squares(X.reshape(-1, 1) - (f(X @ U) @ V).ravel()),
    "all pairs in each row": rows_against_columns,
    "not with a single row": squeezed,
    "gradient is blocked": lambda X, U, V: ((X - (torch.sigmoid(X @ U) @ V).detach()) ** 2).sum(),
    ".item()": lambda X, U, V: ((X - torch.sigmoid(X @ U) @ V) ** 2).sum().item(),
    ".numpy()": lambda X, U, V: np.sum((X - torch.sigmoid(X @ U) @ V).numpy() ** 2),
    "but the gradient by U is not": lambda X, U, V: ((X - torch.sigmoid(X @ U).detach() @ V) ** 2).sum(),
    "returns nothing (None)": no_return,
    "changes its input X in place": in_place_loss,
    "changes its input U or V in place": in_place_torch_loss,
    "NameError": raises,
    "do the factors of a product stand in that order": lambda X, U, V: squares(X - f(U @ X) @ V),
    "It must take (X, U, V)": lambda X, weights: 0.0,
    "returns a str": lambda X, U, V: "a lot",
    "It gives nan": lambda X, U, V: np.nan * squares(X),
    "none of the usual ones": lambda X, U, V: squares(X) + 1,
}


@pytest.mark.parametrize("message", AUTOENCODER)
@pytest.mark.filterwarnings("ignore")
def test_wrong_autoencoder_losses(message):
    found = check_autoencoder_loss(AUTOENCODER[message])
    assert not found.ok and not found
    assert message in str(found), str(found)


def robust(
    sign=1,
    weights=lambda U, V, mu: mu / 2 * (squares(U) + squares(V)),
    sparse=lambda N, lam: lam * abs(N).sum(),
):
    """A robust loss with some of its parts replaced."""
    return lambda X, U, V, N, mu, lam: (
        squares(X - f(X @ U) @ V - sign * N) + weights(U, V, mu) + sparse(N, lam)
    )


ROBUST = {
    "sign of N is the one printed on the slides": robust(sign=-1),
    "N is missing in the squared error": robust(sign=0),
    "half is forgotten": robust(weights=lambda U, V, mu: mu * (squares(U) + squares(V))),
    "Only U is regularised": robust(weights=lambda U, V, mu: mu / 2 * squares(U)),
    "Only V is regularised": robust(weights=lambda U, V, mu: mu / 2 * squares(V)),
    "norms of U and V are not squared": robust(
        weights=lambda U, V, mu: mu / 2 * (np.linalg.norm(U) + np.linalg.norm(V))
    ),
    "mu term is missing": robust(weights=lambda U, V, mu: 0),
    "Brackets are missing in the mu term": robust(weights=lambda U, V, mu: mu / 2 * squares(U) + squares(V)),
    "absolute value is missing in ||N||_1": robust(sparse=lambda N, lam: lam * N.sum()),
    "N's norm is squared": robust(sparse=lambda N, lam: lam * squares(N)),
    "this is the Frobenius norm": robust(sparse=lambda N, lam: lam * np.linalg.norm(N)),
    "largest column sum": robust(sparse=lambda N, lam: lam * np.linalg.norm(N, 1)),
    "mean of abs(N)": robust(sparse=lambda N, lam: lam * abs(N).mean()),
    "lambda/2 comes only in (6)": robust(sparse=lambda N, lam: lam / 2 * abs(N).sum()),
    "lambda is missing before": robust(sparse=lambda N, lam: abs(N).sum()),
    "lambda term is missing": robust(sparse=lambda N, lam: 0),
    "divided by the number of rows": lambda X, *rest: robust_autoencoder_loss(X, *rest) / len(X),
    "Look at the mu term first": robust(weights=lambda U, V, mu: mu**3 * squares(U)),
    "Look at the squared error first": robust(sign=0.3),
    "Look at the lambda term first": robust(sparse=lambda N, lam: lam**2 * abs(N).sum()),
    "sparse": None,
    "gradient by N is not": lambda X, U, V, N, mu, lam: (
        ((X - torch.sigmoid(X @ U) @ V - N.detach()) ** 2).sum()
        + mu / 2 * ((U**2).sum() + (V**2).sum())
        + lam * N.abs().sum()
    ),
}
del ROBUST["sparse"]


@pytest.mark.parametrize("message", ROBUST)
def test_wrong_robust_losses(message):
    found = check_robust_autoencoder_loss(ROBUST[message])
    assert not found.ok
    assert message in str(found), str(found)


def test_several_mistakes_are_all_told():
    def wrong(X, U, V, N, mu, lam):
        return np.mean((X - X @ U @ V + N) ** 2) + mu * squares(U) + lam * N.sum()

    message = str(check_robust_autoencoder_loss(wrong))
    for each in (
        "mean",
        "sigmoid is forgotten",
        "sign of N",
        "half is forgotten",
        "Only U",
        "absolute value",
    ):
        assert each in message


def in_place_threshold(r, lam):
    r[np.abs(r) < lam / 2] = 0
    return np.where(r > 0, r - lam / 2, np.where(r < 0, r + lam / 2, 0))


def for_one_number(r, lam):
    if abs(r) <= lam / 2:
        return 0.0
    return r - lam / 2 if r > 0 else r + lam / 2


THRESHOLD = {
    "threshold is lambda/2, not lambda:": lambda r, lam: np.sign(r) * np.maximum(np.abs(r) - lam, 0),
    "come out as 0": lambda r, lam: np.maximum(r - lam / 2, 0),
    "needs abs(r), not r": lambda r, lam: np.sign(r) * (r - lam / 2),
    "negative residuals must move up": lambda r, lam: np.where(np.abs(r) > lam / 2, r - lam / 2, 0),
    "hard thresholding": lambda r, lam: np.where(np.abs(r) > lam / 2, r, 0),
    "sign is lost": lambda r, lam: torch.relu(r.abs() - lam / 2),
    "dead zone is missing": lambda r, lam: np.sign(r) * (np.abs(r) - lam / 2),
    "second condition": lambda r, lam: np.where(
        r > lam / 2, r - lam / 2, np.where(r < lam / 2, r + lam / 2, 0)
    ),
    "move away from 0": lambda r, lam: np.where(np.abs(r) > lam / 2, r + np.sign(r) * lam / 2, 0),
    "the part of r that stays": lambda r, lam: np.clip(r, -lam / 2, lam / 2),
    "opposite sign": lambda r, lam: -soft_threshold(r, lam),
    "squared penalty on N": lambda r, lam: r / (1 + lam),
    "Nothing is changed": lambda r, lam: r.copy(),
    "broadcast by accident": lambda r, lam: soft_threshold(r, lam)[:, None] + 0 * r,
    "the answer 10 x 1": lambda r, lam: soft_threshold(r.reshape(-1, 1), lam),
    "N has an entry for each entry": lambda r, lam: soft_threshold(r, lam).sum(),
    "changes its input r in place": in_place_threshold,
    "right for one number": for_one_number,
    "It gives nan": lambda r, lam: np.maximum(abs(r) - lam / 2, 0) * r / abs(r),
    "For instance, with lam": lambda r, lam: np.sign(r) * np.sqrt(abs(r)),
}


@pytest.mark.parametrize("message", THRESHOLD)
@pytest.mark.filterwarnings("ignore")
def test_wrong_thresholds(message):
    found = check_soft_threshold(THRESHOLD[message])
    assert not found.ok
    assert message in str(found), str(found)


def test_every_mistake_has_a_sentence_of_its_own():
    told = [check_autoencoder_loss(AUTOENCODER[name]).messages for name in list(AUTOENCODER)[:16]]
    assert len(set(told)) == len(told)


# Blanks -------------------------------------------------------------------------------------------


def not_implemented(*arguments):
    raise NotImplementedError


def dots(X, U, V):
    """What is to be done."""
    ...


def half_done(X, U, V):
    Xhat = ...
    return squares(X - Xhat)


@pytest.mark.parametrize("fn", [not_implemented, dots, half_done, None, ..., lambda *arguments: ...])
def test_blanks_are_answered_politely(fn):
    found = check_autoencoder_loss(fn)
    assert found.verdict == "still blank" and not found.ok
    assert "Write your answer" in str(found) and "wrong" not in str(found)


def test_what_is_no_function_is_said():
    assert "without brackets behind it" in str(check_soft_threshold(3.0))


# What comes back -------------------------------------------------------------------------------------


def test_feedback_displays_itself_with_html_escaped():
    found = check_soft_threshold(AUTOENCODER["NameError"])
    found = check_autoencoder_loss(lambda X, U, V: "<b>")
    assert "not yet" in found._repr_html_() and "not yet" in found._repr_markdown_()
    found = check_soft_threshold(THRESHOLD["second condition"])
    assert "r &lt; -lambda/2" in found._repr_html_() and "r < -lambda/2" in str(found)


def test_function_to_go_on_with():
    def trainable(X, U, V):
        return ((X - torch.sigmoid(X @ U) @ V) ** 2).sum()

    assert check_autoencoder_loss(trainable).function is trainable
    for other in (AUTOENCODER["tanh"], lambda X, U, V: squares(X - f(X @ U) @ V), None):
        assert check_autoencoder_loss(other).function is autoencoder_loss


def test_learners_state_is_left_alone():
    state = np.random.get_state()[1].copy()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_robust_autoencoder_loss(robust_autoencoder_loss)
    assert np.array_equal(np.random.get_state()[1], state) and torch.equal(torch.get_rng_state(), before)


def test_numpy_answers_never_import_torch():
    code = """if True:
        import sys
        import numpy as np
        from robustae.tutorial import check_autoencoder_loss, check_soft_threshold
        assert check_autoencoder_loss(lambda X, U, V: ((X - 1 / (1 + np.exp(-X @ U)) @ V) ** 2).sum()).ok
        assert not check_soft_threshold(lambda r, lam: np.maximum(abs(r) - lam / 2, 0)).ok
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
