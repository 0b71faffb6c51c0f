"""Closed loops: what Ebb does when the world changes, through real processes on loopback.

| scenario | what happens | passes when |
|---|---|---|
| concept | 45 % of active customers < 38 with 1 or 2 products leave | AUC >= 0.75 after 1,000 rows, 0.78 after 2,500 |
| label | 20 to 41 % of customers leave | log-loss <= 0.46, AUC within 0.005, by recalibration |
| covariate | customers get older, weight exp(1.2 z) | an input's PSI above 0.25, no promotion |
| hotel | real, by month, each scored before it is learnt | RMSE: mean of ten <= 27, January <= 20, July <= 40 |
| employment | real, by year, nothing | no promotion, at most one input alarm |

The first three replay bankchurn.csv. History is its first 5,000 rows, two drifted batches follow, and every model is
scored on the rows after those, drifted alike and never learnt. Rows are drawn without replacement for label and
covariate shift, which leaves about half of each batch; those two cut the last 5,000 rows in 1,500, 1,500 and 2,000, the
first in 1,000, 1,500 and 2,500. The exit code is 1 when a scenario fails, 2 when one could not be played.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import metrics
from loop import SOURCE, Loop, Row, Turn
from process import Failed, run

NEW_SPEC_S = 120.0
# Rows of history, of two drifted batches, and of what models are scored on; fewer where the source keeps only some.
ALL_ROWS, DRAWN_ROWS = "5000,1000,1500,2500", "5000,1500,1500,2000"
# A PSI above this is an alarm.
PSI_ALARM = 0.25
# Why bankchurn's challengers may be worse on history.
NO_HISTORY_RULE = """
promote:
  # What customers do has changed for good: old labels no longer hold, and a model that fits them is the wrong one.
  max_history_regression: off
"""
HOTEL_RULES = """
split: {by: time, fraction: 0.25}
promote:
  # A month may look unlike all others. A version that learns it may get a tenth worse on the months known so far.
  max_history_regression: 0.10
"""


@dataclass
class Played:
    """A scenario's turns, scores and checks."""

    name: str
    lines: list[str] = field(default_factory=list)
    checks: list[tuple[str, bool]] = field(default_factory=list)

    def told(self, batch: str, turn: Turn, scores: str) -> None:
        quarantined = f", {turn.quarantined} in quarantine" if turn.quarantined else ""
        cells = [batch, f"{turn.rows:,}{quarantined}", turn.decision, turn.remedy, turn.ending, scores, turn.reason]
        line = f"| {' | '.join(cells)} |"
        self.lines.append(line)
        print(line, flush=True)

    def check(self, sentence: str, passed: bool) -> None:
        self.checks.append((sentence, passed))
        print(f"{'pass' if passed else 'FAIL'}: {sentence}", flush=True)

    def begin(self, what: str, scores: str) -> None:
        columns = [what, "rows", "decision", "remedy", "ending", scores, "first reasons"]
        self.lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        print(f"\n## {self.name}\n\n" + "\n".join(self.lines), flush=True)

    @property
    def passed(self) -> bool:
        return all(passed for _, passed in self.checks)


@dataclass(frozen=True)
class Bench:
    """What scenarios are played with."""

    ebb: str
    data: Path
    folder: Path
    turn_s: float
    hotel_spec: Path | None
    train: str

    def first_spec(self, file: str, target: str) -> str:
        """The spec that `ebb new` writes."""
        spec = self.folder / f"{Path(file).stem}.yaml"
        if not spec.exists():
            run([self.ebb, "new", str(self.data / file), "--target", target, "--out", str(spec)], NEW_SPEC_S)
        return spec.read_text()

    def loop(self, name: str, spec: str, target: str, file: str, source: list[str]) -> Loop:
        arguments = ["--data", str(self.data / file), "--target", target, *source]
        spec = f"{spec}\ntrain: {self.train}\n" if self.train else spec
        return Loop(self.ebb, self.folder / name, spec, target, arguments, self.turn_s)


