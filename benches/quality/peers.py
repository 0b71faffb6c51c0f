"""LightGBM and CatBoost on the same folds, each with one thread and its own handling of categories."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import metrics
from datasets import N_FOLDS, DataSet, Rows

SETTINGS: dict[str, dict[str, Any]] = {
    "lightgbm": {
        "n_estimators": 300,
        "learning_rate": 0.05,
        "num_leaves": 31,
        "n_jobs": 1,
        "random_state": 42,
        "verbose": -1,
    },
    "catboost": {"thread_count": 1, "random_seed": 42, "verbose": False, "allow_writing_files": False},
}


@dataclass(frozen=True)
class Result:
    """A contender on a data set: each metric by fold, and what the five fits and predictions cost together."""

    folds: dict[str, list[float]]
    wall_s: float
    cpu_s: float
    peak_rss_mib: float | None = None
    cached: bool = False


def measure(peer: str, data_set: DataSet, rows: Rows, cache: Path | None, key_of_data: str) -> Result:
    """The peer's result: from the cache where it holds this very measurement, else fitted, and then kept there."""
    known = json.loads(cache.read_text()) if cache and cache.exists() else {}
    about = {
        "peer": peer,
        "settings": SETTINGS[peer],
        "versions": {name: version(name) for name in [peer, "numpy", "pandas", "scikit-learn"]}
        | {"python": platform.python_version()},
        "columns": list(rows.inputs),
        "data": key_of_data,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    if key in known:
        return Result(**(known[key]["result"] | {"cached": True}))
    result = fit_folds(peer, data_set, rows)
    if cache:
        known[key] = {"set": data_set.name, **about, "result": asdict(result)}
        cache.write_text(json.dumps(known, indent=1))
    return result


def fit_folds(peer: str, data_set: DataSet, rows: Rows) -> Result:
    """Fits on four folds and scores the fifth, five times."""
    inputs = prepared(peer, rows)
    by_fold, wall, cpu = [], time.perf_counter(), time.process_time()
    for fold in range(N_FOLDS):
        test = rows.folds == fold
        model = make(peer, data_set.task, rows.categories)
        model.fit(inputs[~test], rows.target[~test])
        if data_set.task == "regression":
            by_fold.append(metrics.of_numbers(np.asarray(model.predict(inputs[test])), rows.target[test]))
        else:
            by_fold.append(metrics.of_classes(np.asarray(model.predict_proba(inputs[test])), rows.target[test]))
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return Result({name: [scores[name] for scores in by_fold] for name in by_fold[0]}, wall_s, cpu_s)


def prepared(peer: str, rows: Rows) -> pd.DataFrame:
    """Categories in the form the peer takes them; LightGBM's own missing value, and a level of its own for CatBoost."""
    kind = "category" if peer == "lightgbm" else None
    columns = {
        name: rows.inputs[name].astype(kind) if kind else rows.inputs[name].fillna("").astype(str)
        for name in rows.categories
    }
    return rows.inputs.assign(**columns)


def make(peer: str, task: str, categories: list[str]) -> Any:
    """A model that has learnt nothing yet."""
    if peer == "lightgbm":
        import lightgbm

        kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
        return kind(**SETTINGS[peer])
    import catboost

    kind = catboost.CatBoostRegressor if task == "regression" else catboost.CatBoostClassifier
    return kind(cat_features=categories, **SETTINGS[peer])
