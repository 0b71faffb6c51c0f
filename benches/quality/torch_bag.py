"""The network of Ebb in PyTorch on the CPU: the peer of training.py, in a process of its own.

Inputs are encoded as Ebb encodes them: a number becomes how far it has come through each of 16 quantile bins, and a
smoothly clipped score; a category one-hot. Then one learned scale an input, two hidden layers of 192 with SiLU and
dropout, AdamW with warm-up and cosine, batches of 256, label smoothing, five members that each hold out another fifth
and are scored on it after each epoch. `stacked` trains the members side by side in batched products, `loop` one after
the other: what is faster depends on the machine.

Prints one JSON object: seconds of the fit alone, the rows that optimizer steps saw over members and epochs, and the
mean held-out log-loss, which says that something was learnt.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from synthetic import TARGET

BINS, WIDTH, BATCH, MEMBERS = 16, 192, 256, 5
RATE, DECAY, DROPOUT, SMOOTHING, SCALE_SPEED = 1e-2, 3e-2, 0.3, 0.1, 6.0


def encode(frame: pd.DataFrame) -> torch.Tensor:
    """Inputs, shape `[n_rows, n_inputs]`."""
    blocks = []
    for name in frame:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(np.float32)
            edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)).astype(np.float32))
            blocks.append(np.clip((values[:, None] - edges[:-1]) / np.diff(edges), 0, 1))
            score = (values - np.median(values)) / np.subtract(*np.quantile(values, [0.75, 0.25]))
            blocks.append((score / np.sqrt(1 + (score / 3) ** 2)).astype(np.float32)[:, None])
        else:
            codes = column.astype("category").cat.codes.to_numpy()
            # A place for levels never seen is part of the network.
            blocks.append(np.eye(codes.max() + 2, dtype=np.float32)[codes])
    return torch.from_numpy(np.concatenate(blocks, axis=1))


class Bag(torch.nn.Module):
    """`members` networks side by side."""

    def __init__(self, members: int, n_inputs: int) -> None:
        super().__init__()
        widths = [n_inputs, WIDTH, WIDTH, 1]
        self.scales = torch.nn.Parameter(torch.full((members, 1, n_inputs), 1 / SCALE_SPEED))
        starts = [torch.randn(members, rows, columns) * (2 / rows) ** 0.5 for rows, columns in pairwise(widths)]
        self.weights = torch.nn.ParameterList(torch.nn.Parameter(start) for start in starts)
        self.biases = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(members, 1, n)) for n in widths[1:])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits `[members, n_rows]` of inputs `[members, n_rows, n_inputs]`."""
        values = inputs * (self.scales * SCALE_SPEED)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.baddbmm(bias, values, weight)
            if layer < 2:
                values = functional.dropout(functional.silu(values), DROPOUT, self.training)
        return values.squeeze(2)


def fit(inputs: torch.Tensor, target: torch.Tensor, held_out: list[torch.Tensor], epochs: int) -> tuple[int, float]:
    """Fits a bag with one member for each held-out set; the rows seen, and the mean log-loss on those sets."""
    members, n_rows = len(held_out), len(target)
    bag = Bag(members, inputs.shape[1])
    kept = []
    for rows in held_out:
        mask = torch.ones(n_rows, dtype=torch.bool)
        mask[rows] = False
        kept.append(mask.nonzero().squeeze(1))
    steps = min(len(rows) for rows in kept) // BATCH
    optimizer = torch.optim.AdamW(bag.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.98))
    warm_up = max(1, epochs * steps // 20)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, 1.0, warm_up)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs * steps - warm_up))
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [warm_up])
    smooth = target * (1 - SMOOTHING) + SMOOTHING / 2
    scores = []
    for _ in range(epochs):
        bag.train()
        order = torch.stack([rows[torch.randperm(len(rows))[: steps * BATCH]] for rows in kept])
        for step in range(steps):
            rows = order[:, step * BATCH : (step + 1) * BATCH]
            # Summed over members: each has its own gradient, as if it were alone.
            loss = functional.binary_cross_entropy_with_logits(bag(inputs[rows]), smooth[rows]) * members
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        scores.append(score(bag, inputs, target, torch.stack(held_out)))
    return members * epochs * steps * BATCH, min(scores)


@torch.no_grad()
def score(bag: Bag, inputs: torch.Tensor, target: torch.Tensor, rows: torch.Tensor) -> float:
    """The members' mean log-loss on `rows`, shape `[members, n_held_out]`."""
    bag.eval()
    losses = [
        functional.binary_cross_entropy_with_logits(bag(inputs[part]), target[part], reduction="sum").item()
        for part in rows.split(4096, dim=1)
    ]
    return sum(losses) / rows.numel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="rows of synthetic.py")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--members", choices=["stacked", "loop"], required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(7)
    frame = pd.read_parquet(args.data) if args.data.suffix == ".parquet" else pd.read_csv(args.data)
    target = torch.from_numpy(frame.pop(TARGET).to_numpy(np.float32))
    start = time.perf_counter()
    inputs = encode(frame)
    encode_s = time.perf_counter() - start
    n_rows, fifth = len(frame), len(frame) // 5
    order = torch.randperm(n_rows)
    held_out = [order[member * fifth : (member + 1) * fifth] for member in range(MEMBERS)]
    start, cpu = time.perf_counter(), time.process_time()
    bags = [held_out] if args.members == "stacked" else [[rows] for rows in held_out]
    fits = [fit(inputs, target, bag, args.epochs) for bag in bags]
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - cpu,
                "encode_seconds": encode_s,
                "rows_seen": sum(rows for rows, _ in fits),
                "inputs": inputs.shape[1],
                "log_loss": sum(loss for _, loss in fits) / len(fits),
            }
        )
    )


if __name__ == "__main__":
    main()
