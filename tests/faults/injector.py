"""A supervisor that a command and all its children have to ask before they change a file.

The command starts under a seccomp filter (seccomp(2), SECCOMP_RET_USER_NOTIF), which children,
threads and whatever they execute inherit. At each call that writes, syncs, renames, creates or
removes, the kernel holds the calling thread until the supervisor has answered: let it pass, fail it
with an error number, or kill the process with the call undone or half done. All processes are seen
by one supervisor, so that the 40th write of any of them is one point, and calls are seen where they
enter the kernel, whether Python, NumPy, polars or a program of the user's own makes them. What is
not asked about runs at full speed. Needs Linux 5.19 on x86-64, and no privileges.

As a program (`python injector.py SOCKET COMMAND...`) this file is what runs under the filter: it
installs it, hands its end to the supervisor and becomes the command.
"""

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# fmt: off
_DESCRIPTOR = {
    "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "pwritev2": 328, "sendfile": 40,
    "fsync": 74, "fdatasync": 75, "ftruncate": 77, "fallocate": 285,
}  # calls whose first argument is the file
_READS = {"read": 0, "pread64": 17, "readv": 19, "preadv": 295}
_PATH = {  # calls by path: number, and which arguments are its folder's descriptor and the path
    "truncate": (76, None, 0), "rename": (82, None, 1), "renameat": (264, 2, 3),
    "renameat2": (316, 2, 3), "mkdir": (83, None, 0), "mkdirat": (258, 0, 1),
    "rmdir": (84, None, 0), "link": (86, None, 1), "linkat": (265, 2, 3), "unlink": (87, None, 0),
    "unlinkat": (263, 0, 1), "symlink": (88, None, 1), "symlinkat": (266, 1, 2),
    "open": (2, None, 0), "openat": (257, 0, 1),
}
_SECOND = {"copy_file_range": 326}  # its third argument is the file that is written to
# fmt: on
_NAMES = {
    **{number: name for name, number in (_DESCRIPTOR | _READS | _SECOND).items()},
    **{number: name for name, (number, _, _) in _PATH.items()},
}
_FLAGS = {"open": 1, "openat": 2}
"""Only an open that creates or empties a file is asked about; which argument has the flags."""
CREATES = os.O_CREAT | os.O_TRUNC

_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_SECCOMP, _NO_NEW_PRIVS = 317, 38
_LISTENER, _WAIT_KILLABLE = 8, 32
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_PASS = 1
_PIDFD_GETFD = 438
_NOTICE, _ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
_AT_FDCWD = -100
_TICK = 20
"""Milliseconds between two looks at whether the command has ended."""
_GRACE = 20.0
"""Seconds that processes have to end after the command has."""

PASS, KILL, TEAR, KILL_ALL = "pass", "kill", "tear", "kill all"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A system call that a thread is about to make."""

    name: str
    role: str
    """`launcher`, `server`, `stage`, `rank`, `git` or `program`."""
    path: str
    """The file; for a call that renames or links, its new name; `pipe:[...]` and the like."""
    process: int


Answer = str | int
"""PASS; KILL the process before the call; TEAR: let half of a write through, then kill; KILL_ALL
processes of the command; or the error number with which the call is to fail."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command came to its end."""

    status: int | None
    """None: it had to be ended, for it took longer than it may."""
    output: str
    survivors: list[str]
    """Processes that were still there when the command had long been gone."""
    seconds: float


def missing() -> str:
    """Why nothing can be injected here; empty if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "faults are injected on Linux on x86-64 only"
    try:
        run(["true"], lambda _: PASS, cwd=Path("/"))
    except OSError as error:
        return f"system calls cannot be supervised here: {error}"
    return ""


def run(
    command: Sequence[str],
    decide: Callable[[Call], Answer],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    reads: bool = False,
    timeout: float = 120.0,
) -> Ended:
    """Runs a command to the end of its last process, and asks `decide` about each call.

    reads: asks about reads too. timeout: seconds. Raises OSError if the kernel cannot do this.
    """
    began = time.monotonic()
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as output, ours:
        start = [sys.executable, "-I", "-S", __file__, str(theirs.fileno()), str(int(reads))]
        root = subprocess.Popen(
            [*start, *command],
            cwd=cwd,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs.close()
        message, descriptors, _, _ = socket.recv_fds(ours, 100, 1)
        if not descriptors:
            root.wait()
            raise OSError(message.decode() or "the filter could not be installed")
        try:
            late, survivors = _serve(descriptors[0], root, decide, began + timeout)
        finally:
            _end(root.pid)
            status = root.wait()
            os.close(descriptors[0])
        output.seek(0)
        return Ended(
            status=None if late else status,
            output=output.read().decode("utf-8", "replace"),
            survivors=survivors,
            seconds=time.monotonic() - began,
        )


def _serve(
    listener: int,
    root: "subprocess.Popen[bytes]",
    decide: Callable[[Call], Answer],
    deadline: float,
) -> tuple[bool, list[str]]:
    """Answers until all processes have ended: whether it was too late, and who remained."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    ended: float | None = None
    while True:
        for _, events in poll.poll(_TICK):
            if events & select.POLLIN:
                _answer(listener, root.pid, decide)
            elif events & select.POLLHUP:
                return False, []
        now = time.monotonic()
        if ended is None and root.poll() is not None:
            ended = now
        if ended is not None and now - ended > _GRACE:
            return False, [_command_line(process) for process in _session(root.pid)]
        if now > deadline:
            return True, []


