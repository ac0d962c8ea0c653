"""A real Slurm cluster on this machine for tests: its own folder, free ports, loopback only.

munged, slurmctld, a slurmd for each node and, with accounting, MariaDB and slurmdbd run below a
guardian process, which ends them whatever becomes of the tests. Several slurmd on one host are
several nodes.
"""

import getpass
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cluster.configuration import (
    NODE,
    SLURM,
    SLURMDBD,
    WITH_ACCOUNTING,
    WITHOUT_ACCOUNTING,
)

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo")
ACCOUNTING = ("slurmdbd", "sacctmgr", "sacct", "mariadbd", "mariadb-install-db")
PACKAGES = "munge slurmctld slurmd slurm-client"
ACCOUNTING_PACKAGES = "slurmdbd mariadb-server"
COMMAND_SECONDS = 120.0
START_SECONDS = 300.0
ACCOUNT = "lab"
"""The account that may be charged, where there is accounting."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing(*, accounting: bool) -> str | None:
    """What has to be installed before a cluster can run here; None if nothing."""
    names = [*PROGRAMS, *(ACCOUNTING if accounting else ())]
    absent = [name for name in names if shutil.which(name, path=_PATH) is None]
    if not absent:
        return None
    packages = PACKAGES + (f" {ACCOUNTING_PACKAGES}" if accounting else "")
    return f"{', '.join(absent)} not found: apt-get install --no-install-recommends {packages}"


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


class Cluster:
    """A context in which the cluster runs. `nodes`, `cpus` and `memory` (MB a node) need not be
    this machine's: Slurm believes its configuration.

    user: whose daemons and jobs they are (default: this process's); another one needs root.
    credential_seconds: how long a requeued job waits before it starts again.
    node_seconds: how long a node may be silent before it is down.
    gather: `none`, or `linux`, which kills a job that holds more memory than it asked for.
    """

    def __init__(
        self,
        *,
        nodes: int = 2,
        cpus: int = 8,
        memory: int = 16000,
        accounting: bool = False,
        user: str | None = None,
        max_array_size: int = 1001,
        credential_seconds: int = 5,
        return_to_service: int = 2,
        node_seconds: int = 30,
        gather: str = "none",
        extra: Sequence[str] = (),
    ) -> None:
        self.user = user or getpass.getuser()
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        self.host = socket.gethostname().partition(".")[0]
        ctld, dbd, mysql, *ports = free_ports(3 + nodes)
        values: dict[str, object] = {
            "host": self.host,
            "user": self.user,
            "folder": self.folder,
            "ctld": ctld,
            "dbd": dbd,
            "mysql": mysql,
            "max_array_size": max_array_size,
            "credential_seconds": credential_seconds,
            "return_to_service": return_to_service,
            "node_seconds": node_seconds,
            "gather": gather,
        }
        lines = [
            NODE.format(name=name, port=port, cpus=cpus, memory=memory, host=self.host)
            for name, port in zip(self.nodes, ports, strict=True)
        ]
        values["nodes"] = "\n".join(lines)
        accounts = WITH_ACCOUNTING if accounting else WITHOUT_ACCOUNTING
        if gather == "linux":
            accounts += "\nJobAcctGatherParams=OverMemoryKill"
        values["accounting"] = "\n".join([accounts.format(**values), *extra])
        self._as_user: dict[str, Any] = {}
        if user is not None:
            owner = pwd.getpwnam(user)
            self._as_user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self.accounting = accounting
        self._mysql = mysql
        self.configuration = self.folder / "slurm.conf"
        for name in ("munge", "state", "spool", "pid", "log", "mysql"):
            (self.folder / name).mkdir(mode=0o700 if name == "mysql" else 0o755)
        self.configuration.write_text(SLURM.format(**values))
        if accounting:
            file = self.folder / "slurmdbd.conf"
            file.write_text(SLURMDBD.format(**values))
            file.chmod(0o600)
        if self._as_user:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self._as_user["user"], self._as_user["group"])
        self._guardian: subprocess.Popen[str] | None = None
        self.processes: dict[str, int] = {}
        """The process of each daemon that was started: `slurmctld`, `node1`, ..."""

    @property
    def environment(self) -> dict[str, str]:
        """For processes that are to talk to this cluster."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        path = os.pathsep.join(dict.fromkeys([*own.get("PATH", "").split(os.pathsep), *_SBIN]))
        return own | {"SLURM_CONF": str(self.configuration), "PATH": path}

    def __enter__(self) -> "Cluster":
        self._guardian = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("guardian.py")),
                str(self.folder),
                self.user,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that what kills the tests' group spares it
        )
        try:
            self._start_all()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._guardian is not None and self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait()

    def start(self, name: str) -> None:
        """Starts a daemon: `munged`, `slurmctld`, `slurmdbd`, `mariadbd` or a node."""
        commands = {
            "munged": [
                "munged",
                "--foreground",
                "--force",
                f"--key-file={self.folder}/munge/key",
                f"--socket={self.folder}/munge/socket",
                f"--pid-file={self.folder}/munge/pid",
                f"--seed-file={self.folder}/munge/seed",
                f"--log-file={self.folder}/munge/log",
            ],
            "slurmctld": ["slurmctld", "-D", "-i", "-f", str(self.configuration)],
            "slurmdbd": ["slurmdbd", "-D"],
            "mariadbd": [
                "mariadbd",
                "--no-defaults",
                f"--user={self.user}",
                f"--datadir={self.folder}/mysql",
                f"--socket={self.folder}/mysql/socket",
                f"--pid-file={self.folder}/mysql/pid",
                "--bind-address=127.0.0.1",
                f"--port={self._mysql}",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
                "--innodb-lock-wait-timeout=900",
            ],
        }
        command = commands.get(name) or ["slurmd", "-D", "-N", name, "-f", str(self.configuration)]
        command = [shutil.which(command[0], path=_PATH) or command[0], *command[1:]]
        assert self._guardian is not None
        assert self._guardian.stdin is not None and self._guardian.stdout is not None
        record = {
            "command": command,
            "environment": self.environment,
            "log": str(self.folder / "log" / f"{name}.output"),
        }
        self._guardian.stdin.write(json.dumps(record) + "\n")
        self._guardian.stdin.flush()
        self.processes[name] = int(self._guardian.stdout.readline())

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends a daemon and waits until it is gone; `start` starts it again."""
        process = self.processes.pop(name)
        os.kill(process, number)
        self.wait_for(lambda: not Path(f"/proc/{process}").exists(), f"the end of {name}")

    def saved(self, text: str) -> bool:
        """Whether a job with this text has reached the controller's files.

        They are written some seconds after a change; of what is not there a SIGKILL leaves nothing.
        """
        return text.encode() in (self.folder / "state" / "job_state").read_bytes()

    def restart(self, name: str) -> None:
        """Ends a daemon, which saves its state, and starts it again."""
        self.kill(name, signal.SIGTERM)
        self.start(name)

    def call(self, *command: str, check: bool = True, seconds: float = COMMAND_SECONDS) -> str:
        """What a command of Slurm's prints, without its last newline."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **self._as_user,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def job(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says of one job or array element: JobState, Restarts, ..."""
        text = self.call("scontrol", "show", "job", "-o", job).partition("\n")[0]
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def jobs(self) -> dict[str, str]:
        """The states of the jobs that are not over, array elements one by one."""
        lines = self.call("squeue", "-h", "-r", "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)  # type: ignore[misc]  # two words each

    def wait_for(
        self, what: Callable[[], object], name: str, seconds: float = START_SECONDS
    ) -> None:
        """Until it is so. An error, with the ends of the logs, if it takes far too long."""
        limit = time.monotonic() + seconds
        while not what():
            if time.monotonic() > limit:
                raise TimeoutError(f"no {name} within {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.05)

    def logs(self, lines: int = 15) -> str:
        """The end of each daemon's log."""
        parts = []
        for file in sorted([*(self.folder / "log").iterdir(), self.folder / "munge" / "log"]):
            if file.is_file() and file.stat().st_size:
                last = file.read_text(errors="replace").splitlines()[-lines:]
                parts.append("\n".join([f"== {file.name}", *last]))
        return "\n".join(parts)

    def reset(self) -> None:
        """Cancels every job and has every node up again: what a test leaves to the next one."""
        for name in ("munged", "slurmctld", *self.nodes):
            if name not in self.processes:
                self.start(name)
        self.wait_for(self._answers, "slurmctld")
        for job in self.jobs():
            self.call("scancel", "--quiet", job, check=False)
        self.wait_for(lambda: not self.jobs(), "end of the jobs")
        for line in self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%N %t").splitlines():
            node, state = line.split()
            if state.rstrip("*") in ("down", "drain", "drng"):
                # It may come back by itself meanwhile.
                self.call("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        self.wait_for(self._all_idle, "idle nodes")

    def _start_all(self) -> None:
        self.call("mungekey", "-c", "-k", str(self.folder / "munge" / "key"))
        self.start("munged")
        self.wait_for((self.folder / "munge" / "socket").exists, "munge socket")
        if self.accounting:
            self._start_accounting()
        for name in ("slurmctld", *self.nodes):
            self.start(name)
        if self.accounting:
            self._add_account()
        self.wait_for(self._all_idle, "idle nodes")

    def _start_accounting(self) -> None:
        self.call(
            "mariadb-install-db",
            "--no-defaults",
            f"--user={self.user}",
            f"--datadir={self.folder}/mysql",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            seconds=START_SECONDS,
        )
        self.start("mariadbd")
        client = ["mariadb", "--no-defaults", "-u", "root", f"-S{self.folder}/mysql/socket", "-e"]
        grant = (
            "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm'; "
            "CREATE USER slurm@localhost IDENTIFIED BY 'slurm'; "
            "GRANT ALL ON *.* TO slurm@'127.0.0.1'; GRANT ALL ON *.* TO slurm@localhost"
        )
        self.wait_for(lambda: self._succeeds(*client, "SELECT 1"), "MariaDB")
        self.call(*client, grant)
        self.start("slurmdbd")
        self.wait_for(lambda: self._succeeds("sacctmgr", "-n", "list", "cluster"), "slurmdbd")

    def _add_account(self) -> None:
        add = ["sacctmgr", "-i", "-Q", "add"]
        self.wait_for(lambda: "test" in self.call("sacctmgr", "-n", "list", "cluster"), "cluster")
        self.call(*add, "account", ACCOUNT, "Cluster=test", check=False)
        self.call(*add, "user", self.user, f"Account={ACCOUNT}", check=False)
        modify = ["sacctmgr", "-i", "-Q", "modify", "user", self.user, "set"]
        self.call(*modify, f"DefaultAccount={ACCOUNT}")  # root has one of its own

    def _succeeds(self, *command: str) -> bool:
        try:
            self.call(*command, seconds=5)
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True

    def _answers(self) -> bool:
        return self._succeeds("scontrol", "ping") and self._succeeds("squeue", "-h")

    def _all_idle(self) -> bool:
        try:
            states = self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%t", seconds=5).split()
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return len(states) == len(self.nodes) and set(states) == {"idle"}


_SBIN = _PATH.split(":")
