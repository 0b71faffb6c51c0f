"""Rows to measure cost with: as many as wanted, 20 columns, a binary target, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

N_NUMBERS = 15
# Levels of the categories, one column each.
LEVELS = [3, 5, 8, 12, 20]
TARGET = "y"
# Rows made and written at once: what the largest file costs in memory.
PART = 250_000


def parts(n_rows: int, seed: int) -> Iterator[pd.DataFrame]:
    """The rows, in parts: numbers `n0` to `n14`, a third of them skewed, categories `c0` to `c4`, and `y`, 0 or 1."""
    for index, start in enumerate(range(0, n_rows, PART)):
        rng = np.random.default_rng([seed, index])
        rows = min(PART, n_rows - start)
        numbers = rng.standard_normal((rows, N_NUMBERS))
        codes = np.column_stack([rng.integers(0, levels, rows) for levels in LEVELS])
        logit = 1.5 * np.sin(numbers[:, 0]) + numbers[:, 1] * numbers[:, 2] + 0.8 * (numbers[:, 3] > 0.5) - 1.0
        logit += (codes[:, 3] % 3 - 1) * 0.7 + (codes[:, 4] == 7) * 2.0
        numbers[:, ::3] = np.exp(numbers[:, ::3])
        columns: dict[str, object] = {f"n{column}": numbers[:, column].round(4) for column in range(N_NUMBERS)}
        for column in range(len(LEVELS)):
            levels = np.array([f"level_{level}" for level in range(LEVELS[column])])
            columns[f"c{column}"] = pd.Categorical.from_codes(codes[:, column], levels)
        columns[TARGET] = (rng.random(rows) < 1.0 / (1.0 + np.exp(-logit))).astype(np.int8)
        yield pd.DataFrame(columns)


def write(path: Path, n_rows: int, seed: int) -> None:
    """Writes the rows as CSV, or as Parquet where the name ends so."""
    partial = path.with_name(path.name + ".partial")
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        writer = None
        for part in parts(n_rows, seed):
            table = pyarrow.Table.from_pandas(part, preserve_index=False)
            writer = writer or pyarrow.parquet.ParquetWriter(partial, table.schema)
            writer.write_table(table)
        if writer:
            writer.close()
    else:
        for index, part in enumerate(parts(n_rows, seed)):
            part.to_csv(partial, mode="a" if index else "w", header=index == 0, index=False)
    partial.rename(path)


def write_folds(path: Path, n_rows: int, n_folds: int) -> None:
    """Writes a fold file: the rows dealt to folds in turn."""
    rows = np.arange(n_rows)
    pd.DataFrame({"row": rows, "fold": rows % n_folds}).to_csv(path, index=False)


def write_split(path: Path, n_rows: int, every: int) -> None:
    """Writes a fold file of two folds: every so many-th row, and the others."""
    rows = np.arange(n_rows)
    pd.DataFrame({"row": rows, "fold": (rows % every == 0).astype(int)}).to_csv(path, index=False)
