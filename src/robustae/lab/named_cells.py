"""Are the cells that the literature on cellwise outliers names among those flagged?

TopGear, French mortality, volatile compounds (VOC), glass spectra and plate-survey stars (DPOSS), of the R
packages robustHD and cellWise, under ROBUSTAE_DATA/cellwise. What is named, and by whom, stands beside each
set below; DPOSS has nothing named that we are sure of, and only its share of flagged cells is reported.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from robustae.datasets import load_breast_cancer_cells
from robustae.datasets.places import find, where
from robustae.lab.cell_methods import OURS, cell_methods
from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.summaries import summarised
from robustae.utils.checks import NotFound

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "Named", "jobs", "pictures", "summary"]

NAME = "named-cells"
KEY = ("set", "draw", "method")
REFERENCE = OURS
MEASURES = ("found", "elsewhere")
NOTE = (
    "found: share flagged of the cells that are named (single ones in TopGear, else blocks, of which not "
    "every cell need be wrong); elsewhere: share flagged of the others."
)
MOST_MISSED = 12  # named cells that a row lists


@dataclass(frozen=True)
class Named:
    """A table and what is named in it.

    Attributes
    ----------
    X : array, shape (n, d)
        NaN for missing cells.
    named : array of bool, shape (n, d)
    rows, columns : list of str
    """

    X: np.ndarray
    named: np.ndarray
    rows: list[str]
    columns: list[str]


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set and method."""
    for name, load in (_QUICK if plan.quick else _SETS).items():
        for method in cell_methods(plan.quick):
            key = {"set": name, "draw": 0, "method": method}
            yield Job(key, partial(_measured, load, method, plan))


def _measured(load: Callable[[], Named], method: str, plan: Plan) -> Row:
    table = _kept(load)
    flags = cell_methods(plan.quick)[method](table.X.copy(), plan.seed).flags
    observed = ~np.isnan(table.X)
    named, others = table.named & observed, ~table.named & observed
    missed = np.argwhere(named & ~flags)
    titles = [f"{table.rows[row]}: {table.columns[column]}" for row, column in missed[:MOST_MISSED]]
    return {
        "cells": int(named.sum()),
        "found": float(flags[named].mean()) if named.any() else None,
        "elsewhere": float(flags[others].mean()),
        "missed": "; ".join(titles) if named.sum() <= MOST_MISSED else None,
    }


@lru_cache(maxsize=1)
def _kept(load: Callable[[], Named]) -> Named:
    return load()


def summary(rows: list[Row]) -> list[Row]:
    """Shares flagged, by set and method."""
    return summarised(rows, ("set",), MEASURES, reference=OURS)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """None: the table shows it."""
    return []


# The sets -------------------------------------------------------------------------------------------

LOGARITHMS = ("Price", "Displacement", "BHP", "Torque", "TopSpeed")  # as in those papers
CARS = (*LOGARITHMS, "Acceleration", "MPG", "Weight", "Length", "Width", "Height")
# Raymaekers and Rousseeuw (2023), The cellwise minimum covariance determinant estimator, figures 2 to 4:
# hybrids' miles per gallon, accelerations of 0 seconds, a weight of 210 kg, weak engines.
WRONG_CARS = {
    "BMW i3": ("MPG",),
    "Chevrolet Volt": ("MPG", "BHP"),
    "Vauxhall Ampera": ("MPG",),
    "Lotus Elise": ("Acceleration",),
    "Renault Twizy": ("Acceleration", "BHP"),
    "Ssangyong Rodius": ("Acceleration",),
    "Peugeot 107": ("Weight",),
}
# Rousseeuw and Van den Bossche (2018), section 5: men of fighting age in the world wars.
WARS = (*range(1914, 1919), *range(1940, 1946))
FIGHTING = range(20, 40)
# Raymaekers and Rousseeuw (2021), Handling cellwise outliers by sparse regression and robust covariance:
# a marker of tobacco smoke, in children of smokers.
SMOKE, SMOKERS_AT_HOME, COMPOUNDS = "URXCYM", "SMD470", 16
# Hubert, Rousseeuw and Vanden Branden (2005), ROBPCA: the detector's window was cleaned before these.
AFTER_CLEANING = 38  # last spectra


def _top_gear() -> Named:
    lines = _lines("TopGear")
    X = _numbers(lines, CARS)
    X[:, : len(LOGARITHMS)] = np.log(X[:, : len(LOGARITHMS)])
    rows = [f"{line['Maker']} {line['Model']}" for line in lines]
    named = np.array([[column in WRONG_CARS.get(row, ()) for column in CARS] for row in rows])
    return Named(X, named, rows, list(CARS))


def _mortality() -> Named:
    table = _whole("data_mortality")
    years, ages = (np.array(titles, dtype=int) for titles in (table.rows, table.columns))
    return _with(table, np.outer(np.isin(years, WARS), np.isin(ages, FIGHTING)))


def _compounds() -> Named:
    table = _whole("data_VOC")
    smokers = table.X[:, table.columns.index(SMOKERS_AT_HOME)] >= 1
    columns = table.columns[:COMPOUNDS]
    named = np.outer(smokers, [column == SMOKE for column in columns])
    return Named(table.X[:, :COMPOUNDS], named, table.rows, columns)


def _glass() -> Named:
    table = _whole("data_glass")
    named = np.zeros(table.X.shape, dtype=bool)
    named[-AFTER_CLEANING:] = True
    return _with(table, named)


def _stars() -> Named:
    return _whole("data_dposs")


def _planted() -> Named:
    data = load_breast_cancer_cells()
    assert data.cells is not None and data.columns is not None
    return Named(data.X, data.cells, [str(row) for row in range(len(data.X))], data.columns)


_SETS = {
    "TopGear": _top_gear,
    "mortality: world wars": _mortality,
    "VOC: smokers' children": _compounds,
    "glass: last 38 spectra": _glass,
    "DPOSS": _stars,
}
_QUICK = {"breast cancer, planted": _planted}


def _with(table: Named, named: np.ndarray) -> Named:
    return Named(table.X, named, table.rows, table.columns)


def _whole(name: str) -> Named:
    """All columns but the first, which names the rows."""
    lines = _lines(name)
    title, *columns = lines[0]
    X = _numbers(lines, columns)
    return Named(X, np.zeros(X.shape, dtype=bool), [line[title] for line in lines], columns)


def _lines(name: str) -> list[dict[str, str]]:
    place = f"cellwise/{name}.csv"
    path = find(place, None)
    if path is None:
        raise NotFound(f"the table {name!r} is not under {where(None)}: put it at {place} there.")
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _numbers(lines: list[dict[str, str]], columns: tuple[str, ...] | list[str]) -> np.ndarray:
    return np.array([[float(line[column] or "nan") for column in columns] for line in lines])
