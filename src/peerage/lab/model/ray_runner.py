"""Runs the model on a Ray cluster: one actor for each part of the queries, the parts put together here.

Ray starts on this computer unless an address says where a cluster is. Queries are what is split, not the network: they
do not touch each other, so actors need nothing of each other while they run, and a world is built from its seed faster
than it could be sent. Invariant: the figures are those of one process; what was started here is stopped here, whatever
happens; nothing is told to Ray's makers, and a Ray of our own serves no pages and listens on this computer only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from peerage.errors import LocalError
from peerage.lab.fleet import Listener, Told
from peerage.lab.measure import Result
from peerage.lab.model.shards import in_silence, merged, run_shard
from peerage.lab.model.spec import INSTALL, ModelSpec, Shard, check_numpy
from peerage.lab.model.tally import Tally

_LOOPBACK: Final = "127.0.0.1"
_STORE_BYTES: Final = 100_000_000  # for what actors send: a few megabytes each
_SILENT: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_HERE: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # a Ray that is no cluster listens on loopback only


class Cluster(msgspec.Struct, frozen=True):
    """Where to run: a cluster's address ("auto", "ray://host:port"), None: here; on how many workers, 0: all."""

    address: str | None = None
    workers: int = 0


def check_ray() -> None:
    """Raise LocalError with what to install when there is no Ray, or no numpy."""
    check_numpy()
    if find_spec("ray") is None:
        raise LocalError(f"this runner needs Ray, which exists for Python 3.11 to 3.13; {INSTALL}")


def run_on_ray(specs: Sequence[ModelSpec], cluster: Cluster, listen: Listener) -> list[Result]:
    """Run specifications one after the other, each spread over all workers; returns their results in order."""
    check_ray()
    with _connected(cluster) as workers:
        return [_run(number, spec, workers, listen) for number, spec in enumerate(specs)]


class ShardActor:
    """What runs in a process of Ray: one part of one run."""

    def run(self, spec: ModelSpec, shard: Shard) -> Tally:
        """Build the world and run the part."""
        return run_shard(spec, shard, in_silence)


def _run(number: int, spec: ModelSpec, workers: int, listen: Listener) -> Result:
    import ray  # noqa: PLC0415  # takes seconds, and may not be there

    count = min(workers, spec.queries)
    actor: Any = ray.remote(num_cpus=1)(ShardActor)
    actors = [actor.remote() for _ in range(count)]
    waiting = {each.run.remote(spec, Shard(place, count)): place for place, each in enumerate(actors)}
    tallies: dict[int, Tally] = {}
    try:
        while waiting:
            listen(Told(number, "queries", len(tallies) / count))
            ready, _ = ray.wait(list(waiting))
            for each in ready:
                tallies[waiting.pop(each)] = _result(each)
    finally:
        for each in actors:
            ray.kill(each)
    listen(Told(number, "", 1.0))
    return merged(spec, [tallies[place] for place in range(count)])


def _workers_of(ray: Any) -> int:
    """Return how many processors a cluster has."""
    return int(ray.cluster_resources().get("CPU", 1))


def _result(reference: Any) -> Tally:
    import ray  # noqa: PLC0415

    try:
        tally: Tally = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, LocalError) else None
        raise LocalError(f"a worker of the cluster failed: {cause or error}") from error
    except ray.exceptions.RayError as error:
        raise LocalError(f"a worker of the cluster was lost: {error}; if memory ran out there, take fewer") from error
    return tally


@contextmanager
def _connected(cluster: Cluster) -> Iterator[int]:
    """Connect to a cluster or start one here; gives how many workers there are."""
    begin = _started_here(cluster.workers) if cluster.address is None else _reached(cluster.address)
    try:
        with begin as workers:
            yield max(1, cluster.workers or workers)
    except (ConnectionError, TimeoutError) as error:
        raise LocalError(f"no cluster at {cluster.address or 'this computer'}: {error}") from error


@contextmanager
def _started_here(workers: int) -> Iterator[int]:
    """Start Ray on this computer, and leave nothing of it behind."""
    os.environ.update(_SILENT | _HERE)  # Ray looks at these while it is imported
    import ray  # noqa: PLC0415  # takes seconds

    count = workers or os.cpu_count() or 1
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        try:
            ray.init(
                num_cpus=count,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_STORE_BYTES,
                _node_ip_address=_LOOPBACK,
                _temp_dir=folder,
            )
            yield count
        finally:
            ray.shutdown()


@contextmanager
def _reached(address: str) -> Iterator[int]:
    """Connect to a cluster that runs."""
    os.environ.update(_SILENT)
    import ray  # noqa: PLC0415

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        yield _workers_of(ray)
    finally:
        ray.shutdown()
