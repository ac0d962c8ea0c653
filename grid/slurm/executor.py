"""The job script of an array, through submitit: its command is our element, and no pickle.

submitit writes the script from parameters that it checks, and reads sbatch's answer. What it does
around that (a pickled function, a result to wait for) is not used: a job is a command line, and
what came of it is in the store.
"""

import os
import shlex
from collections.abc import Mapping

import submitit

from grid.slurm.resources import Resources
from grid.slurm.settings import SlurmConfig
from grid.slurm.submission import Array, Submission, comment


class Executor(submitit.SlurmExecutor):
    """Makes job scripts for the arrays of one submission, and submits them."""

    def __init__(self, submission: Submission, *, arrays: bool = True) -> None:
        """arrays: whether the cluster knows job arrays."""
        self.submission = submission
        self._arrays = arrays
        super().__init__(folder=submission.folder, python=submission.execution.slurm.python)

    @classmethod
    def affinity(cls) -> int:
        """A script can be made where there is no Slurm, and the jobs need no srun."""
        return 2

    def script(self, array: Array, jobs: Mapping[str, str]) -> str:
        """The text of an array's job script. jobs: numbers of the arrays that it waits for."""
        self.parameters = {}
        settings = self.submission.execution.slurm
        resources = array.resources
        self.update_parameters(**self._named(array, resources, settings))
        self.update_parameters(
            additional_parameters=self._more(array, resources, settings, jobs),
            setup=self._setup(resources),
            stderr_to_stdout=True,
            use_srun=False,
            wckey=None,
        )
        command = ["-u", "-m", "grid.slurm.element", str(self.submission.folder), array.name]
        return self._make_submission_file_text(f"exec {self.python} {shlex.join(command)}", "")

    def job_of(self, answer: str) -> str:
        """The job's number in what sbatch printed. Raises submitit's FailedSubmissionError."""
        return str(self._get_job_id_from_submission_command(answer))

    def _named(
        self, array: Array, resources: Resources, settings: SlurmConfig
    ) -> dict[str, object]:
        """What submitit has a name for."""
        placement = resources.placement
        own = comment(self.submission.id, array.name)
        parameters: dict[str, object] = {
            "job_name": f"{self.submission.study}-{array.name}" if settings.comment else own,
            "comment": own if settings.comment else None,
            "time": resources.minutes,
            "nodes": resources.nodes,
            "ntasks_per_node": resources.tasks_per_node,
            "cpus_per_task": resources.cpus,
            "mem": _memory(resources.memory_mb),
            "mail_user": settings.mail_user,
            "mail_type": settings.mail_type,
            "partition": placement.partition,
            "account": placement.account,
            "qos": placement.qos,
            "constraint": placement.constraint,
            "nodelist": placement.nodelist,
            "exclude": placement.exclude,
        }
        gpus = resources.gpus_per_node
        if gpus and placement.gres is not None:
            parameters["gres"] = placement.gres.replace("{gpus}", str(gpus))
        elif gpus and placement.gpu_type is None:
            parameters["gpus_per_node"] = gpus
        return {name: value for name, value in parameters.items() if value is not None}

    def _more(
        self, array: Array, resources: Resources, settings: SlurmConfig, jobs: Mapping[str, str]
    ) -> dict[str, object]:
        """What submitit has no name for, or writes otherwise than a command line wants it."""
        placement = resources.placement
        more: dict[str, object] = {}
        for option in placement.extra or []:
            name, equals, value = option.removeprefix("--").partition("=")
            more[name] = value if equals else True
        if placement.reservation is not None:
            more["reservation"] = placement.reservation
        if resources.gpus_per_node and placement.gres is None and placement.gpu_type is not None:
            more["gpus-per-node"] = f"{placement.gpu_type}:{resources.gpus_per_node}"
        more["requeue" if settings.requeue else "no-requeue"] = True
        # To the batch script alone, which `exec` makes the element: it tells its stages itself.
        more["signal"] = f"B:USR2@{settings.signal_seconds}"
        more["output"] = str(self.submission.log(array.name, "%a" if self._arrays else 0, "%A"))
        if self._arrays:
            at_once = placement.max_parallel
            limit = f"%{at_once}" if at_once and at_once < len(array.shares) else ""
            more["array"] = f"0-{len(array.shares) - 1}{limit}"
        else:
            more["output"] = str(more["output"]).replace("%A", "%j")
        if array.waits:
            more["dependency"] = dependency(array, jobs, arrays=self._arrays)
        return more

    def _setup(self, resources: Resources) -> list[str]:
        """Lines before the command. Jobs find the snapshot before any other copy of the code."""
        code = shlex.quote(str(self.submission.code))
        # A warning that comes before the element listens must not end the shell.
        lines = ["trap '' USR2", *(resources.placement.setup or [])]
        lines.append(f"export PYTHONPATH={code}${{PYTHONPATH:+:$PYTHONPATH}}")
        if self.submission.revision is not None:
            lines.append(f"export GRID_REVISION={shlex.quote(self.submission.revision)}")
        return [*lines, f"cd {code}"]


def dependency(array: Array, jobs: Mapping[str, str], *, arrays: bool = True) -> str:
    """sbatch's words for what an array waits for: until it has ended, whatever became of it."""
    words = []
    for name, which in array.waits:
        whole = which is None or not arrays
        words += [jobs[name]] if whole else [f"{jobs[name]}_{index}" for index in which or ()]
    return ":".join(["afterany", *words])


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """For sbatch: without what a job says of itself, for a submission may come from within one."""
    own = os.environ if given is None else given
    kept = ("SLURM_CONF", "SLURM_CLUSTERS")
    unwanted = ("SBATCH_ARRAY_INX", "SBATCH_SIGNAL", "SBATCH_DEPENDENCY", "SBATCH_JOB_NAME")
    return {
        name: value
        for name, value in own.items()
        if name in kept or not (name.startswith("SLURM_") or name in unwanted)
    }


def _memory(megabytes: int | None) -> str | None:
    return None if megabytes is None else f"{megabytes}M" if megabytes else "0"
