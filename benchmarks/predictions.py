"""Predicted against measured: peak memory and time of pretrainings that calibration has not seen.

`python benchmarks/predictions.py --calibrate` measures this machine anew (grid.budget.calibrate),
then runs each configuration through the pretraining stage in a fresh process of one thread
(model/training/trial.py) and prints the table of benchmarks/predictions.md. Times are CPU seconds,
the least of `--repeats`; memory is VmHWM, the most of them. About five minutes on a quiet machine.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from grid.budget import calibrate  # noqa: E402
from grid.budget.calibrate import shape_of, trial  # noqa: E402
from grid.budget.calibration import Calibration, calibration  # noqa: E402
from grid.budget.devices import device  # noqa: E402
from grid.budget.layout import memory_of  # noqa: E402
from grid.budget.time import start_seconds, update_seconds  # noqa: E402
from model.training.trial import Trial, measure  # noqa: E402

MEMORY_WITHIN, TIME_WITHIN = 0.10, 0.25
UNSEEN = (
    trial(3, 192, 6, 96, 24, 6000, updates=30),
    trial(2, 320, 5, 128, 16, 24_000, updates=15, norm="pre"),
    trial(6, 256, 8, 64, 48, 12_000, updates=12, dropout=0.0),
    trial(1, 640, 10, 128, 12, 20_000, updates=12),
    trial(10, 192, 6, 128, 16, 5000, updates=10, micro_batch=4),
    trial(3, 512, 8, 192, 8, 10_000, updates=8, checkpointing=True),
    trial(8, 320, 5, 96, 16, 16_000, updates=8, micro_batch=8, checkpointing=True),
    trial(2, 128, 4, 40, 96, 60_000, updates=12, dropout=0.0, masked=0.3),
    trial(3, 384, 6, 128, 12, 12_000, updates=8, precision="fp32"),
    trial(3, 224, 7, 48, 64, 40_000, updates=25, dropout=0.0, masked=0.3),
    trial(5, 160, 5, 72, 40, 90_000, updates=8, norm="pre", micro_batch=20),
    # Added when formulas and coefficients were final.
    trial(4, 128, 4, 80, 32, 15_000, updates=40),
    trial(2, 448, 7, 64, 24, 9000, updates=20, norm="pre"),
    trial(6, 384, 6, 96, 12, 7000, updates=8, checkpointing=True),
    trial(1, 256, 4, 128, 32, 48_000, updates=12, dropout=0.0),
    trial(12, 128, 4, 64, 32, 8000, updates=15, micro_batch=8),
)
"""Width 128 to 640, depth 1 to 12, vocabulary 5,000 to 90,000, micro-batches, checkpointing."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration, predicted and measured."""

    trial: Trial
    memory: tuple[float, float]
    update: tuple[float, float]
    whole: tuple[float, float]

    def errors(self) -> tuple[float, float, float]:
        """Predicted over measured, less 1: memory, an update, the whole process."""
        memory, update, whole = (a / b - 1 for a, b in (self.memory, self.update, self.whole))
        return memory, update, whole


def compared(wanted: Trial, known: Calibration, repeats: int) -> Row:
    """Predicts a trial, then runs it as often."""
    shape = shape_of(wanted)
    update = update_seconds(shape, device("cpu"), known.seconds)
    whole = start_seconds(shape, known.seconds) + wanted.pretraining.updates * update
    costs = [measure(wanted) for _ in range(repeats)]
    return Row(
        trial=wanted,
        memory=(memory_of(shape, "cpu", known).total, max(c.peak_bytes for c in costs)),
        update=(update, min(c.update_seconds for c in costs)),
        whole=(whole, min(c.cpu_seconds for c in costs)),
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown, a row for each configuration."""
    lines = [
        "| layers | width | length | batch | micro-batch | vocabulary | precision | recomputed | "
        "memory, MB: predicted | measured | error | update, s: predicted | measured | error | "
        "process, s: predicted | measured | error |",
        "|" + "---|" * 17,
    ]
    for row in rows:
        encoder, recipe = row.trial.encoder, row.trial.pretraining
        shape = shape_of(row.trial)
        cells = [
            encoder.layers,
            encoder.width,
            recipe.sequence_length,
            recipe.batch_size,
            shape.micro_batch,
            f"{row.trial.vocab_size:,}",
            recipe.precision,
            "yes" if shape.checkpointing else "no",
        ]
        for (predicted, measured), error, unit, digits in zip(
            (row.memory, row.update, row.whole), row.errors(), (1e6, 1, 1), (0, 3, 1), strict=True
        ):
            cells += [f"{predicted / unit:,.{digits}f}", f"{measured / unit:,.{digits}f}"]
            cells.append(f"{error:+.1%}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Prints the table; exit status 1 if a prediction misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a calibrated store; without it, the default")
    parser.add_argument("--calibrate", action="store_true", help="measure this machine first")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each (%(default)s)")
    options = parser.parse_args()
    if options.calibrate:
        where = ["--committed"] if options.store is None else ["--store", str(options.store)]
        calibrate.main(where)
    known = calibration("cpu", options.store)
    rows = []
    for number, wanted in enumerate(UNSEEN, 1):
        rows.append(compared(wanted, known, options.repeats))
        print(f"{number} of {len(UNSEEN)}", file=sys.stderr, flush=True)
    print(f"Calibrated by {known.source}.\n\n{table(rows)}")
    worst = [max(abs(row.errors()[part]) for row in rows) for part in range(3)]
    print(f"\nWorst errors: memory {worst[0]:.1%}, update {worst[1]:.1%}, process {worst[2]:.1%}.")
    return 0 if worst[0] <= MEMORY_WITHIN and max(worst[1:]) <= TIME_WITHIN else 1


if __name__ == "__main__":
    sys.exit(main())
