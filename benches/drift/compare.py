"""Ebb's comparison of a batch beside scipy and Evidently's DataDriftPreset: the same columns, one run.

The tables have 20 columns: 15 of numbers, five of them moved by 0.2 standard deviations, and 5 of categories with 2, 3, 5, 10
and 50 values, one of them turned round. They are in memory on every side when the clock starts. Ebb runs through the example
`compare_columns` of shared/drift:
- `Ebb` compares the rows with the profile that a version stores, as a check does: every statistic and the decisions;
- `Ebb, exact` makes a profile of every reference value first, so that all figures are those of the raw samples.
scipy computes KS (asymptotic) and chi-square homogeneity, or these, Wasserstein-1, PSI and Jensen-Shannon distance. Ebb's time
is wall time on all cores; scipy's and Evidently's is processor time, which is wall time on the one core that they use, without
what else the machine does. All are the least of the repetitions; Evidently runs once.

The exit code is 1 when Ebb is not as much faster at a million rows as the goals say, or when a figure of the exact comparison
is further than 1e-9 of itself from scipy's.

Usage: compare.py --ebb 'cargo run --release -p drift --example compare_columns --'
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ |= {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
from scipy import stats

# How much faster Ebb is to be at a million rows than scipy's two tests, and than Evidently.
GOALS = {"scipy, two tests": 12.0, "Evidently": 300.0}
GOAL_ROWS = 1_000_000
# How far a figure may be from scipy's, as a share of it.
TOLERANCE = 1e-9
NUMBERS = [f"x{i}" for i in range(15)]
CATEGORIES = {f"c{n}": [f"level {i}" for i in range(n)] for n in (2, 3, 5, 10, 50)}


def side(rows: int, is_current: bool) -> dict[str, np.ndarray]:
    """Numbers, and codes of categories."""
    g = np.random.default_rng([rows, is_current])
    columns = {name: g.standard_normal(rows) + 0.2 * (is_current and i < 5) for i, name in enumerate(NUMBERS)}
    for name, levels in CATEGORIES.items():
        # Squared, so that low codes are frequent and high codes rare.
        codes = (g.random(rows) ** 2 * len(levels)).astype(np.uint32)
        columns[name] = len(levels) - 1 - codes if is_current and len(levels) == 10 else codes
    return columns


def of_ebb(command: list[str], sides: dict[str, dict], repetitions: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        columns = [{"column": name} for name in NUMBERS]
        columns += [{"column": name, "levels": levels} for name, levels in CATEGORIES.items()]
        (Path(folder) / "columns.json").write_text(json.dumps(columns))
        for name, values in sides.items():
            for column in values:
                kind = "<u4" if column in CATEGORIES else "<f8"
                values[column].astype(kind).tofile(Path(folder) / f"{name}.{column}")
        answer = subprocess.run([*command, folder, str(repetitions)], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def counts(before: np.ndarray, now: np.ndarray, n_levels: int) -> np.ndarray:
    table = np.array([np.bincount(codes, minlength=n_levels) for codes in (before, now)])
    return table[:, table.sum(0) > 0]


def two_tests(before: dict, now: dict) -> dict[str, dict]:
    found = {name: {"ks": stats.ks_2samp(before[name], now[name], method="asymp").statistic} for name in NUMBERS}
    for name, levels in CATEGORIES.items():
        table = counts(before[name], now[name], len(levels))
        found[name] = {"chi_square": stats.chi2_contingency(table, correction=False).statistic}
    return found


def psi(shares: np.ndarray) -> float:
    before, now = np.maximum(shares, 1e-4)
    return float(((now - before) * np.log(now / before)).sum())


def distances(before: np.ndarray, now: np.ndarray, table: np.ndarray | None) -> dict[str, float]:
    """PSI over the reference's quantile bins and Jensen-Shannon over equal ones, or both over the categories."""
    if table is not None:
        shares = table / table.sum(1, keepdims=True)
        return {"psi": psi(shares), "jensen_shannon": jensen_shannon(shares)}
    found = {"wasserstein": float(stats.wasserstein_distance(before, now))}
    quantiles = np.unique(np.quantile(before, np.linspace(0, 1, 11)))[1:-1]
    share = lambda values, edges: np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1) / len(values)
    found["psi"] = psi(np.array([share(before, quantiles), share(now, quantiles)]))
    edges = np.histogram_bin_edges(np.concatenate([before, now]), "sturges")
    found["jensen_shannon"] = jensen_shannon(np.array([np.histogram(values, edges)[0] / len(values) for values in (before, now)]))
    return found


