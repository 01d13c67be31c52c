"""The paper's experiments: jobs, the methods compared, summaries and pictures.

Each experiment is a module with NAME, KEY, `jobs`, `summary` and `pictures` (see `jobs.Experiment`).
"""

from importlib import import_module

from robustae.lab.jobs import Cannot, Experiment, Job, Plan

__all__ = ["EXPERIMENTS", "Cannot", "Experiment", "Job", "Plan", "experiment"]

# Name on the command line: module, imported when it is run.
EXPERIMENTS = {
    "detection": "detection",
    "inductive": "inductive",
    "denoising": "denoising",
    "subtle": "subtle",
    "lambda": "lambdas",
    "video": "video",
    "video-kinds": "video_kinds",
    "tables": "table_detection",
    "contamination": "contamination",
    "thresholds": "thresholds",
    "cells": "cells",
    "named-cells": "named_cells",
}


def experiment(name: str) -> Experiment:
    """Return the module of an experiment."""
    return import_module(f"robustae.lab.{EXPERIMENTS[name]}")  # type: ignore[return-value]
