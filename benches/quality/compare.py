"""Ebb beside LightGBM and CatBoost: six data sets, the same five folds, default settings, one run.

For each set, `ebb new` writes a spec, `ebb evaluate` scores it by fold, and the peers are fitted on the columns that
this spec lists. What counts is the paired difference of a metric over the folds, Ebb minus the better peer (of the two
means), turned so that a negative one says that Ebb is better, in its own standard errors: std(ddof 1) / sqrt(5).

The exit code is 1 when a goal is missed: a first metric (log-loss, RMSE) or second metric (AUC, macro-F1, MAE) worse by
more than one standard error, or a value of the column "good" that is not reached. 2 when something could not be
measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import peers
from datasets import HIGHER_IS_BETTER, METRICS, N_FOLDS, SETS, DataSet, names_in, read
from peers import Result
from process import Failed, run


@dataclass(frozen=True)
class Gap:
    """Ebb's distance from the better peer in one metric."""

    peer: str
    mean: float
    standard_error: float

    @property
    def in_errors(self) -> float:
        """The gap in standard errors; above 1 is behind."""
        if self.standard_error == 0.0:
            return math.copysign(math.inf, self.mean) if self.mean else 0.0
        return self.mean / self.standard_error

    @property
    def verdict(self) -> str:
        if abs(self.in_errors) <= 1.0:
            return "within one standard error"
        return "ahead" if self.in_errors < 0.0 else "behind"


@dataclass(frozen=True)
class Comparison:
    """All contenders on a data set."""

    data_set: DataSet
    dropped: list[str]
    rows: int
    results: dict[str, Result]

    @property
    def decisive(self) -> list[str]:
        return METRICS[self.data_set.task][:2]

    def gap(self, metric: str) -> Gap | None:
        """None where a contender lacks the metric, or there is no peer."""
        ebb = self.results["ebb"].folds.get(metric)
        others = {
            name: result.folds[metric]
            for name, result in self.results.items()
            if name != "ebb" and metric in result.folds
        }
        if not ebb or not others:
            return None
        sign = -1.0 if metric in HIGHER_IS_BETTER else 1.0
        peer = min(others, key=lambda name: sign * statistics.fmean(others[name]))
        differences = [sign * (ours - theirs) for ours, theirs in zip(ebb, others[peer], strict=True)]
        return Gap(peer, statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(len(differences)))

    def reaches(self, metric: str) -> bool:
        folds = self.results["ebb"].folds.get(metric)
        if not folds:
            return False
        mean, good = statistics.fmean(folds), self.data_set.good[metric]
        return mean >= good if metric in HIGHER_IS_BETTER else mean <= good

    def missed(self) -> list[str]:
        """The goals that are missed, a sentence each."""
        name, missed = self.data_set.name, []
        for metric in self.decisive:
            gap = self.gap(metric)
            if gap is None and len(self.results) > 1:
                missed.append(f"{name}: {metric} is not there to compare")
            elif gap is not None and gap.verdict == "behind":
                missed.append(f"{name}: {metric} is {gap.in_errors:.1f} standard errors behind {gap.peer}")
        missed += [
            f"{name}: {metric} does not reach {good:g}"
            for metric, good in self.data_set.good.items()
            if not self.reaches(metric)
        ]
        return missed


def evaluate(ebb: str, spec: Path, data_set: DataSet, data: Path, timeout_s: float) -> tuple[Result, int]:
    """Ebb by fold, and how many rows it scored."""
    command = [
        ebb,
        "evaluate",
        str(spec),
        "--data",
        str(data_set.file(data)),
        "--folds",
        str(data_set.folds_file(data)),
        "--json",
    ]
    ran = run(command, timeout_s)
    try:
        answer = json.loads(ran.stdout)
        folds = {name: [float(value) for value in metric["folds"]] for name, metric in answer["metrics"].items()}
        rows = int(answer["rows"])
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"`ebb evaluate` answered something else than its JSON ({error!r}): {ran.stdout[:300]}") from error
    if wrong := [name for name, values in folds.items() if len(values) != N_FOLDS]:
        raise Failed(f"`ebb evaluate` answered another number of folds than {N_FOLDS} for {', '.join(wrong)}")
    return Result(folds, ran.wall_s, ran.cpu_s, ran.peak_rss_mib), rows


def compare(args: argparse.Namespace, data_set: DataSet, folder: Path) -> Comparison:
    spec = folder / f"{data_set.name}.yaml"
    file = data_set.file(args.data)
    run([args.ebb, "new", str(file), "--target", data_set.target, "--out", str(spec)], args.timeout_s)
    text = spec.read_text()
    rows = read(data_set, args.data, names_in(text, "columns"))
    if data_set.target in rows.inputs:
        raise Failed(f"the spec of {data_set.name} has the target among its inputs")
    ebb, n_rows = evaluate(args.ebb, spec, data_set, args.data, args.timeout_s)
    if n_rows != len(rows.target):
        raise Failed(
            f"`ebb evaluate` scored {n_rows} of {len(rows.target)} rows of {data_set.name}: peers would see others"
        )
    digest = hashlib.sha256(file.read_bytes() + data_set.folds_file(args.data).read_bytes()).hexdigest()
    results = {"ebb": ebb} | {peer: peers.measure(peer, data_set, rows, args.cache, digest) for peer in args.peers}
    return Comparison(data_set, names_in(text, "drop"), n_rows, results)