def jensen_shannon(shares: np.ndarray) -> float:
    middle = shares.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log2(shares / middle), 0.0)
    return float(np.sqrt(max(terms.sum() / 2, 0.0)))


def everything(before: dict, now: dict) -> dict[str, dict]:
    found = two_tests(before, now)
    for name in found:
        table = counts(before[name], now[name], len(CATEGORIES[name])) if name in CATEGORIES else None
        found[name] |= distances(before[name], now[name], table)
    return found


def of_evidently(before: dict, now: dict) -> float:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    def frame(columns: dict) -> pd.DataFrame:
        named = {name: np.array(levels, object)[columns[name]] for name, levels in CATEGORIES.items()}
        return pd.DataFrame({name: columns[name] for name in NUMBERS} | named)

    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=list(CATEGORIES))
    sides = [Dataset.from_pandas(frame(columns), data_definition=definition) for columns in (now, before)]
    began = time.process_time()
    Report([DataDriftPreset()]).run(*sides).dict()
    return time.process_time() - began


def least(repetitions: int, work) -> tuple[float, object]:
    seconds, answer = float("inf"), None
    for _ in range(repetitions):
        began = time.process_time()
        answer = work()
        seconds = min(seconds, time.process_time() - began)
    return seconds, answer


def furthest(reports: list[dict], expected: dict[str, dict]) -> float:
    """The largest difference, as a share of the figure."""
    worst = 0.0
    for report in reports:
        for name, figure in expected[report["column"]].items():
            ours = report["statistics"][name]
            ours = ours["statistic"] if isinstance(ours, dict) else ours
            worst = max(worst, abs(ours - figure) / abs(figure))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebb", required=True, help="the command that runs the example `compare_columns`")
    parser.add_argument("--rows", default="10000,100000,1000000,10000000", help="sizes (default %(default)s)")
    parser.add_argument("--evidently-rows", type=int, default=1_000_000, help="largest size for Evidently (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.evidently_rows:
        of_evidently(side(500, False), side(500, True))
    peers = ["scipy, two tests", "scipy, all", "Evidently"]
    print(f"scipy {version('scipy')}, numpy {version('numpy')}, Evidently {version('evidently')}; seconds, and times of Ebb's\n")
    print("| rows on each side | Ebb | Ebb, exact | " + " | ".join(peers) + " | furthest from scipy |")
    print("|---|" + "---|" * (len(peers) + 3))
    missed = []
    for rows in map(int, arguments.rows.split(",")):
        before, now = side(rows, False), side(rows, True)
        ebb = of_ebb(arguments.ebb.split(), {"reference": before, "current": now}, 5 if rows <= 1_000_000 else 2)
        repetitions = 3 if rows <= 100_000 else 1
        seconds = {"scipy, two tests": least(repetitions, lambda: two_tests(before, now))[0]}
        seconds["scipy, all"], expected = least(repetitions, lambda: everything(before, now))
        if rows <= arguments.evidently_rows:
            seconds["Evidently"] = of_evidently(before, now)
        difference = furthest(ebb["whole"], expected)
        own = ebb["seconds"]["compare"]
        cells = [f"{seconds[peer]:.3g} ({seconds[peer] / own:.0f} x)" if peer in seconds else "–" for peer in peers]
        cells = [f"{own:.3g}", f"{ebb['seconds']['whole']:.3g}", *cells, f"{difference:.0e}"]
        print(f"| {rows:,} | " + " | ".join(cells) + " |", flush=True)
        if difference > TOLERANCE:
            missed.append(f"{rows:,} rows: a figure is {difference:.1e} from scipy's, more than {TOLERANCE:.0e}")
        for peer, goal in GOALS.items():
            if rows == GOAL_ROWS and peer in seconds and seconds[peer] < goal * own:
                missed.append(f"{rows:,} rows: {seconds[peer] / own:.1f} times as fast as {peer}, where {goal:.0f} is the goal")
    print("\n" + ("; ".join(missed) if missed else "the goals are reached"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
