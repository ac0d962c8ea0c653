"""Faults of the machine and not of one call: its power, its disk, its clock.

Each strikes at a point, as a kill does, except for a disk that is too small from the beginning.
"""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.faults import disks
from tests.faults.campaign import FULL, Bench, Found, Point, decider, disturb, judge
from tests.faults.injector import KILL_ALL, PASS, Answer, Call

_CLOCK = """\
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) {
        char seconds[24] = {0};
        int file = open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC);
        read(file, seconds, sizeof seconds - 1);
        close(file);
        now->tv_sec += atol(seconds);
    }
    return result;
}
"""
"""Preloaded: the time of day that a process is told is so many seconds off as a file says."""
JUMPS = ("-86400", "86400", "-700000000", "1100000000", "-3600", "40")
"""Seconds."""


def cut_power(bench: Bench, point: Point) -> Found:
    """ext4 forgets what was not synced, and every process is gone at once."""
    return _on_ext4(bench, point, disks.Ext4.cut_power, KILL_ALL)


def turn_read_only(bench: Bench, point: Point) -> Found:
    """ext4 meets an error and becomes read-only under what runs."""
    return _on_ext4(bench, point, disks.Ext4.turn_read_only, PASS)


def _on_ext4(
    bench: Bench, point: Point, fault: Callable[[disks.Ext4], None], answer: Answer
) -> Found:
    with disks.Ext4(bench.store.parent, bench.folder / "image") as disk:
        bench.reset(point.command)
        subprocess.run(["sync", "-f", str(bench.store.parent)], check=True)  # noqa: S607

        def strike(call: Call) -> Answer:
            fault(disk)
            return answer

        found = _at(bench, point, strike)
        disk.restart()
        judge(bench, found)
    return found


def without_links(bench: Bench, point: Point) -> Found:
    """All processes are killed, on a file system that has no hard links."""
    with disks.exfat(bench.store.parent, bench.folder / "image"):
        bench.reset(point.command)
        found = _at(bench, point, lambda _: KILL_ALL)
        judge(bench, found)
    return found


def fill(bench: Bench, point: Point) -> Found:
    """The disk has room for so many KiB beyond what is there at the beginning."""
    disk = bench.store.parent
    with disks.memory(disk, 64 << 10):
        bench.reset(point.command)
        disks.resize(disk, disks.used(disk) + point.number)
        found = disturb(bench, point, lambda _: PASS)
        found.reached = found.status != 0
        disks.resize(disk, 64 << 10)
        judge(bench, found)
    return found


def shift_clock(bench: Bench, point: Point) -> Found:
    """The clock jumps, for all processes at once; in every second case they are killed then, and
    what comes next has the right time again."""
    bench.reset(point.command)
    library, offset = bench.folder / "clock.so", bench.folder / "offset"
    _build(library)
    offset.write_text("0")
    chosen = random.Random(str(point))
    jump, killed = chosen.choice(JUMPS), chosen.random() < 0.5

    def shift(call: Call) -> Answer:
        offset.write_text(jump)
        return KILL_ALL if killed else PASS

    found = _at(
        bench,
        point,
        shift,
        LD_PRELOAD=str(library),
        CLOCK_SHIFT=str(offset),
    )
    judge(bench, found)
    return found


DISASTERS: dict[str, Callable[[Bench, Point], Found]] = {
    "power cut": cut_power,
    "read-only": turn_read_only,
    "no hard links": without_links,
    "clock": shift_clock,
    FULL: fill,
}


def unavailable(kind: str, folder: Path) -> str:
    """Why a disaster cannot be had here; empty if it can."""
    try:
        if kind in ("power cut", "read-only"):
            with disks.Ext4(folder / "disk", folder / "image"):
                pass
        if kind == "no hard links":
            with disks.exfat(folder / "disk", folder / "image"):
                pass
        if kind == FULL:
            with disks.memory(folder / "disk", 64):
                pass
    except disks.UnavailableError as error:
        return str(error)
    if kind == "clock" and shutil.which("cc") is None:
        return "there is no C compiler here"
    return ""


def _at(bench: Bench, point: Point, answer: Callable[[Call], Answer], **variables: str) -> Found:
    """Disturbs a command at its point."""
    reached: list[Call] = []
    found = disturb(bench, point, decider(point, reached, answer), **variables)
    found.reached = bool(reached)
    return found


def _build(library: Path) -> None:
    """Compiles the clock."""
    command = ["cc", "-shared", "-fPIC", "-w", "-o", str(library), "-x", "c", "-"]
    subprocess.run(command, input=_CLOCK, text=True, check=True)
