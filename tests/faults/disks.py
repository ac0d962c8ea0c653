"""Real file systems with real faults, each in a file on a loop device or in memory. Needs root."""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of ext4."""
_AT_ONCE = 2
"""Without the log being flushed: what was not synced is lost, as when the power fails."""
_SIZE = 64 << 20
EXFAT = "mount.exfat-fuse"


class UnavailableError(RuntimeError):
    """A file system that cannot be mounted here."""


@contextmanager
def ext4(folder: Path, image: Path) -> Iterator[str]:
    """A new ext4, which turns read-only at its first error; its device."""
    with _loop(image) as device:
        _call("mkfs.ext4", "-q", "-F", device)
        _mount_ext4(device, folder)
        try:
            yield device
        finally:
            _unmount(folder)


def cut_power(folder: Path) -> None:
    """From now on the ext4 fails every call; what was not synced will not be there again."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _AT_ONCE))
    finally:
        os.close(descriptor)


def turn_read_only(device: str) -> None:
    """Has the ext4 meet an error, at which it makes itself read-only, whatever is open."""
    Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("a fault")


def repair(device: str, folder: Path) -> None:
    """Mounts the ext4 again, as after a restart of the machine."""
    _unmount(folder)
    for _ in range(100):  # the kernel may take a moment to let go of it
        with suppress(UnavailableError):
            _call("e2fsck", "-f", "-y", device, status=1)
            break
        time.sleep(0.1)
    _mount_ext4(device, folder)


@contextmanager
def exfat(folder: Path, image: Path) -> Iterator[None]:
    """A new exFAT: a file system without hard links."""
    with _loop(image) as device:
        _call("mkfs.exfat", device)
        folder.mkdir(exist_ok=True)
        _call(EXFAT, "-o", "nonempty", device, folder)
        try:
            yield
        finally:
            _unmount(folder)


@contextmanager
def memory(folder: Path, kilobytes: int) -> Iterator[None]:
    """A tmpfs of a certain size."""
    folder.mkdir(exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder)
    try:
        yield
    finally:
        _unmount(folder)


def resize(folder: Path, kilobytes: int) -> None:
    """Gives a tmpfs another size."""
    _call("mount", "-o", f"remount,size={kilobytes}k", folder)


def used(folder: Path) -> int:
    """KiB that are taken on a file system."""
    figures = os.statvfs(folder)
    return (figures.f_blocks - figures.f_bfree) * figures.f_frsize >> 10


@contextmanager
def _loop(image: Path) -> Iterator[str]:
    """A block device of an empty file."""
    with image.open("wb") as stream:
        stream.truncate(_SIZE)
    try:
        device = _call("losetup", "-f", "--show", image).strip()
        try:
            yield device
        finally:
            _call("losetup", "-d", device)
    finally:
        image.unlink()


def _mount_ext4(device: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    _call("mount", "-t", "ext4", "-o", "errors=remount-ro", device, folder)


def _unmount(folder: Path) -> None:
    _call("umount", folder)


def _call(program: str, *arguments: str | Path, status: int = 0) -> str:
    """Its output. status: up to which it is accepted."""
    path = shutil.which(program)
    if path is None:
        raise UnavailableError(f"there is no {program} here")
    command = [path, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode > status:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
