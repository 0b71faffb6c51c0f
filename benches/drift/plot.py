"""Makes the table and the plot of docs/drift.md from the JSON lines of error_rates (Ebb) and evidently_rates.py.

Usage: plot.py RATES.ndjson .. --svg docs/drift.svg; the table goes to standard output.
"""

import argparse
import json
import math

PANELS = [
    ("alarms_without_drift", "No drift", "batches that alarm"),
    ("alarms_shift_0.02", "0.02 σ in one column", "batches that alarm"),
    ("found_shift_0.3", "0.3 σ in one column", "batches in which it is found"),
]
COLOURS = {"ebb": "#d9622b", "evidently": "#6f8499"}
NAMES = {"ebb": "Ebb", "evidently": "Evidently"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 300, 230, 44, 44, 40


def size(rows):
    for unit, suffix in ((1_000_000, " M"), (1_000, " k")):
        if rows >= unit:
            return f"{rows / unit:g}{suffix}"
    return str(rows)


def table(lines):
    print("| rows on each side | " + " | ".join(f"{NAMES[t]}: {k}" for t in NAMES for k in ("no drift", "0.02 σ", "0.3 σ found")) + " |")
    print("|---|" + "---|" * 6)
    for rows in sorted({line["rows"] for line in lines}):
        cells = []
        for tool in NAMES:
            line = next((line for line in lines if line["tool"] == tool and line["rows"] == rows), None)
            if line is None:
                cells += ["–"] * 3
                continue
            for key in ("alarms_without_drift", "alarms_shift_0.02", "found_shift_0.3"):
                cells.append(f"{100 * line[key]:.1f} %".replace(".0 %", " %"))
            cells[-3] += f" of {line['repetitions']}"
        print(f"| {size(rows)} | " + " | ".join(cells) + " |")


def plot(lines):
    low, high = (math.log10(f({line["rows"] for line in lines})) for f in (min, max))
    x = lambda panel, rows: panel * WIDTH + LEFT + (math.log10(rows) - low) / (high - low) * (WIDTH - LEFT - 24)
    y = lambda share: TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(PANELS)} {HEIGHT + 24}" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#5f6b7a">',
        f'<rect width="{WIDTH * len(PANELS)}" height="{HEIGHT + 24}" fill="#ffffff"/>',
    ]
    for panel, (key, title, what) in enumerate(PANELS):
        right = x(panel, 10**high)
        parts.append(f'<text x="{panel * WIDTH + LEFT}" y="18" font-size="13" fill="#1d2430">{title}</text>')
        parts.append(f'<text x="{panel * WIDTH + LEFT}" y="33">{what}</text>')
        for share in (0, 0.5, 1):
            at = y(share)
            parts.append(f'<line x1="{x(panel, 10**low):.1f}" x2="{right:.1f}" y1="{at:.1f}" y2="{at:.1f}" stroke="#d9dee4"/>')
            parts.append(f'<text x="{panel * WIDTH + LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{share:.0%}</text>')
        limit = y(0.9 if key.startswith("found") else 0.05)
        parts.append(
            f'<line x1="{x(panel, 10**low):.1f}" x2="{right:.1f}" y1="{limit:.1f}" y2="{limit:.1f}" '
            'stroke="#1b7a4b" stroke-dasharray="4 3"/>'
        )
        for rows in sorted({line["rows"] for line in lines}):
            parts.append(f'<text x="{x(panel, rows):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{size(rows)}</text>')
        for tool, colour in COLOURS.items():
            points = [(x(panel, line["rows"]), y(line[key])) for line in sorted(lines, key=lambda line: line["rows"]) if line["tool"] == tool]
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
    for at, (tool, colour) in zip((LEFT, LEFT + 70), COLOURS.items()):
        parts.append(f'<circle cx="{at}" cy="{HEIGHT + 8}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{at + 9}" y="{HEIGHT + 12}">{NAMES[tool]}</text>')
    parts.append(f'<text x="{LEFT + 160}" y="{HEIGHT + 12}">rows on each side; dashed green: the goal</text></svg>')
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rates", nargs="+")
    parser.add_argument("--svg", required=True)
    arguments = parser.parse_args()
    lines = [json.loads(line) for path in arguments.rates for line in open(path) if line.strip()]
    table(lines)
    with open(arguments.svg, "w") as file:
        file.write(plot(lines))


if __name__ == "__main__":
    main()
