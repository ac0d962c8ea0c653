"""Leases: exactly one process works on a stage, on one machine or on many that share a folder.

A lease is a folder of numbered files, the generations; the highest belongs to the holder. Whoever
takes over from generation n creates n + 1 exclusively, so of two takers one wins, and the holder
makes sure that it still is one in the same way: no lock is ever broken, no clock is compared, and
nothing depends on a directory listing being fresh. A holder changes a counter in its file; another
process takes over when its own monotonic clock has seen no change for the expiry, or at once if the
holder was a process of this very machine and boot that no longer lives. Generations are only
removed after the artifact is published, when nobody needs the lease any more.
"""

import errno
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from grid.confine import read_file

EXPIRY = 30.0
"""Seconds without a change after which a lease may be taken over."""
BEAT = 5.0
"""Seconds between two changes of the counter."""

SILENT = 3600.0
"""Seconds without a change after which a holder of another machine is taken for gone."""
_COUNTER = 20
_RELEASED = b"released".ljust(_COUNTER)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process, so that another on the same machine can tell whether it lives."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    """Clock ticks since boot at which it started: a reused pid has another value."""
    stage: str = ""
    key: str = ""

    def same_machine(self, other: "Holder") -> bool:
        """Whether both see the same process ids, of the same boot of the same machine."""
        return bool(self.boot and self.namespace) and (
            (self.host, self.boot, self.namespace) == (other.host, other.boot, other.namespace)
        )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a lease said when it was read."""

    generation: int
    counter: str
    holder: Holder | None
    """None if the file could not be read whole: it was being written, or its writer died."""

    @property
    def released(self) -> bool:
        return self.counter == _RELEASED.decode()

    @property
    def dead(self) -> bool:
        """Whether the holder surely does not live any more."""
        return self.holder is not None and _process(self.holder) == "dead"

    @property
    def alive(self) -> bool:
        """Whether the holder surely lives and runs: not dead, not stopped, on this machine."""
        return self.holder is not None and _process(self.holder) == "alive"


def read(folder: Path) -> Seen | None:
    """The lease's present generation; None if it has none."""
    generation = _latest(folder)
    if generation == 0:
        return None
    try:
        content = read_file(folder / str(generation))
        record = json.loads(content[_COUNTER:])
        holder = Holder(**record)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, RecursionError):
        holder = None
    return Seen(
        generation=generation,
        counter=content[:_COUNTER].decode("ascii", "replace"),
        holder=holder,
    )


def held(folder: Path) -> bool:
    """Whether a process seems to hold the lease, by one look at it.

    A holder of another machine that has not touched it for an hour is taken for gone. Only to tell
    a person, or to be careful: whoever wants the lease watches it with an Observer.
    """
    silent = silence(folder)
    return silent is not None and silent <= SILENT


def silence(folder: Path) -> float | None:
    """Seconds since the lease's holder was last heard of, by one look; None if it has none.

    0 for a process of this machine that runs; between machines as good as their clocks agree.
    """
    seen = read(folder)
    if seen is None or seen.released or seen.dead:
        return None
    if seen.alive:
        return 0.0
    return max(0.0, time.time() - _touched(folder, seen.generation))


def touched(folder: Path) -> float:
    """When the lease was last written to, by the file system's clock; 0 if there is none."""
    return _touched(folder, _latest(folder))


def _touched(folder: Path, generation: int) -> float:
    try:
        return (folder / str(generation)).stat().st_mtime
    except FileNotFoundError:
        return 0.0  # its holder published and removed it just now


class Observer:
    """Watches one lease over time, to tell a holder that works from one that is gone."""

    def __init__(self, folder: Path, expiry: float | None = None) -> None:
        self.folder = folder
        self.expiry = EXPIRY if expiry is None else expiry
        self.seen: Seen | None = None
        self.alive = False
        """Whether the holder surely lived at the last look."""
        self._since = time.monotonic()

    def available(self) -> bool:
        """Whether the lease may be taken now. Call it every second or so."""
        now = read(self.folder)
        self.alive = False
        if now is None or now.released or now.dead:
            self.seen = now
            return True
        self.alive = now.alive
        if now != self.seen or self.alive:
            self.seen = now
            self._since = time.monotonic()
            return False
        return time.monotonic() - self._since >= self.expiry


def acquire(
    folder: Path, *, stage: str = "", key: str = "", stale: Seen | None = None
) -> "Lease | None":
    """The lease, with its counter running; None if another process holds it.

    `stale` is what an Observer saw unchanged for the expiry: that holder may be displaced.
    """
    for _ in range(10):
        folder.mkdir(parents=True, exist_ok=True)
        now = read(folder)
        if now is not None and not (now.released or now.dead or now == stale):
            return None
        generation = 0 if now is None else now.generation
        try:
            created = _create(folder, generation + 1, stage, key)
        except FileNotFoundError:
            continue  # its last holder published and removed the folder just now
        return Lease(folder, generation + 1, stage, key) if created else None
    return None


