"""The data sets that contenders are compared on, read as Ebb reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

N_FOLDS = 5
HIGHER_IS_BETTER = frozenset({"auc", "pr_auc", "macro_f1", "r2"})
# The first two decide; the others are reported.
METRICS = {
    "binary": ["log_loss", "auc", "pr_auc", "ece"],
    "multiclass": ["log_loss", "macro_f1", "ece"],
    "regression": ["rmse", "mae", "r2"],
}


@dataclass(frozen=True)
class DataSet:
    """A file, what is predicted of it, and what a good model reaches."""

    name: str
    target: str
    task: str
    good: dict[str, float]

    def file(self, data: Path) -> Path:
        return data / f"{self.name}.csv"

    def folds_file(self, data: Path) -> Path:
        return data / "folds" / f"{self.name}_folds.csv"


SETS = {
    data_set.name: data_set
    for data_set in [
        DataSet("bankchurn", "Exited", "binary", {"log_loss": 0.331, "auc": 0.869, "ece": 0.02}),
        DataSet("users_behavior", "is_ultra", "binary", {"log_loss": 0.441, "auc": 0.827}),
        DataSet("mlc_churn", "churn", "binary", {"log_loss": 0.145, "auc": 0.926, "pr_auc": 0.880}),
        DataSet("hpc", "class", "multiclass", {"log_loss": 0.41, "macro_f1": 0.812}),
        DataSet("ames", "Sale_Price", "regression", {"rmse": 21_800, "mae": 13_300}),
        DataSet("mercedes", "price_USD", "regression", {"rmse": 7_700, "mae": 3_800}),
    ]
}


@dataclass(frozen=True)
class Rows:
    """A data set in memory. Categories are text, with NaN where a cell is empty."""

    inputs: pd.DataFrame
    categories: list[str]
    # Numbers for regression, else the positions of `classes`.
    target: np.ndarray
    classes: list[str]
    folds: np.ndarray


def names_in(spec: str, section: str) -> list[str]:
    """The columns of a section of a spec that `ebb new` wrote: `columns` or `drop`."""
    names, inside = [], False
    for line in spec.splitlines():
        if line and not line[0].isspace():
            inside = line.split("#")[0].strip() == f"{section}:"
        elif inside and (entry := re.match(r"""  (?:"([^"]+)"|'([^']+)'|([^\s#:'"][^:]*)):(?:\s|$)""", line)):
            names.append(next(name for name in entry.groups() if name is not None))
    return names


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file by Ebb's rule: an empty cell is missing, and any other text, `NA` too, is a value."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read(data_set: DataSet, data: Path, columns: list[str]) -> Rows:
    """The rows, with these columns as inputs, and each row's fold."""
    frame = read_csv(data_set.file(data))
    folds = pd.read_csv(data_set.folds_file(data)).sort_values("row")
    if list(folds["row"]) != list(range(len(frame))) or set(folds["fold"]) != set(range(N_FOLDS)):
        raise ValueError(f"{data_set.folds_file(data)} does not give each row one of {N_FOLDS} folds")
    inputs = frame[columns].copy()
    categories = [column for column in inputs if not pd.api.types.is_numeric_dtype(inputs[column])]
    target, classes = frame[data_set.target], []
    if data_set.task == "regression":
        target = target.to_numpy(dtype=float)
    else:
        classes = sorted(target.astype(str).unique())
        target = target.astype(str).map({level: code for code, level in enumerate(classes)}).to_numpy()
    return Rows(inputs, categories, target, classes, folds["fold"].to_numpy())
