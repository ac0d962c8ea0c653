"""Clusters for the tests: one a session for each configuration, reset between tests.

Without Slurm's packages the tests are skipped, saying what to install; `make test-cluster` sets
GRID_TEST_CLUSTER and then they fail instead, so that nothing is taken for tested that was not.
"""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.daemons import Cluster, missing


def started(**options: object) -> Iterator[Cluster]:
    """A cluster of one's own, for a test that needs another configuration."""
    lacks = missing(accounting=bool(options.get("accounting")))
    if lacks is not None:
        (pytest.fail if os.environ.get("GRID_TEST_CLUSTER") else pytest.skip)(lacks)
    with Cluster(**options) as cluster:  # type: ignore[arg-type]  # its own keywords
        yield cluster


@pytest.fixture(scope="session")
def _plain_cluster() -> Iterator[Cluster]:
    yield from started()


@pytest.fixture(scope="session")
def _accounting_cluster() -> Iterator[Cluster]:
    yield from started(accounting=True)


@pytest.fixture
def cluster(_plain_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes of 8 CPUs without accounting, idle; SLURM_CONF is set for this process too."""
    yield from _lent(_plain_cluster, monkeypatch)


@pytest.fixture
def accounting_cluster(
    _accounting_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """The same with slurmdbd and MariaDB; jobs are charged to the account `lab`."""
    yield from _lent(_accounting_cluster, monkeypatch)


def _lent(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster.reset()
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))
    monkeypatch.setenv("PATH", cluster.environment["PATH"])
    yield cluster
