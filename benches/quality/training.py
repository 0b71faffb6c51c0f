"""What training costs: rows a second beside PyTorch, and peak memory by the number of rows.

`speed` fits the same network in Ebb and in PyTorch (torch_bag.py), each in a process of its own, with one thread and
with two, over rows of synthetic.py. A row counts each time that an optimizer step of a member sees it. `memory` fits
on 99 % of more and more rows (and on the other 1 %) and tells peak resident memory. `generate` writes such rows alone.

Ebb's command may be another one than `ebb evaluate`, with {ebb}, {spec}, {data}, {folds}, {rows}, {epochs} and {threads}
in it; the spec is the one that `ebb new` writes, with --train, which for `speed` asks for the network of torch_bag.py.
Where it prints a JSON object, or one as its last line, `seconds`, `cpu_seconds` and `rows_seen` are read from it. What it
does not tell is that of the whole process, and `rows_seen` is --passes times the rows. Threads reach Ebb as
RAYON_NUM_THREADS, by {threads}, and by the processors that it may run on. `seconds` of `ebb evaluate` have encoding,
the readout and the answers to the test rows in them, those of torch_bag.py have not.

Times on a machine that does other work say little; with more threads than idle processors, PyTorch's wait for each
other.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import synthetic
from process import Failed, Run, run

MEMBERS, FOLDS = 5, 5
EVALUATE = "{ebb} evaluate {spec} --data {data} --folds {folds} --json"
# The network and the steps of torch_bag.py.
PEER = "{kinds: [coarse], members: 5, hidden: 192, batch_rows: 256, epochs: {epochs}, learning_rate: 0.01, refit: false}"


@dataclass(frozen=True)
class Cost:
    """One measurement."""

    what: str
    rows: int
    threads: int
    rows_per_s: float
    rows_per_cpu_s: float
    wall_s: float
    cpu_s: float
    peak_rss_mib: float
    note: str = ""


class Files:
    """Rows, folds and specs in a folder; what is there is used again."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.folder, self.ebb, self.suffix, self.seed = folder, args.ebb, args.format, args.seed
        self.train, self.timeout_s = args.train.replace("{epochs}", str(args.epochs)), args.timeout_s
        self.whole = args.kind == "memory"

    def rows(self, n_rows: int) -> Path:
        path = self.folder / f"rows-{n_rows}-{self.seed}.{self.suffix}"
        if not path.exists():
            synthetic.write(path, n_rows, self.seed)
        return path

    def command(self, template: str, n_rows: int, epochs: int, threads: int) -> list[str]:
        """Ebb's command, with its files in place."""
        values = {"data": str(self.rows(n_rows)), "rows": str(n_rows), "epochs": str(epochs), "threads": str(threads)}
        values["ebb"] = self.ebb or "ebb"
        if "{spec}" in template:
            values["spec"] = str(self.spec(n_rows))
        if "{folds}" in template:
            folds = self.folder / f"{'split' if self.whole else 'folds'}-{n_rows}.csv"
            if not folds.exists() and self.whole:
                # A fit on nearly all rows, and a small one.
                synthetic.write_split(folds, n_rows, 100)
            elif not folds.exists():
                synthetic.write_folds(folds, n_rows, FOLDS)
            values["folds"] = str(folds)
        return [word.format(**values) for word in shlex.split(template)]

    def spec(self, n_rows: int) -> Path:
        # Named after its settings, so that other ones do not find it.
        spec = self.folder / f"rows-{n_rows}-{self.seed}-{zlib.crc32(self.train.encode()):08x}.yaml"
        if not spec.exists():
            new = [self.ebb or "ebb", "new", str(self.rows(n_rows)), "--target", synthetic.TARGET, "--name", "rows"]
            run([*new, "--out", str(spec)], self.timeout_s)
            if self.train:
                spec.write_text(f"{spec.read_text()}\ntrain: {self.train}\n")
        return spec


