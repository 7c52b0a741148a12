"""A Ray cluster: found or started, and given work."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from lobule.errors import ConfigError, DataError, ImageError, MissingExtraError, RunError
from lobule.provenance import usable_cores
from lobule.scale.schedule import Lost, work_through

if TYPE_CHECKING:
    from lobule.features.extract import Wanted
    from lobule.features.spec import EncoderSpec
    from lobule.inference.elsewhere import Question, Reply
    from lobule.inference.predictor import Predictor
    from lobule.scale.crew import Work

__all__ = ["Cluster", "loopback_only"]

_LOOPBACK: Final = "127.0.0.1"
_SECONDS_TO_CONNECT: Final = 5.0
_SHARED_MEMORY: Final = 512 * 2**20
_NO_CLUSTERS: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_NOTE: Final = Path("ray") / "ray_current_cluster"

_log = logging.getLogger(__name__)
_Item = TypeVar("_Item")


class Cluster:
    """A connection to a Ray cluster, as a context manager.

        with Cluster("auto") as cluster:
            lobule.train("images", "run", extractor=cluster.extract)

    Args:
        address: `host:port` of a cluster's head; `auto`: the cluster of RAY_ADDRESS, else the one that `ray start` has
            started on this computer, else one that is started for the purpose, listens to this computer alone and ends
            with the connection. A connection that this process has already is used and left as it is.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: nothing answers at the address.
    """

    def __init__(self, address: str = "auto") -> None:
        self._ray = _import_ray()
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _connect(self._ray, _address(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Number of workers that the cluster has processors for."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def close(self) -> None:
        """End the connection, and the cluster if it was started for the purpose."""
        if self._is_ours and self._ray.is_initialized():
            self._ray.shutdown()

    def answer(self, questions: Sequence[Question], predictor: Predictor) -> Iterator[Sequence[tuple[int, Reply]]]:
        """Answer for images, see `lobule.inference.elsewhere.Workers`; give this to `predict_paths(workers=...)`.

        Args:
            questions: about images.
            predictor: the model; its graph is not opened in this process.

        Raises:
            RunError: no worker can be started or kept alive.
            ConfigError: a worker has other versions.
            VerificationError: a worker computes in other arithmetic.
        """
        from lobule.inference.elsewhere import Reply
        from lobule.scale.work import Answering

        for done in self._results(list(enumerate(questions)), Answering.of(predictor.bundle)):
            yield [
                (place, Reply(*_unanswered(question, given)) if isinstance(given, Lost) else given)
                for (place, question), given in done
            ]

    def extract(
        self, spec: EncoderSpec, wanted: Sequence[Wanted]
    ) -> Iterator[Sequence[tuple[int, NDArray[np.float32]]]]:
        """Compute features, see `lobule.features.extract.Extractor`; give this to `lobule.train(extractor=...)`.

        Args:
            spec: how; its graph is written here, where it is not in the cache.
            wanted: of which images.

        Raises:
            ConfigError: the specification is of Keras, or a worker has other versions.
            DataError: an image cannot be decoded, has other pixels, or ends every worker.
            RunError: no worker can be started or kept alive.
            VerificationError: a worker computes in other arithmetic.
        """
        from lobule.scale.work import Encoding

        if spec.engine != "openvino":
            raise ConfigError(
                f"--ray: features.engine {spec.engine} computes on this computer only; use "
                "--set features.engine=openvino, or leave --ray out."
            )
        for done in self._results(list(enumerate(wanted)), Encoding.of(_graph_of(spec), precision=spec.precision)):
            rows: list[tuple[int, NDArray[np.float32]]] = []
            for (place, image), given in done:
                if isinstance(given, Lost):
                    raise DataError(f"{image.path}: every worker that read it died ({given.reason}); take it out.")
                rows.append((place, given))
            yield rows

    def _results(self, items: Sequence[_Item], work: Work) -> Iterator[Sequence[tuple[_Item, Any]]]:
        from lobule.scale.crew import RayCrew

        if not items:
            return
        crew = RayCrew(work, size=self.size)
        try:
            yield from work_through(items, crew)
        finally:
            crew.close()


def _unanswered(question: Question, lost: Lost) -> tuple[Any, ...]:
    """Return the fields of the reply to a question whose image ends every worker."""
    from lobule.inference.elsewhere import UNDRAWN

    reason = f"every worker that was given it died: {lost.reason}"
    return (ImageError(reason),) if question.known is None else (question.known, {}, f"{UNDRAWN}: {reason}")


def _graph_of(spec: EncoderSpec) -> Path:
    if spec.precision == "int8":
        from lobule.features.quantise import quantised_graph

        return quantised_graph(spec)
    from lobule.features.convert import graph_of

    return graph_of(spec)


def _import_ray() -> Any:
    if util.find_spec("ray") is None:
        raise MissingExtraError("--ray", "ray")
    # Before the import, for these are read then: nothing is reported to anybody, and what Ray would change about
    # accelerators in a later version is not asked for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray


def _address(asked: str) -> str | None:
    """Return the address to connect to, checked; None: there is no cluster, start one.

    Ray's own way to find a cluster takes any that runs on this computer, whoever started it: not a place for images of
    patients.
    """
    address = asked
    if asked == "auto":
        address = os.environ.get("RAY_ADDRESS", "") or _noted()
        if not address:
            return None
    name, separator, port = address.rpartition(":")
    if not separator or not port.isdigit() or "/" in name:
        raise ConfigError(
            f"--ray {address}: expected auto, or HOST:PORT of the head of a cluster, such as 10.0.0.5:6379."
        )
    if not _answers(address):
        raise ConfigError(
            f"--ray {address}: nothing answers there; start a cluster with `ray start --head`, or use --ray auto."
        )
    return address


def _noted() -> str:
    """Return the address that `ray start` has noted on this computer, if that cluster still answers."""
    # Not tempfile's folder: this is where Ray itself keeps it.
    note = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / _NOTE
    try:
        address = note.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return address if _answers(address) else ""


def _answers(address: str) -> bool:
    name, _, port = address.rpartition(":")
    try:
        socket.create_connection((name, int(port)), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is not None:
            name, _, port = address.rpartition(":")
            # Ray takes 127.0.0.1 for the address that others see; of a cluster that is hidden from them that is wrong.
            is_hidden = name == _LOOPBACK and not _answers(f"{ray.util.get_node_ip_address()}:{port}")
            with loopback_only(ray) if is_hidden else nullcontext():
                ray.init(address=address, **quiet)
            return
        _log.info("no cluster is running: one is started on this computer")
        with loopback_only(ray):
            ray.init(
                num_cpus=usable_cores(),
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=_SHARED_MEMORY,
                _node_ip_address=_LOOPBACK,
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        place = "a cluster on this computer cannot be started" if address is None else f"{address} cannot be used"
        raise RunError(f"--ray: {place} ({str(error).strip().splitlines()[0]}); look at `ray status`.") from None


@contextmanager
def loopback_only(ray: Any) -> Iterator[None]:
    """Let what Ray starts in this process listen to this computer alone.

    Whatever address it is told, Ray listens on all of them on Linux, unless it believes that it must not, as it does on
    Windows and macOS for the sake of their firewalls; there is no other switch.

    Raises:
        RunError: this version of Ray does not heed it.
    """
    constants = ray._private.ray_constants
    before = os.environ.get(_NO_CLUSTERS), constants.ENABLE_RAY_CLUSTER
    os.environ[_NO_CLUSTERS], constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        if (found := ray.util.get_node_ip_address()) != _LOOPBACK:
            raise RunError(
                f"--ray auto: Ray {ray.__version__} would listen at {found}; start a cluster by `ray start`."
            )
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before[1]
        if before[0] is None:
            del os.environ[_NO_CLUSTERS]
        else:
            os.environ[_NO_CLUSTERS] = before[0]
