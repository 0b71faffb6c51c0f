"""Prints values.json: what scipy and numpy say about samples drawn here, for tests/scipy.rs.

python3.11 -m venv VENV && VENV/bin/pip install --require-hashes -r requirements.txt
VENV/bin/python make_values.py > values.json
"""

import json
import math
import sys
import warnings

import numpy as np
import scipy
from scipy import stats
from scipy.spatial.distance import jensenshannon

EPS = 1e-4  # floor of PSI's shares
BINS = 10


def distances(ref, cur):
    """Distances between two rows of counts."""
    p, q = np.asarray(ref) / np.sum(ref), np.asarray(cur) / np.sum(cur)
    return {
        "js": {
            "distance_base2": jensenshannon(p, q, base=2),
            "divergence_base2": jensenshannon(p, q, base=2) ** 2,
            "distance_natural": jensenshannon(p, q),
        },
        "hellinger": math.sqrt(max(0.0, np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)),
        "total_variation": np.abs(p - q).sum() / 2,
    }


def psi(ref, cur):
    p, q = np.maximum(ref / np.sum(ref), EPS), np.maximum(cur / np.sum(cur), EPS)
    return float(np.sum((q - p) * np.log(q / p)))


def ks(ref, cur, method):
    r = stats.ks_2samp(ref, cur, method=method)
    return {"statistic": r.statistic, "p": r.pvalue, "location": r.statistic_location, "sign": int(r.statistic_sign)}


def numeric(name, ref, cur):
    ref, cur = np.round(ref, 6), np.round(cur, 6)
    case = {"kind": "numeric", "name": name, "ref": ref.tolist(), "cur": cur.tolist()}
    case["n_ref"], case["n_cur"] = len(ref), len(cur)
    case["ks"] = {"asymp": ks(ref, cur, "asymp"), "exact": ks(ref, cur, "exact")}
    w1, std = stats.wasserstein_distance(ref, cur), ref.std()
    case["wasserstein"] = {
        "w1": w1,
        "ref_std_ddof0": std,
        "ref_std_ddof1": ref.std(ddof=1),
        "normed_by_ref_std_ddof0": w1 / max(std, 0.001),
    }
    edges = np.unique(np.quantile(ref, np.linspace(0, 1, BINS + 1)))
    inner = edges[1:-1]
    open_edges = np.concatenate([[-np.inf], inner, [np.inf]])
    counts = [np.histogram(side, open_edges)[0] for side in (ref, cur)]
    case["psi10"] = {
        "inner_edges": inner.tolist(),
        # A constant reference has no bins.
        "ref_counts": counts[0].tolist() if len(edges) > 1 else [],
        "cur_counts": counts[1].tolist() if len(edges) > 1 else [],
        "psi": psi(*counts),
        "eps": EPS,
    }
    edges = np.histogram_bin_edges(np.concatenate([ref, cur]), "sturges")
    between = distances(*(np.histogram(side, edges)[0] for side in (ref, cur)))
    case["js"] = {"edges": edges.tolist(), **between["js"]}
    case["hellinger"], case["total_variation"] = between["hellinger"], between["total_variation"]
    r = stats.cramervonmises_2samp(ref, cur, method="asymptotic")
    case["cramer_von_mises"] = {"statistic": r.statistic, "p_asymptotic": r.pvalue}
    if max(len(ref), len(cur)) <= 20:
        case["cramer_von_mises"]["p_exact"] = stats.cramervonmises_2samp(ref, cur, method="exact").pvalue
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # p-values outside the table are capped
        r = stats.anderson_ksamp([ref, cur], variant="midrank")
    case["anderson_darling"] = {"statistic": r.statistic, "p": r.pvalue}
    return case


def categorical(name, ref, cur):
    ref, cur = np.asarray(ref), np.asarray(cur)
    case = {"kind": "categorical", "name": name, "categories": [f"v{i}" for i in range(len(ref))]}
    case["ref_counts"], case["cur_counts"] = ref.tolist(), cur.tolist()
    for key, correction, power in [
        ("chi2_homogeneity", False, "pearson"),
        ("chi2_homogeneity_yates", True, "pearson"),
        ("g_test", False, "log-likelihood"),
    ]:
        if correction and len(ref) != 2:
            continue
        r = stats.chi2_contingency([ref, cur], correction=correction, lambda_=power)
        case[key] = {"statistic": r.statistic, "dof": r.dof, "p": r.pvalue}
    between = distances(ref, cur)
    case |= {"js": between["js"], "psi": {"psi": psi(ref, cur), "eps": EPS}}
    case |= {"hellinger": between["hellinger"], "total_variation": between["total_variation"]}
    return case


def cases():
    g = np.random.default_rng(20)
    normal, t3 = g.standard_normal, lambda n: g.standard_t(3, n)
    yield numeric("same_normal_60_45", normal(60), normal(45))
    yield numeric("shift_0.4_300_250", normal(300), normal(250) + 0.4)
    yield numeric("wider_200_400", normal(200), normal(400) * 1.6)
    yield numeric("heavy_tails_500_300", t3(500), t3(300) * 1.3)
    yield numeric("ties_150_150", np.round(normal(150) * 2), np.round(normal(150) * 2 + 0.3))
    yield numeric("two_values_80_120", (g.random(80) < 0.3) * 1.0, (g.random(120) < 0.4) * 1.0)
    yield numeric("small_12_17", normal(12), normal(17) + 0.5)
    yield numeric("small_ties_8_8", np.round(normal(8) * 2), np.round(normal(8) * 2))
    yield numeric("disjoint_15_10", g.random(15), g.random(10) + 3)
    yield numeric("lognormal_64_64", np.exp(normal(64)), np.exp(normal(64)))
    yield numeric("constant_reference_30_25", np.ones(30), np.where(g.random(25) < 0.2, 2.0, 1.0))
    shares = [np.arange(k, 0, -1.0) / np.arange(k, 0, -1.0).sum() for k in (2, 3, 8, 40)]
    yield categorical("binary_500_300", *(g.multinomial(n, p) for n, p in ((500, [0.7, 0.3]), (300, [0.62, 0.38]))))
    yield categorical("binary_small_9_7", [7, 2], [2, 5])
    yield categorical("three_1000_700_same", g.multinomial(1000, shares[1]), g.multinomial(700, shares[1]))
    yield categorical("eight_400_900_reversed", g.multinomial(400, shares[2]), g.multinomial(900, shares[2][::-1]))
    yield categorical("forty_20000_20000_same", g.multinomial(20000, shares[3]), g.multinomial(20000, shares[3]))
    yield categorical("new_and_vanished", [120, 80, 40, 0, 9], [100, 90, 0, 30, 11])


values = {
    "versions": {"scipy": scipy.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
    "cases": list(cases()),
}
print(json.dumps(values, indent=1, default=lambda number: number.item()))
