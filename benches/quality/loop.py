"""Ebb's loop through its own processes: a data source, all functions on one port, and turns of `ebb run`."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import names_in
from process import Failed, run

# Where specs say that their source is. Requests to it go to the source's port by proxy: a spec is the same in each run.
SOURCE = """
source:
  http:
    url: "http://data-source/data?group_number=1"
    restart: "/restart_data_generation?group_number=1"
    exhausted: {status: 400, match: "(?i)recolect"}
"""
# The loop reads group 1; the rows that it is scored on are read as another group, whose cursor is its own.
WATCHER = 2
# Longest times, for a machine that does much else.
START_S, END_S, ANSWER_S, FOLLOW_S = 60.0, 40.0, 120.0, 30.0
RECORDS_A_REQUEST = 1000

Row = dict[str, Any]
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Turn:
    """What a turn of the loop came to."""

    rows: int
    quarantined: int
    ending: str
    decision: str
    # Why check-drift decided so, and why promote did; most telling first.
    drift_reasons: list[str]
    promote_reasons: list[str]
    # The input columns that drifted, with their PSI.
    drifted_inputs: dict[str, float]
    # The largest PSI of any input.
    largest_psi: float
    # How the challenger was made where there was a choice.
    remedy: str

    @property
    def promoted(self) -> bool:
        """Whether a challenger took the place of a champion; the first version takes nobody's."""
        return self.ending == "promoted" and self.decision != "bootstrap"

    @property
    def reason(self) -> str:
        """The first reason of each function that gave one."""
        return "; ".join(reasons[0] for reasons in [self.drift_reasons, self.promote_reasons] if reasons)


class Loop:
    """A model's spec, the processes that keep it fresh, and a folder of their own; a context manager that ends them."""

    def __init__(self, ebb: str, folder: Path, spec: str, target: str, source: list[str], turn_s: float) -> None:
        self.ebb, self.folder, self.target, self.turn_s = ebb, folder, target, turn_s
        self.model = next(
            line.split(":")[1].split("#")[0].strip() for line in spec.splitlines() if line.startswith("name:")
        )
        self.source_arguments = source
        self.inputs = names_in(spec, "columns")
        (folder / "models").mkdir(parents=True)
        (folder / "models" / f"{self.model}.yaml").write_text(spec)
        self.production = ""
        self.stack = ExitStack()

    def __enter__(self) -> Loop:
        try:
            self.source_url = self._start(
                "source", ["source", "--port", "0", *self.source_arguments], {}, lambda line: line
            )
            store, models = self.folder / "store", self.folder / "models"
            up = ["up", "--port", "0", "--store", str(store), "--models", str(models)]
            self.url = self._start("up", up, {"http_proxy": self.source_url, "no_proxy": "127.0.0.1"}, _listening)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _start(
        self, name: str, arguments: list[str], env: dict[str, str], address_in: Callable[[str], str | None]
    ) -> str:
        """Starts a process that serves, and returns its address once it has told it."""
        log = self.folder / f"{name}.log"
        env = {"PATH": os.environ.get("PATH", ""), **env}
        with log.open("wb") as out:
            child = subprocess.Popen([self.ebb, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        self.stack.callback(_end, child)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and child.poll() is None:
            for line in log.read_text(errors="replace").splitlines():
                if (address := address_in(line)) and address.startswith("http://"):
                    return address.strip()
            time.sleep(0.05)
        raise Failed(f"`ebb {name}` does not listen:\n{log.read_text(errors='replace')[-2000:]}")

    def turn(self) -> Turn:
        """Plays one turn: ingest, check, train, promote."""
        command = [self.ebb, "run", self.model, "--json", "--url", self.url, "--store", str(self.folder / "store")]
        answer = json.loads(run(command, self.turn_s, env={"PATH": os.environ.get("PATH", "")}).stdout)
        ingest, check = answer.get("ingest", {}), answer.get("check_drift", {})
        if answer["ending"] == "failed":
            raise Failed(f"a fit failed: {answer['train']['failed']}")
        if answer["ending"] == "promoted":
            self.production = answer["train"]["version"]
        columns = [column for column in check.get("columns", []) if column["column"] != self.target]
        return Turn(
            rows=ingest.get("rows", 0),
            quarantined=ingest.get("quarantined", 0),
            ending=answer["ending"],
            decision=check.get("decision", ""),
            drift_reasons=check.get("reasons", []),
            promote_reasons=answer.get("promote", {}).get("reasons", []),
            drifted_inputs={column["column"]: column.get("psi") or 0.0 for column in columns if column["drifted"]},
            largest_psi=max((column.get("psi") or 0.0 for column in columns), default=0.0),
            remedy=_remedy(answer.get("train", {}).get("trial")),
        )

    def next_rows(self) -> list[Row]:
        """The rows of the next batch, without taking it from the loop; empty after the last."""
        status, answer = _call(f"{self.source_url}/data?group_number={WATCHER}")
        if status == 400:
            return []
        if status != 200:
            raise Failed(f"the source answered {status}: {answer}")
        rows: list[Row] = answer["data"]
        return rows

    def predict(self, rows: list[Row]) -> tuple[list[dict[str, Any]], list[Row]]:
        """Production's predictions, and the rows they are of: those that the spec's ranges and levels allow."""
        predictions, predicted = [], []
        for start in range(0, len(rows), RECORDS_A_REQUEST):
            part = rows[start : start + RECORDS_A_REQUEST]
            deadline = time.monotonic() + FOLLOW_S
            while part:
                records = [{name: row.get(name) for name in self.inputs} for row in part]
                status, answer = _call(f"{self.url}/models/{self.model}/predict", {"records": records})
                if status == 200 and answer["version"] != self.production:
                    # Predict follows production in the background; what counts is what it came to.
                    if time.monotonic() > deadline:
                        raise Failed(
                            f"predict does not serve {self.production[:12]} {FOLLOW_S:.0f} s after its promotion"
                        )
                    time.sleep(0.1)
                    continue
                if status == 200:
                    predictions += answer["predictions"]
                    predicted += part
                    break
                wrong = {
                    int(error["pointer"].split("/")[2])
                    for error in answer.get("errors", [])
                    if error["pointer"].startswith("/records/")
                }
                if not wrong:
                    raise Failed(f"predict answered {status}: {answer}")
                part = [row for position, row in enumerate(part) if position not in wrong]
        return predictions, predicted


def _remedy(trial: dict[str, Any] | None) -> str:
    """The winner of a trial, such as `recent 2`."""
    winner = (trial or {}).get("winner", {})
    return " ".join(str(winner[part]) for part in ("kind", "newest") if part in winner)


def _listening(line: str) -> str | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told.get("url") if told.get("message") == "listening" else None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _call(url: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON of an answer; errors too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with HTTP.open(request, timeout=ANSWER_S) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (OSError, ValueError) as error:
        raise Failed(f"{url.split('?')[0]} does not answer: {error}") from error
