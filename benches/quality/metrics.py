"""What a set of predictions is worth: the metrics of `ebb evaluate`, by scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

# Bins of equal width that calibration is measured in.
N_BINS = 10


def calibration_error(confidence: np.ndarray, hit: np.ndarray) -> float:
    """ECE: the mean distance of a bin's mean confidence from its share of hits, weighted by its rows; 0 to 1."""
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    rows = np.bincount(bins, minlength=N_BINS)
    gaps = np.bincount(bins, weights=confidence, minlength=N_BINS) - np.bincount(bins, weights=hit, minlength=N_BINS)
    return float(np.abs(gaps).sum() / rows.sum())


def of_classes(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Metrics of probabilities, shape `[n_rows, n_classes]`.

    ECE is that of the second class where there are two, else of the likeliest.
    """
    n_classes = probabilities.shape[1]
    scores = {"log_loss": sk.log_loss(truth, probabilities, labels=range(n_classes))}
    likeliest = probabilities.argmax(axis=1)
    if n_classes == 2:
        positive = probabilities[:, 1]
        scores["auc"] = sk.roc_auc_score(truth, positive)
        scores["pr_auc"] = sk.average_precision_score(truth, positive)
        scores["ece"] = calibration_error(positive, truth == 1)
    else:
        scores["macro_f1"] = sk.f1_score(truth, likeliest, average="macro")
        scores["ece"] = calibration_error(probabilities.max(axis=1), truth == likeliest)
    return {name: float(score) for name, score in scores.items()}


def of_numbers(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Metrics of predicted numbers."""
    return {
        "rmse": float(sk.root_mean_squared_error(truth, predicted)),
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "r2": float(sk.r2_score(truth, predicted)),
    }
