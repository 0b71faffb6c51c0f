"""How often Evidently's defaults alarm on batches of 20 columns, one JSON line for each size.

The columns are drawn as shared/drift/tests/common/mod.rs draws them: 14 of numbers (normal, lognormal, uniform, rounded with
ties, two values, cubed normal with missing values) and 6 of categories (2 to 200 levels). Every repetition draws a reference
and a batch of the same distributions and runs DataDriftPreset on the batch as it is, with the first column moved by 0.3 of
its standard deviations, and with it moved by 0.02.

Usage: evidently_rates.py ROWS:REPETITIONS ..
"""

import json
import os
import sys
import time
import warnings

os.environ["DO_NOT_TRACK"] = "1"
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

LEVELS = [2, 3, 5, 10, 50, 200]
NUMBERS = [f"x{i}" for i in range(14)]
CATEGORIES = [f"c{i}" for i in range(len(LEVELS))]
SHIFTS = {"found_shift_0.3": 0.3, "alarms_shift_0.02": 0.02}


def batch(g, n):
    columns = {}
    for i in range(14):
        normal = g.standard_normal(n)
        columns[f"x{i}"] = {
            0: lambda: normal,
            1: lambda: normal,
            2: lambda: np.exp(normal),
            3: lambda: g.random(n),
            4: lambda: np.round(normal * 2),
            5: lambda: (g.random(n) < 0.1) * 1.0,
            6: lambda: np.where(g.random(n) < 0.05, np.nan, normal**3),
        }[i % 7]()
    for i, levels in enumerate(LEVELS):
        # Squared, so that low codes are frequent and high codes rare.
        columns[f"c{i}"] = np.char.add("v", (g.random(n) ** 2 * levels).astype(int).astype(str)).astype(object)
    return pd.DataFrame(columns)


def drifted(reference, current):
    """The columns that drifted by the test and the threshold that Evidently chooses for each."""
    columns = set()
    for kind, names in ((ColumnType.Numerical, NUMBERS), (ColumnType.Categorical, CATEGORIES)):
        for name in names:
            before, now = reference[name].dropna(), current[name].dropna()
            test = get_stattest(before, now, kind, None)
            if test(before, now, kind, None).drifted:
                columns.add(name)
    return columns


def check(reference, current):
    """The functions called here are those of the report."""
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=CATEGORIES)
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (current, reference)]
    metrics = Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
    count = next(m["value"]["count"] for m in metrics if "drift_share" in m["config"])
    if count != len(drifted(reference, current)):
        sys.exit(f"the report finds {count} columns, the functions {drifted(reference, current)}")


def main():
    for task in sys.argv[1:]:
        rows, repetitions = map(int, task.split(":"))
        columns_in_all = len(NUMBERS) + len(CATEGORIES)
        began, counts = time.time(), dict.fromkeys(["alarms_without_drift", *SHIFTS, "data_set_at_0.3"], 0)
        for repetition in range(repetitions):
            g = np.random.default_rng([rows, repetition])
            reference, current = batch(g, rows), batch(g, rows)
            if repetition == 0:
                check(reference, current)
            counts["alarms_without_drift"] += bool(drifted(reference, current))
            for name, shift in SHIFTS.items():
                columns = drifted(reference, current.assign(x0=current["x0"] + shift))
                counts[name] += "x0" in columns if name == "found_shift_0.3" else bool(columns)
                counts["data_set_at_0.3"] += name == "found_shift_0.3" and len(columns) >= 0.5 * columns_in_all
        shares = {name: count / repetitions for name, count in counts.items()}
        line = {"tool": "evidently", "rows": rows, "repetitions": repetitions, **shares}
        print(json.dumps(line | {"seconds": time.time() - began}), flush=True)


if __name__ == "__main__":
    main()
