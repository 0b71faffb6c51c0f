"""Ebb beside shap's ExactExplainer, PermutationExplainer and KernelExplainer: one network, one background, one run.

The bench `explain` exports its network, its encoded rows and the values that it computes. The explainers get the same
function in numpy, with 64-bit sums. Each one explains the first rows; the time is that of a row after a first one that
is not counted. Errors are against the exact values of shap. The exit code is 1 when Ebb is not as much faster than
ExactExplainer as the goal says, or any of its values is further from it than 1e-6.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shap

# How much faster than ExactExplainer a row has to be.
GOAL = 12.0
# How far a value may be from ExactExplainer's.
TOLERANCE = 1e-6


class Network:
    """The exported network as a function of cells, each told by the number of a row that has it."""

    def __init__(self, export: dict) -> None:
        tensors = {name: np.array(tensor["values"], np.float64).reshape(tensor["shape"])
                   for name, tensor in export["tensors"].items()}
        dense, codes = np.array(export["dense"], np.float64), np.array(export["codes"])
        # What each column's cell adds to the first layer.
        self.addends = []
        for slot in export["slots"]:
            if "dense" in slot:
                start, end = slot["dense"]
                self.addends.append(dense[:, start:end] @ tensors["first.dense"][start:end])
            else:
                self.addends.append(tensors[f"first.table.{slot['code']}"][codes[:, slot["code"]]])
        self.tensors = tensors

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        cells = np.asarray(cells).astype(int)
        sums = np.tile(self.tensors["first.bias"], (len(cells), 1))
        for column, addends in enumerate(self.addends):
            sums += addends[cells[:, column]]
        hidden = silu(silu(sums) @ self.tensors["layer.1.weight"] + self.tensors["layer.1.bias"])
        logits = (hidden @ self.tensors["head.weight"] + self.tensors["head.bias"])[:, 0]
        return 1.0 / (1.0 + np.exp(-logits))


def silu(sums: np.ndarray) -> np.ndarray:
    return sums / (1.0 + np.exp(-sums))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, help="the command that runs the bench `explain`, such as "
                        "'cargo bench -p benches --bench explain --'")
    parser.add_argument("--rows", type=int, default=20, help="rows that each explainer explains (default %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.json"
        subprocess.run([*arguments.bench.split(), "--export", str(path)], check=True)
        export = json.loads(path.read_text())
    network = Network(export)
    cells, n_explained = np.array(export["cells"]), export["explained"]
    explained, background = cells[:n_explained], cells[n_explained:]
    rows = explained[: arguments.rows]
    ours = np.array(export["values"])
    own = export["seconds"] / n_explained

    def exact(rows: np.ndarray) -> np.ndarray:
        masker = shap.maskers.Independent(background, max_samples=len(background))
        return shap.ExactExplainer(network, masker)(rows, silent=True).values

    def permutation(rows: np.ndarray) -> np.ndarray:
        masker = shap.maskers.Independent(background, max_samples=len(background))
        return shap.PermutationExplainer(network, masker, seed=0)(rows, silent=True).values

    def kernel(rows: np.ndarray) -> np.ndarray:
        return shap.KernelExplainer(network, background).shap_values(rows, silent=True)

    print(f"shap {version('shap')}, numpy {version('numpy')}; {len(rows)} rows, {len(background)} background rows")
    print(f"{'explainer':<22}{'ms a row':>10}{'Ebb is faster by':>18}{'largest error':>16}")
    reference = None
    slowest = None
    for name, explainer in [("ExactExplainer", exact), ("PermutationExplainer", permutation), ("KernelExplainer", kernel)]:
        explainer(rows[:1])
        began = time.perf_counter()
        values = np.asarray(explainer(rows)).reshape(len(rows), -1)
        seconds = (time.perf_counter() - began) / len(rows)
        if reference is None:
            reference, slowest = values, seconds
        error = np.abs(values - reference).max()
        print(f"{name:<22}{1e3 * seconds:>10.1f}{seconds / own:>18.1f}{error:>16.1e}")
    error = np.abs(ours[: len(rows)] - reference).max()
    print(f"{'Ebb, exact':<22}{1e3 * own:>10.2f}{'':>18}{error:>16.1e}")
    reached = slowest / own >= GOAL and error <= TOLERANCE
    print("reached" if reached else f"not reached: {GOAL:g} times faster than ExactExplainer, within {TOLERANCE:g}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