class Lease:
    """A lease that this process holds. A thread keeps changing its counter."""

    def __init__(self, folder: Path, generation: int, stage: str, key: str) -> None:
        self.folder = folder
        self.stage = stage
        self.key = key
        self._generation = generation
        self._counter = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._on_loss: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def when_lost(self, act: Callable[[], None]) -> None:
        """Has `act` called, by the lease's own thread, when another process has taken over.

        A process that was stopped learns of it as soon as it wakes up.
        """
        self._on_loss = act

    def confirm(self) -> bool:
        """Whether the lease is still our own: decided by creating its next generation."""
        with self._lock:
            if self.lost():
                return False
            try:
                if not _create(self.folder, self._generation + 1, self.stage, self.key):
                    return False
            except FileNotFoundError:
                return False  # another process published, and removed the lease
            self._generation += 1
            return True

    def lost(self) -> bool:
        """Whether another process has taken over: cheaper than `confirm`, and writes nothing.

        It may have published and removed the lease since: then our own generation is gone.
        """
        own = self.folder / str(self._generation)
        return _latest(self.folder) > self._generation or not os.path.lexists(own)

    def release(self) -> None:
        """Lets the next one in at once, after work that did not end in an artifact."""
        self._stop()
        self._write(_RELEASED)

    def remove(self) -> None:
        """Removes the lease for good: only after its artifact is published.

        Of a lease that was lost only what was its own goes: the rest is another's.
        """
        self._stop()
        remove(self.folder, self._generation)

    def _stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                self._counter += 1
                # A file system that fails now and then costs the lease at worst, and that is
                # found out by `confirm`; the work itself must not end for it.
                with suppress(OSError):
                    if self._on_loss is not None and self.lost():
                        break
                    self._write(str(self._counter).zfill(_COUNTER).encode())
        else:
            return
        self._on_loss()

    def _write(self, counter: bytes) -> None:
        # Without O_CREAT: a lease that another process removed must not come back.
        try:
            descriptor = os.open(self.folder / str(self._generation), os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            os.pwrite(descriptor, counter, 0)
        finally:
            os.close(descriptor)


def remove(folder: Path, last: int) -> None:
    """Removes a lease's files up to this generation, which goes last: it is never free before."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    numbers = {name: int(name) if name.isdigit() else 0 for name in names}
    for name in sorted(names, key=numbers.__getitem__):
        if numbers[name] <= last:
            with suppress(FileNotFoundError):
                os.unlink(folder / name)
    with suppress(OSError):
        os.rmdir(folder)  # not empty if another process has come: it will remove it


def sweep(folder: Path) -> None:
    """Removes what a process left that died as it took a lease that nobody has held yet.

    One that lives and is about to take it finds its file gone, and begins again.
    """
    with suppress(OSError):  # another was here before, came just now, or may do what we may not
        names = os.listdir(folder)
        if not any(name.isdigit() for name in names):
            for name in names:
                os.unlink(folder / name)
            os.rmdir(folder)


def myself(stage: str = "", key: str = "") -> Holder:
    """This process."""
    host, boot, namespace = _machine()
    pid = os.getpid()
    return Holder(
        host=host,
        boot=boot,
        namespace=namespace,
        pid=pid,
        started=_started(pid)[0],
        stage=stage,
        key=key,
    )


def _latest(folder: Path) -> int:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return max((int(name) for name in names if name.isdigit()), default=0)


def _create(folder: Path, generation: int, stage: str, key: str) -> bool:
    """Creates a generation whole and exclusively; False if it exists."""
    record = asdict(myself(stage, key))
    content = b"0" * _COUNTER + json.dumps(record, sort_keys=True).encode()
    place = folder / str(generation)
    private = folder / f"new-{uuid.uuid4().hex}"
    private.write_bytes(content)
    try:
        os.link(private, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        return _create_without_links(place, content)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(private)
    return True


def _create_without_links(place: Path, content: bytes) -> bool:
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    return True


@cache
def _machine() -> tuple[str, str, str]:
    """Host name, boot id and process namespace; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
        if os.readlink("/proc/self") != str(os.getpid()):
            namespace = ""  # /proc is of another namespace: its numbers are other processes'
    except OSError:
        boot = namespace = ""
    return socket.gethostname(), boot, namespace


def _started(pid: int) -> tuple[str, str]:
    """Start time and state letter of a process; empty if there is none that may be looked at."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return "", ""
    fields = re.sub(r"^.*\) ", "", stat, flags=re.DOTALL).split()
    return fields[19], fields[0]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process(holder: Holder) -> str:
    """`alive`, `stopped`, `dead` or `unknown` (another machine, boot or namespace, or hidden)."""
    if not holder.same_machine(myself()):
        return "unknown"
    started, state = _started(holder.pid)
    if not started and _exists(holder.pid):
        return "unknown"  # of another user, whom /proc hides from this one (hidepid)
    if started != holder.started or state in "ZXx":
        return "dead"
    return "stopped" if state in "Tt" else "alive"