def measured(command: list[str], threads: int, timeout_s: float) -> Run:
    """Runs a command with so many threads, and on so many processors that more would not help it."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:threads])
    try:
        return run(command, timeout_s, env=env)
    finally:
        os.sched_setaffinity(0, before)


def told_by(stdout: str) -> dict[str, Any]:
    """The JSON object that a command printed; empty where there is none."""
    for text in [stdout, *stdout.strip().splitlines()[-1:]]:
        try:
            told = json.loads(text)
        except ValueError:
            continue
        if isinstance(told, dict):
            return told
    return {}


def cost(what: str, ran: Run, n_rows: int, passes: float, threads: int) -> Cost:
    """What a run came to, by its own account of the fit where it gives one."""
    told = told_by(ran.stdout)
    seconds, cpu_s = float(told.get("seconds", ran.wall_s)), float(told.get("cpu_seconds", ran.cpu_s))
    rows_seen = float(told.get("rows_seen", passes * n_rows))
    note = ", ".join(f"{name} {told[name]:.4g}" for name in ["inputs", "encode_seconds", "log_loss"] if name in told)
    if missing := [name for name in ["seconds", "cpu_seconds", "rows_seen"] if name not in told]:
        note += f"{'; ' if note else ''}not told by the command: {', '.join(missing)}"
    return Cost(what, n_rows, threads, rows_seen / seconds, rows_seen / cpu_s, seconds, cpu_s, ran.peak_rss_mib, note)


def shown(results: list[Cost]) -> str:
    """The costs as a table in Markdown."""
    lines = ["| what | rows | threads | rows/s | rows/CPU-s | wall s | CPU s | peak MiB | |", "|---" * 9 + "|"]
    for c in results:
        figures = (
            f"{c.rows_per_s:,.0f} | {c.rows_per_cpu_s:,.0f} | {c.wall_s:.1f} | {c.cpu_s:.1f} | {c.peak_rss_mib:,.0f}"
        )
        lines.append(f"| {c.what} | {c.rows:,} | {c.threads} | {figures} | {c.note} |")
    return "\n".join(lines)


def speed(args: argparse.Namespace, files: Files) -> list[Cost]:
    """Both sides, for each number of rows and threads."""
    results = []
    # Each of the folds is fitted on the others, and each member learns from what it does not hold out, a fifth.
    passes = args.passes or FOLDS * 0.8 * 0.8 * MEMBERS * args.epochs
    for n_rows in args.rows:
        for threads in args.threads:
            sides = {}
            if args.ebb:
                sides["ebb"] = files.command(args.command, n_rows, args.epochs, threads)
            for form in args.torch:
                script = [args.torch_python, str(Path(__file__).with_name("torch_bag.py"))]
                options = ["--epochs", str(args.epochs), "--threads", str(threads), "--members", form]
                sides[f"torch, {form}"] = [*script, "--data", str(files.rows(n_rows)), *options]
            for what, command in sides.items():
                ran = measured(command, threads, args.timeout_s)
                results.append(cost(what, ran, n_rows, passes, threads))
                print(results[-1], file=sys.stderr, flush=True)
    return results


def memory(args: argparse.Namespace, files: Files) -> list[Cost]:
    """The command over each number of rows, on all processors."""
    threads = len(os.sched_getaffinity(0))
    results = []
    for n_rows in args.rows:
        ran = run(files.command(args.command, n_rows, args.epochs, threads), args.timeout_s)
        bytes_a_row = ran.peak_rss_mib * 2**20 / n_rows
        values = (ran.wall_s, ran.cpu_s, ran.peak_rss_mib, f"{bytes_a_row:,.0f} bytes a row")
        results.append(Cost("ebb", n_rows, threads, n_rows / ran.wall_s, n_rows / ran.cpu_s, *values))
        print(results[-1], file=sys.stderr, flush=True)
    return results


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)

    def numbers(text: str) -> list[int]:
        return [int(float(number)) for number in text.split(",")]

    for kind, rows in [("speed", "1e5,1e6"), ("memory", "1e5,1e6,1e7"), ("generate", "1e6")]:
        sub = kinds.add_parser(kind, help=f"{kind}, see above")
        sub.add_argument("--rows", type=numbers, default=numbers(rows), metavar="N,..", help=f"default: {rows}")
        sub.add_argument("--seed", type=int, default=7, help="seed of the rows (default: %(default)s)")
        if kind == "generate":
            sub.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
            continue
        sub.add_argument("--ebb", metavar="PATH", help="the binary, for {ebb}")
        sub.add_argument("--epochs", type=int, default=2, help="default: %(default)s")
        sub.add_argument("--dir", type=Path, metavar="DIR", help="keep the rows here, and use them again")
        sub.add_argument(
            "--format", choices=["csv", "parquet"], default="csv", help="of the rows (default: %(default)s)"
        )
        sub.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
        sub.add_argument(
            "--timeout-s", type=float, default=7200, metavar="SECONDS", help="of one run (default: %(default)g)"
        )
        sub.add_argument("--command", default=EVALUATE, help="Ebb's command (default: %(default)s)")
        train = PEER if kind == "speed" else ""
        sub.add_argument("--train", default=train, help="settings of the fit, in YAML (default: '%(default)s')")
        if kind == "speed":
            passes = "how often optimizer steps see a row, where Ebb does not tell (default: 16 x epochs)"
            sub.add_argument("--passes", type=float, metavar="N", help=passes)
            sub.add_argument("--threads", type=numbers, default=[1, 2], metavar="N,..", help="default: 1,2")
            forms = "how the peer trains its members; empty for no peer (default: stacked,loop)"
            sub.add_argument(
                "--torch",
                type=lambda text: [form for form in text.split(",") if form],
                default=["stacked", "loop"],
                help=forms,
            )
            sub.add_argument("--torch-python", default=sys.executable, metavar="PATH", help="a Python that has torch")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    try:
        if args.kind == "generate":
            for n_rows in args.rows:
                synthetic.write(args.out, n_rows, args.seed)
            return 0
        with tempfile.TemporaryDirectory(prefix="ebb-training-") as folder:
            if args.dir:
                args.dir.mkdir(parents=True, exist_ok=True)
            files = Files(args.dir or Path(folder), args)
            results = speed(args, files) if args.kind == "speed" else memory(args, files)
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(shown(results))
    if args.json:
        args.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