def figure(value: float) -> str:
    """Four decimals of a small number, none of a large one."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.4f}"


def spread(folds: list[float] | None) -> str:
    """Mean and standard deviation (ddof 0) of the folds."""
    return f"{figure(statistics.fmean(folds))} ± {figure(statistics.pstdev(folds))}" if folds else "–"


def table(comparison: Comparison) -> list[str]:
    """The section of one data set, in Markdown."""
    results, data_set = comparison.results, comparison.data_set
    names = list(results)
    dropped = f"; dropped by `ebb new`: {', '.join(comparison.dropped)}" if comparison.dropped else ""
    lines = [f"## {data_set.name}", "", f"{data_set.task}, `{data_set.target}`, {comparison.rows:,} rows{dropped}.", ""]
    lines.append(f"| metric | {' | '.join(names)} | difference ± standard error | verdict | good |")
    lines.append("|---" * (len(names) + 4) + "|")
    for metric in METRICS[data_set.task]:
        gap = comparison.gap(metric)
        cells = [spread(results[name].folds.get(metric)) for name in names]
        cells.append(f"{figure(gap.mean)} ± {figure(gap.standard_error)} ({gap.peer})" if gap else "–")
        cells.append(gap.verdict if gap else "–")
        good = data_set.good.get(metric)
        cells.append(
            f"{good:,g}: {'reached' if comparison.reaches(metric) else '**not reached**'}" if good is not None else ""
        )
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    costs = [
        f"{name} {result.wall_s:.1f} s wall, {result.cpu_s:.1f} s CPU"
        + (f", {result.peak_rss_mib:.0f} MiB" if result.peak_rss_mib else "")
        + (" (kept from an earlier run)" if result.cached else "")
        for name, result in results.items()
    ]
    return [*lines, "", f"Cost of the five folds: {'; '.join(costs)}.", ""]


def verdict(comparisons: list[Comparison]) -> list[str]:
    """What it comes to, over all sets."""
    lines = []
    for place, what in enumerate(["first metric (log-loss, RMSE)", "second metric (AUC, macro-F1, MAE)"]):
        gaps = [(c.data_set.name, gap) for c in comparisons if (gap := c.gap(c.decisive[place]))]
        if not gaps:
            continue
        better, ahead = sum(gap.mean < 0.0 for _, gap in gaps), sum(gap.verdict == "ahead" for _, gap in gaps)
        name, worst = max(gaps, key=lambda pair: pair[1].in_errors)
        lines.append(
            f"{what}: better mean on {better} of {len(gaps)} sets, {ahead} of them by more than one standard error; "
            f"worst gap {worst.in_errors:+.2f} standard errors ({name}, beside {worst.peer})."
        )
    missed = [sentence for comparison in comparisons for sentence in comparison.missed()]
    return [*lines, *(f"missed: {sentence}." for sentence in missed or ["nothing"])]


def report(args: argparse.Namespace, comparisons: list[Comparison]) -> str:
    """The whole report, in Markdown."""
    versions = ", ".join(f"{peer} {version(peer)}" for peer in args.peers) or "none"
    ebb = run([args.ebb, "--version"], args.timeout_s).stdout.strip()
    kept = sorted({name for c in comparisons for name, result in c.results.items() if result.cached})
    lines = ["# Quality", "", "Written by `benches/quality/compare.py`; do not edit.", ""]
    lines.append(f"{ebb} with the spec that `ebb new` writes; peers: {versions}; Python {platform.python_version()}.")
    if kept:
        lines.append(
            f"Fits of {', '.join(kept)} are in part from an earlier run with the same versions, settings and data."
        )
    lines += [
        "Five folds, the same for all; mean ± standard deviation over folds. A difference is Ebb's minus the better",
        "peer's, fold by fold, with its standard error; negative says that Ebb is better, for every metric.",
        "ECE has ten bins.",
        "",
    ]
    for comparison in comparisons:
        lines += table(comparison)
    return "\n".join([*lines, "## Verdict", "", *(f"- {line}" for line in verdict(comparisons)), ""])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebb", required=True, metavar="PATH", help="the binary")
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="folder of the CSV files, with folds/NAME_folds.csv"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, by name (default: all: %(default)s)")
    parser.add_argument(
        "--peers", default=",".join(peers.SETTINGS), help="which peers; empty for none (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report here, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--cache", type=Path, metavar="FILE", help="keep the peers' results here, by versions, settings and data"
    )
    parser.add_argument(
        "--timeout-s",
        type=float,
        default=3600,
        metavar="SECONDS",
        help="longest time of one command (default: %(default)g)",
    )
    parser.add_argument("--no-fail", action="store_true", help="only report missed goals")
    args = parser.parse_args()
    args.sets = [name for name in args.sets.split(",") if name]
    args.peers = [name for name in args.peers.split(",") if name]
    for unknown in [set(args.sets) - set(SETS), set(args.peers) - set(peers.SETTINGS)]:
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return args


def main() -> int:
    args = arguments()
    comparisons = []
    try:
        with tempfile.TemporaryDirectory(prefix="ebb-quality-") as folder:
            for name in args.sets:
                comparisons.append(compare(args, SETS[name], Path(folder)))
                print("\n".join(table(comparisons[-1])), flush=True)
        text = report(args, comparisons)
    except (Failed, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(verdict(comparisons)))
    if args.out:
        args.out.write_text(text)
    if args.json:
        figures = [
            {
                "set": c.data_set.name,
                "rows": c.rows,
                "dropped": c.dropped,
                "results": {name: asdict(result) for name, result in c.results.items()},
                "gaps": {
                    metric: asdict(gap) | {"verdict": gap.verdict}
                    for metric in METRICS[c.data_set.task]
                    if (gap := c.gap(metric))
                },
                "missed": c.missed(),
            }
            for c in comparisons
        ]
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    missed = any(comparison.missed() for comparison in comparisons)
    return 1 if missed and not args.no_fail else 0


if __name__ == "__main__":
    sys.exit(main())