def bankchurn(bench: Bench, played: Played, drift: str, rows: str) -> tuple[list[Turn], list[dict[str, float]]]:
    """Plays history and two drifted batches; the turns, and the scores of production after each."""
    spec = bench.first_spec("bankchurn.csv", "Exited") + SOURCE + NO_HISTORY_RULE
    source = ["--rows", rows, "--drift", drift, "--drift-from", "1"]
    played.begin("batch", "production before → after, on unlearnt rows")
    with bench.loop(played.name, spec, "Exited", "bankchurn.csv", source) as loop:
        *_, fresh = [loop.next_rows() for _ in range(4)]
        turns, scores = [], []
        for batch in ["history", "drifted 1", "drifted 2"]:
            turns.append(loop.turn())
            scores.append(class_scores(loop, fresh))
            before, after = scores[-2:][0], scores[-1]
            change = ", ".join(f"{name} {before[name]:.4f} → {after[name]:.4f}" for name in ["auc", "log_loss", "ece"])
            played.told(batch, turns[-1], change)
    return turns, scores


def class_scores(loop: Loop, rows: list[Row]) -> dict[str, float]:
    predictions, predicted = loop.predict(rows)
    positive = np.array([prediction["probability"] for prediction in predictions])
    truth = np.array([int(row[loop.target]) for row in predicted])
    return metrics.of_classes(np.column_stack([1.0 - positive, positive]), truth)


def concept(bench: Bench, played: Played) -> None:
    (_, *turns), scores = bankchurn(bench, played, "flip:IsActiveMember=1&Age<38&NumOfProducts<=2:0.45", ALL_ROWS)
    largest = max(turn.largest_psi for turn in turns)
    drifted = ", ".join(column for turn in turns for column in turn.drifted_inputs) or "none"
    played.check(f"inputs that drifted: {drifted}, where none does (largest PSI {largest:.4f})", drifted == "none")
    for rows, score, bound in [("1,000", scores[1], 0.75), ("2,500", scores[2], 0.78)]:
        played.check(
            f"AUC {score['auc']:.4f} after {rows} labels, where {bound} is needed (stale: {scores[0]['auc']:.4f})",
            score["auc"] >= bound,
        )


def label(bench: Bench, played: Played) -> None:
    turns, (stale, _, fresh) = bankchurn(bench, played, "prior:1=0.41", DRAWN_ROWS)
    played.check(
        f"log-loss {fresh['log_loss']:.4f}, where 0.46 is allowed (stale: {stale['log_loss']:.4f})",
        fresh["log_loss"] <= 0.46,
    )
    change = fresh["auc"] - stale["auc"]
    played.check(f"AUC changed by {change:+.4f}, where 0.005 either way is allowed", abs(change) <= 0.005)
    remedies = [turn.remedy for turn in turns if turn.promoted]
    played.check(f"promoted: {', '.join(remedies) or 'none'}, where recalibrate is right", remedies == ["recalibrate"])


def covariate(bench: Bench, played: Played) -> None:
    (_, *turns), _ = bankchurn(bench, played, "reweight:Age:1.2", DRAWN_ROWS)
    alarms = {column: psi for turn in turns for column, psi in turn.drifted_inputs.items() if psi > PSI_ALARM}
    told = ", ".join(f"{column} {psi:.2f}" for column, psi in alarms.items()) or "none"
    played.check(f"inputs with a PSI above {PSI_ALARM}: {told}", bool(alarms))
    played.check(
        f"{sum(turn.promoted for turn in turns)} promotions, where none is right",
        not any(turn.promoted for turn in turns),
    )


def hotel(bench: Bench, played: Played) -> None:
    if bench.hotel_spec:
        spec = bench.hotel_spec.read_text()
    else:
        spec = bench.first_spec("hotel.csv", "avg_price_per_room") + SOURCE + HOTEL_RULES
    played.begin("month", "production before it learnt them")
    errors: dict[str, float] = {}
    turns = []
    with bench.loop(
        played.name, spec, "avg_price_per_room", "hotel.csv", ["--every", "month:arrival_date", "--first", "4"]
    ) as loop:
        loop.next_rows()
        played.told("2016-07 to 10", loop.turn(), "")
        while rows := loop.next_rows():
            month = str(rows[0]["arrival_date"])[:7]
            predictions, predicted = loop.predict(rows)
            residuals = [
                prediction["prediction"] - float(row[loop.target])
                for prediction, row in zip(predictions, predicted, strict=True)
            ]
            errors[month] = float(np.sqrt(np.mean(np.square(residuals))))
            unpredicted = (
                f", {len(rows) - len(predicted)} rows refused by predict" if len(predicted) < len(rows) else ""
            )
            turns.append(loop.turn())
            played.told(month, turns[-1], f"RMSE {errors[month]:.1f}{unpredicted}")
    mean = float(np.mean(list(errors.values())))
    promoted, refused = sum(turn.promoted for turn in turns), sum(turn.ending == "refused" for turn in turns)
    played.check(
        f"RMSE {mean:.1f} over {len(errors)} months, where 27 is allowed ({promoted} promotions, {refused} refusals)",
        mean <= 27.0,
    )
    for month, bound in [("2017-01", 20.0), ("2017-07", 40.0)]:
        played.check(f"RMSE {errors[month]:.1f} in {month}, where {bound:.0f} is allowed", errors[month] <= bound)


