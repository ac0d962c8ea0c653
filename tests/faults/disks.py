"""Real file systems with real faults, each in a file on a loop device or in memory. Needs root."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of ext4."""
_AT_ONCE = 2
"""Without the log being flushed: what was not synced is lost, as when the power fails."""
_SIZE = 64 << 20
EXFAT = "mount.exfat-fuse"


class UnavailableError(RuntimeError):
    """A file system that cannot be mounted here."""


class Ext4:
    """An ext4 at a folder, which turns read-only at its first error."""

    def __init__(self, folder: Path, image: Path) -> None:
        self._folder = folder
        self._image = image
        self._disk = ExitStack()
        self._device = ""

    def __enter__(self) -> "Ext4":
        with self._image.open("wb") as stream:
            stream.truncate(_SIZE)
        try:
            self._attach()
            _call("mkfs.ext4", "-q", "-F", self._device)
            self._mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.close()
        self._image.unlink()

    def cut_power(self) -> None:
        """From now on every call fails; what was not synced will not be there again."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _AT_ONCE))
        finally:
            os.close(descriptor)

    def turn_read_only(self) -> None:
        """Has it meet an error, at which it makes itself read-only, whatever is open."""
        Path("/sys/fs/ext4", Path(self._device).name, "trigger_fs_error").write_text("a fault")

    def restart(self) -> None:
        """Checks what is on the disk and mounts it, as after a restart of the machine.

        From a copy: another namespace of the machine may hold the faulty one for a while.
        """
        copy = self._image.with_name("copy")
        shutil.copyfile(self._image, copy)
        self._disk.close()
        copy.replace(self._image)
        self._attach()
        _call("e2fsck", "-f", "-y", self._device, status=1)
        self._mount()

    def _attach(self) -> None:
        self._device = _call("losetup", "-f", "--show", self._image).strip()
        self._disk.callback(_call, "losetup", "-d", self._device)

    def _mount(self) -> None:
        self._folder.mkdir(exist_ok=True)
        _call("mount", "-t", "ext4", "-o", "errors=remount-ro", self._device, self._folder)
        self._disk.callback(_call, "umount", self._folder)


@contextmanager
def exfat(folder: Path, image: Path) -> Iterator[None]:
    """A new exFAT: a file system without hard links."""
    with ExitStack() as disk:
        with image.open("wb") as stream:
            stream.truncate(_SIZE)
        disk.callback(image.unlink)
        device = _call("losetup", "-f", "--show", image).strip()
        disk.callback(_call, "losetup", "-d", device)
        _call("mkfs.exfat", device)
        folder.mkdir(exist_ok=True)
        _call(EXFAT, "-o", "nonempty", device, folder)
        disk.callback(_call, "umount", folder)
        yield


@contextmanager
def memory(folder: Path, kilobytes: int) -> Iterator[None]:
    """A tmpfs of a certain size."""
    folder.mkdir(exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder)
    try:
        yield
    finally:
        _call("umount", folder)


def resize(folder: Path, kilobytes: int) -> None:
    """Gives a tmpfs another size."""
    _call("mount", "-o", f"remount,size={kilobytes}k", folder)


def used(folder: Path) -> int:
    """KiB that are taken on a file system."""
    figures = os.statvfs(folder)
    return (figures.f_blocks - figures.f_bfree) * figures.f_frsize >> 10


def _call(program: str, *arguments: str | Path, status: int = 0) -> str:
    """Its output. status: up to which it is accepted."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise UnavailableError(f"there is no {program} here")
    command = [path, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode > status:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
