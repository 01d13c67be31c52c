"""A fitted model and its results, shown: in a notebook, as a page, and by matplotlib."""

import os
from html import escape
from typing import Any

import numpy as np

from robustae.estimators.conventions import Conventions
from robustae.utils.checks import need

__all__ = ["Page", "Pictures"]

SHOWN_ROWS, SHOWN_COLUMNS = 40, 40  # of a picture of cells


class Page:
    """An HTML page: shown in a notebook, or saved.

    Parameters
    ----------
    html : str
    """

    def __init__(self, html: str):
        self.html = html

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, whole or not at all."""
        from robustae.utils.files import write_text

        write_text(path, self.html)

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:48em;border:0"></iframe>'


class Pictures(Conventions):
    """Methods that show a fitted model."""

    lam_path: Any

    @property
    def _repr_html_(self):
        """The parameters, and once fitted what the fit found, for notebooks."""
        return self._as_html

    def _as_html(self) -> str:
        diagram = super()._repr_html_()
        if not hasattr(self, "models_"):
            return diagram
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in _facts(self)
        )
        return f'{diagram}<table style="text-align:left"><tbody>{rows}</tbody></table>'

    def report(self, X, title="", worst=20):
        """Return a page on X: the most anomalous rows, what is wrong in each, and all scores.

        Parameters
        ----------
        X : array or DataFrame
        title : str
        worst : int
            Rows shown in detail.

        Returns
        -------
        Page
            Shown by notebooks; ``save(path)`` writes it.
        """
        from robustae.estimators.facts import facts_of
        from robustae.report.page import html_of

        facts = facts_of(self, X, title=title, worst=worst)
        return Page(html_of([facts], title or "Robust autoencoder"))

    def plot_scores(self, X=None, ax=None):
        """Draw a histogram of scores with the threshold.

        Parameters
        ----------
        X : array or DataFrame, optional
            The rows of the fit by default.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        ax = _axes(ax)
        scores = -self.decision_scores_ if X is None else self.score_samples(X)
        ax.hist(scores, bins=min(60, max(10, int(np.sqrt(len(scores))))), color="0.6")
        ax.axvline(self.offset_, color="C3", label="threshold")
        ax.set(xlabel="score (higher is more normal)", ylabel="rows")
        ax.legend()
        return ax

    def plot_cells(self, X, ax=None):
        """Draw the most anomalous rows of X cell by cell, coloured by their deviations.

        Parameters
        ----------
        X : array or DataFrame
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
            Rows from the most anomalous down, at most 40 of them, and the 40 columns that deviate most.
        """
        ax = _axes(ax)
        deviations = np.asarray(self.cell_scores(X), dtype=float)
        deviations = deviations.reshape(len(deviations), -1)
        rows = np.argsort(self.score_samples(X), kind="stable")[:SHOWN_ROWS]
        columns = np.sort(np.argsort(-np.abs(deviations[rows]).max(axis=0), kind="stable")[:SHOWN_COLUMNS])
        image = ax.imshow(deviations[np.ix_(rows, columns)], cmap="RdBu_r", vmin=-6, vmax=6, aspect="auto")
        names = [column.name for column in self.columns_]
        ax.set_xticks(range(len(columns)), [names[j] for j in columns], rotation=90)
        ax.set_yticks(range(len(rows)), list(map(str, _labels(X, rows))))
        ax.set(xlabel="column", ylabel="row")
        ax.figure.colorbar(image, ax=ax, label="deviation (noise deviations)")
        return ax

    def plot_path(self, X, ax=None, **path):
        """Draw the share of cells with N != 0 along lam: see `lam_path`, whose parameters may follow.

        Parameters
        ----------
        X : array or DataFrame
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        ax = _axes(ax)
        found = self.lam_path(X, **path)
        finite = np.isfinite(found["lam"])
        ax.semilogx(found["lam"][finite], found["share_nonzero"][finite], marker="o")
        ax.axvline(self.lam_, color="C3", label="lam of the fit")
        ax.set(xlabel="lam", ylabel="share of cells with N not 0")
        ax.legend()
        return ax


def _axes(ax: Any) -> Any:
    pyplot = need("plot", "matplotlib.pyplot", "drawing")
    return pyplot.subplots()[1] if ax is None else ax


def _labels(X: Any, rows: np.ndarray) -> list[Any]:
    """What rows are called: by the index of a pandas frame, else their numbers."""
    index = getattr(X, "index", None)
    return rows.tolist() if index is None or callable(index) else [index[i] for i in rows]


def _facts(model: Conventions) -> list[tuple[str, str]]:
    """The fit at a glance."""
    columns = model.columns_
    unused = [f"{column.name} ({column.why})" for column in columns if column.why]
    kinds = [column.taken_for for column in columns if not column.why]
    by_kind = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    energies = model.decision_scores_
    return [
        ("columns", by_kind),
        *([("left out", ", ".join(unused[:8]) + (" ..." if len(unused) > 8 else ""))] if unused else []),
        ("predictor", str(model.predictor_name_ or type(model.predictor_).__name__)),
        ("rows of the fit", f"{len(energies)}, {int(model.labels_.sum())} of them anomalies"),
        ("threshold", f"score below {model.offset_:.5g}"),
        ("status", str(model.status_)),
    ]
