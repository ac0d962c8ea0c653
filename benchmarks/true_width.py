"""One step of XL and XXL at their true width, cut to two layers: what each rank holds in memory.

Run: OMP_NUM_THREADS=1 python benchmarks/true_width.py [xl|xxl|xl-vocabulary ...]
Every rank is a process on this machine. A rank's peak is the largest resident memory (VmHWM) from
building the model to the end of the step, less what the process held before.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.config import EncoderConfig, PretrainingConfig
from model.context import Context

LAYERS, SEQUENCES, LENGTH = 2, 2, 64
BYTES = 23
"""Of a parameter at the peak, about: a case that would not fit is left out."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A published size at one tensor-parallel degree."""

    encoder: EncoderConfig
    rows: int
    ranks: int


def _size(width: int) -> EncoderConfig:
    return EncoderConfig(layers=LAYERS, width=width, heads=32, max_positions=512, norm="pre")


CASES = {
    "xl": Case(encoder=_size(2560), rows=32_000, ranks=2),
    "xxl": Case(encoder=_size(4096), rows=32_000, ranks=8),
    "xl-vocabulary": Case(encoder=_size(2560), rows=250_880, ranks=2),
}


def _memory(name: str, file: str = "status") -> int:
    """Bytes that a line of /proc/self/<file> says (it counts in kB)."""
    lines = Path(f"/proc/self/{file}").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _rank(name: str, rank: int, folder: Path) -> None:
    import torch

    from model.encoder.encoder import build
    from model.training import distributed
    from model.training.engine import Engine

    case = CASES[name]
    # `prepare` would keep freed memory in the process, which small models want and no GPU has.
    torch.set_num_threads(1)
    Path("/proc/self/oom_score_adj").write_text("1000")  # nobody else shall die for this
    context = Context(
        work=folder,
        rank=rank,
        ranks=case.ranks,
        tensor_parallel=case.ranks,
        rendezvous=folder / "rendezvous",
    )
    distributed.join(context)
    distributed.barrier()
    before, private = _memory("VmRSS"), _memory("Pss", "smaps_rollup")
    began = time.perf_counter()
    model = build(case.encoder, case.rows, seed=1, group=distributed.tensor_parallel_group())
    held = sum(parameter.numel() for parameter in model.parameters())
    drawn = _memory("VmHWM") - before
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, case.rows, (SEQUENCES, LENGTH), generator=generator)
    count = int(0.15 * SEQUENCES * LENGTH)
    places = torch.randperm(SEQUENCES * LENGTH, generator=generator)[:count].sort().values
    targets = tokens.flatten()[places]
    torch.manual_seed(0)
    with Engine(model, PretrainingConfig(precision="bf16"), context=context) as engine:
        loss = float(engine.step([(tokens, places, targets)], 1e-4))
        norm = engine.gradient_norm
    found = {
        "rank": rank,
        "parameters": held,
        "drawn": drawn,
        "peak": _memory("VmHWM") - before,
        "pss": _memory("Pss", "smaps_rollup") - private,
        "baseline": before,
        "seconds": time.perf_counter() - began,
        "loss": loss,
        "norm": norm,
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
    distributed.barrier()


def measure(name: str) -> list[dict[str, float]]:
    """What each rank held. Raises MemoryError where the machine has not enough free memory."""
    case = CASES[name]
    width = case.encoder.width
    shared = LAYERS * 12 * width * width + case.rows * width
    kept = width * (width + case.encoder.max_positions)
    wanted = BYTES * (shared + case.ranks * kept) + 0.1e9 * case.ranks
    if wanted > _available():
        raise MemoryError(
            f"{name} wants {wanted / 1e9:.1f} GB, free are {_available() / 1e9:.1f} GB"
        )
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["deepspeed", "model.training.engine"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        processes = [
            server.Process(target=_rank, args=(name, rank, folder)) for rank in range(case.ranks)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            if process.exitcode:
                for other in processes:
                    other.kill()
                raise RuntimeError(f"{name}: a rank ended with status {process.exitcode}")
        files = [folder / f"rank{rank}.json" for rank in range(case.ranks)]
        return [json.loads(file.read_text()) for file in files]


def _available() -> int:
    """Bytes that can be had without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def main(names: list[str]) -> None:
    os.environ |= {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    print(
        "| case | ranks | parameters a rank | drawn, GB | peak, GB | bytes a parameter | "
        "PSS at the end, GB | process before, GB | loss | gradient norm |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        try:
            ranks = measure(name)
        except MemoryError as error:
            print(f"{error}: left out", file=sys.stderr)
            continue
        worst = max(ranks, key=lambda each: each["peak"])
        assert len({(each["loss"], each["norm"]) for each in ranks}) == 1  # noqa: S101
        print(
            f"| {name} | {len(ranks)} | {worst['parameters'] / 1e6:.1f} M "
            f"| {worst['drawn'] / 1e9:.2f} | {worst['peak'] / 1e9:.2f} "
            f"| {worst['peak'] / worst['parameters']:.1f} | {worst['pss'] / 1e9:.2f} "
            f"| {worst['baseline'] / 1e9:.2f} | {worst['loss']:.4f} | {worst['norm']:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(CASES))