def employment(bench: Bench, played: Played) -> None:
    spec = bench.first_spec("employment.csv", "employed")
    # The year orders the batches. As an input it would be new in each of them.
    spec = "".join(line for line in spec.splitlines(keepends=True) if not line.startswith("  year:"))
    spec += SOURCE + "\ndrop:\n  year: orders the batches\n"
    played.begin("year", "production before it learnt them")
    turns: list[Turn] = []
    with bench.loop(played.name, spec, "employed", "employment.csv", ["--every", "year:year"]) as loop:
        while rows := loop.next_rows():
            scores = f"AUC {class_scores(loop, rows)['auc']:.4f}" if turns else ""
            turns.append(loop.turn())
            played.told(str(rows[0]["year"]), turns[-1], scores)
    promoted, alarms = sum(turn.promoted for turn in turns), sum(bool(turn.drifted_inputs) for turn in turns)
    played.check(f"{promoted} promotions, where none is right", promoted == 0)
    played.check(f"{alarms} batches with an input alarm, where 1 is allowed", alarms <= 1)


SCENARIOS: dict[str, Callable[[Bench, Played], None]] = {
    "concept": concept,
    "label": label,
    "covariate": covariate,
    "hotel": hotel,
    "employment": employment,
}


def report(ebb: str, all_played: list[Played]) -> str:
    lines = ["# Closed loops", "", f"{ebb}. Written by `benches/quality/loops.py`; do not edit.", ""]
    for played in all_played:
        checks = [f"- {'pass' if passed else '**fail**'}: {sentence}" for sentence, passed in played.checks]
        lines += [f"## {played.name}", "", *played.lines, "", *checks, ""]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ebb", required=True, metavar="PATH", help="the binary")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="folder of the CSV files")
    parser.add_argument(
        "--only", default=",".join(SCENARIOS), metavar="NAME,..", help="which scenarios (default: %(default)s)"
    )
    parser.add_argument("--hotel-spec", type=Path, metavar="FILE", help="hotel's spec, instead of one by `ebb new`")
    parser.add_argument(
        "--train", default="", metavar="YAML", help="the specs' train section, such as '{kinds: [coarse], members: 2}'"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report here, in Markdown")
    parser.add_argument(
        "--turn-s", type=float, default=1800, metavar="SECONDS", help="longest time of one turn (default: %(default)g)"
    )
    parser.add_argument("--no-fail", action="store_true", help="only report failed scenarios")
    args = parser.parse_args()
    args.only = [name for name in args.only.split(",") if name]
    if unknown := set(args.only) - set(SCENARIOS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(SCENARIOS)}")
    return args


def main() -> int:
    args = arguments()
    all_played, broken = [], False
    with tempfile.TemporaryDirectory(prefix="ebb-loops-") as folder:
        bench = Bench(args.ebb, args.data, Path(folder), args.turn_s, args.hotel_spec, args.train)
        for name in args.only:
            played = Played(name)
            all_played.append(played)
            try:
                SCENARIOS[name](bench, played)
            except (Failed, OSError, ValueError, KeyError) as error:
                broken = True
                played.check(f"could not be played to its end: {error}", False)
    if args.out:
        version = run([args.ebb, "--version"], NEW_SPEC_S).stdout.strip()
        args.out.write_text(report(version, all_played))
    if broken:
        return 2
    return 0 if args.no_fail or all(played.passed for played in all_played) else 1


if __name__ == "__main__":
    sys.exit(main())