def _answer(listener: int, root: int, decide: Callable[[Call], Answer]) -> None:
    notice = bytearray(_NOTICE.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, notice)
    except OSError:
        return  # the caller was killed meanwhile
    id, thread, _, number, _, _, *arguments = _NOTICE.unpack(notice)
    try:
        call = _call(thread, number, arguments, root)
    except OSError:
        return
    answer = decide(call)
    if answer == TEAR:
        _write_half(call, arguments)
    if answer == KILL_ALL:
        _end(root)
    if answer in (KILL, TEAR):
        with suppress(ProcessLookupError):
            os.kill(call.process, signal.SIGKILL)
    if answer in (KILL_ALL, KILL, TEAR):
        return
    error = 0 if answer == PASS else -int(answer)
    with suppress(OSError):  # killed meanwhile
        fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(id, 0, error, 0 if error else _PASS)))


def _call(thread: int, number: int, arguments: list[int], root: int) -> Call:
    name = _NAMES[number]
    process = _group(thread)
    if name in _PATH:
        _, folder, path = _PATH[name]
        named = _text(thread, arguments[path])
        at = _AT_FDCWD if folder is None else ctypes.c_int32(arguments[folder]).value
        place = "cwd" if at == _AT_FDCWD else f"fd/{at}"
        path_name = os.path.join(os.readlink(f"/proc/{thread}/{place}"), named)
    else:
        descriptor = arguments[2 if name in _SECOND else 0]
        path_name = os.readlink(f"/proc/{thread}/fd/{descriptor}")
    return Call(name=name, role=_role(process, root), path=path_name, process=process)


def _role(process: int, root: int) -> str:
    if process == root:
        return "launcher"
    command = _command_line(process)
    if "grid.launch.server" in command:
        return "server" if _stat(process)[1] == str(root) else "stage"
    if "grid.rank" in command:
        return "rank"
    return "git" if command.partition(" ")[0].endswith("git") else "program"


def _write_half(call: Call, arguments: list[int]) -> None:
    """The first half of a write to a file, as when the process dies within it."""
    descriptor, address, count, position = arguments[:4]
    if call.name not in ("write", "pwrite64") or not os.path.isfile(call.path):
        return
    with open(f"/proc/{call.process}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        half = memory.read(count // 2)
    process = os.pidfd_open(call.process)
    own = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, descriptor, 0)
    os.close(process)
    if own < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        if call.name == "write":
            os.write(own, half)
        else:
            os.pwrite(own, half, position)
    finally:
        os.close(own)


def _end(root: int) -> None:
    """Kills every process of the session that the command leads."""
    for process in _session(root):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _session(root: int) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit():
                state, _, _, session, *_ = _stat(int(entry))
                if session == str(root) and state not in "ZX":
                    yield int(entry)


def _stat(process: int) -> list[str]:
    """State, parent, process group, session, ..."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()


def _command_line(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _group(thread: int) -> int:
    for line in Path(f"/proc/{thread}/status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    raise ProcessLookupError(thread)


def _text(thread: int, address: int) -> str:
    """The path at an address of a thread's memory."""
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return os.fsdecode(memory.read(4096).partition(b"\0")[0])


def _filter(reads: bool) -> bytes:
    """The program of the filter: which system calls are asked about."""

    asked = [number for number, name in _NAMES.items() if name not in _FLAGS]
    if not reads:
        asked = [number for number in asked if _NAMES[number] not in _READS]
    flags = [(_PATH[name][0], 16 + 8 * argument) for name, argument in _FLAGS.items()]
    allow = 1 + len(asked) + len(flags)
    notify = allow + 1 + 2 * len(flags)
    program: list[bytes] = []

    def add(code: int, value: int, true: int = 0, false: int = 0) -> None:
        here = len(program) + 1  # jumps are counted from the next instruction
        jumps = [max(0, target - here) for target in (true, false)]
        program.append(struct.pack("HBBI", code, *jumps, value))

    add(0x20, 0)  # load the call's number
    for number in asked:
        add(0x15, number, notify)  # jump if it is equal
    for index, (number, _) in enumerate(flags):
        add(0x15, number, allow + 1 + 2 * index)
    add(0x06, _ALLOW)
    for _, offset in flags:
        add(0x20, offset)
        add(0x45, CREATES, notify, notify + 1)  # jump if any of the bits is set
    add(0x06, _NOTIFY)
    add(0x06, _ALLOW)
    return b"".join(program)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _become(channel: int, reads: bool, command: list[str]) -> None:
    """In the command's process: installs the filter and executes the command."""
    code = _filter(reads)
    buffer = ctypes.create_string_buffer(code)
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    ends = socket.socket(fileno=channel)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = libc.syscall(_SECCOMP, 1, _LISTENER | _WAIT_KILLABLE, ctypes.byref(program))
    if listener < 0:
        ends.send(os.strerror(ctypes.get_errno()).encode())
        sys.exit(1)
    socket.send_fds(ends, [b"listener"], [listener])
    os.close(listener)
    ends.close()
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:])
