"""Ranks of one machine are met by nobody from another one."""

import os
from pathlib import Path

import pytest

from model.context import Context
from tests.model.training.ranks import together

_LISTENS = "0A"


def listening(context: Context) -> list[str]:
    """The addresses at which this process takes connections, in hexadecimal, as the kernel says."""
    own = set()
    for link in os.listdir("/proc/self/fd"):
        try:
            own.add(os.readlink(f"/proc/self/fd/{link}"))
        except FileNotFoundError:  # the listing's own
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and f"socket:[{fields[9]}]" in own:
                found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.parametrize("ranks", [1, 2])
def test_what_ranks_listen_at(tmp_path: Path, ranks: int) -> None:
    every = together(listening, tmp_path, ranks=ranks)
    assert len(every) == ranks and any(every), "rank 0 is met somewhere"
    assert {address for found in every for address in found} == {"0100007F"}, "127.0.0.1 alone"
