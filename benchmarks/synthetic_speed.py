"""Speed of the synthetic source: MB of text a second of CPU time on one core.

The yardstick is zlib at its default level over the same text in the same run, so that numbers from
two machines can be compared by their ratio.

    OMP_NUM_THREADS=1 python benchmarks/synthetic_speed.py [MEGABYTES]
"""

import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

from model.config import SyntheticConfig
from model.text.synthetic import write_corpus

LANGUAGES = ("en", "sw", "ru", "hi", "zh", "th")


def megabytes_a_second(size: int, work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return size / 1e6 / (time.process_time() - start)


def main() -> None:
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 30_000_000
    print("| profile | language | MB/s | zlib, MB/s | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        for profile, language in product(("wikipedia", "cc100"), LANGUAGES):
            config = SyntheticConfig(profile=profile, size=size, skew=0)
            made = megabytes_a_second(size, partial(write_corpus, config, language, path))
            text = path.read_bytes()
            packed = megabytes_a_second(len(text), partial(zlib.compress, text))
            row = f"{made:.1f} | {packed:.1f} | {made / packed:.2f}"
            print(f"| {profile} | {language} | {row} |", flush=True)


if __name__ == "__main__":
    main()
