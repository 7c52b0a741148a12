"""From a manifest to features: what the store lacks is computed, everything else is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lobule.data.images import decode, pixel_sha256
from lobule.errors import DataError, ImageError
from lobule.features.engines import open_engine
from lobule.features.precision import settle
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.features.store import FeatureStore
from lobule.features.views import apply_view
from lobule.progress import Progress, silent
from lobule.provenance import usable_cores

if TYPE_CHECKING:  # workers that only compute need neither pydantic nor pandas
    from lobule.config import FeatureSettings
    from lobule.data.manifest import Manifest

__all__ = ["Extractor", "Features", "Wanted", "extract", "extract_spec", "loaded_views"]

_IMAGES_A_SHARD: Final = 256
_DECODED_EARLY: Final = 64
"""Pictures that are decoded while the engine is being opened: 10 MB."""

_Views = list[NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the images of a manifest.

    Attributes:
        values: (views, n, D); images in the order of the manifest.
        views: names of the views.
        spec: how they were computed.
    """

    values: NDArray[np.float32]
    views: tuple[str, ...]
    spec: EncoderSpec

    @property
    def layer_slices(self) -> dict[str, slice]:
        """Which part of a feature vector comes from which layer."""
        return self.spec.layer_slices


@dataclass(frozen=True)
class Wanted:
    """An image whose features are wanted.

    Attributes:
        path: its file.
        digest: of the pixels that the file must have.
        views: names of the views.
    """

    path: Path
    digest: str
    views: tuple[str, ...]


class Extractor(Protocol):
    """Whoever computes features instead of this process, such as `lobule.scale.cluster.Cluster.extract`."""

    def __call__(
        self, spec: EncoderSpec, wanted: Sequence[Wanted]
    ) -> Iterator[Sequence[tuple[int, NDArray[np.float32]]]]:
        """Yield (views, D) features with the places of their images as soon as they are there, in any order."""
        ...


@dataclass
class _Job:
    """An image some of whose views are missing: its row among the unique images, its file and those views."""

    row: int
    path: Path
    digest: str
    views: list[int]

    def wanted(self, names: Sequence[str]) -> Wanted:
        return Wanted(self.path, self.digest, tuple(names[view] for view in self.views))


@dataclass
class _Shard:
    """Computed, not yet written."""

    digests: list[str] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)


def extract(manifest: Manifest, settings: FeatureSettings, *, seed: int, progress: Progress | None = None) -> Features:
    """Return the features of every image in every view of the settings.

    Identical pixels are computed once. What is computed is kept in the feature store every few hundred images, so that
    a repeated call goes on where a killed one stopped, with the same result to the bit. When nothing is missing, no
    engine is opened.

    Args:
        manifest: n images.
        settings: backbone, weights, layers, views, engine, precision (int8 is calibrated on these images).
        seed: decides random filters.
        progress: told about the stages "backbone" (opening it) and "features" (counted in images times views).

    Raises:
        ConfigError: a name in the settings is unknown.
        WeightsError: the weights cannot be had or do not fit.
        MissingExtraError: something must be computed that needs Keras, and it is not installed.
        DataError: a file cannot be decoded, or its pixels are no longer those of the manifest.
        VerificationError: the engines do not agree.
    """
    listen = progress or silent
    spec = settle(encoder_spec(settings, seed=seed), settings, manifest, seed=seed, progress=listen)
    return extract_spec(manifest, spec, views=tuple(settings.views), progress=progress)


def extract_spec(
    manifest: Manifest,
    spec: EncoderSpec,
    *,
    views: tuple[str, ...],
    progress: Progress | None = None,
    extractor: Extractor | None = None,
) -> Features:
    """Return the features of every image in every view, by a resolved specification; see `extract`.

    What is missing is computed by the extractor where there is one, and kept in the same store either way.
    """
    digests = _digests(manifest)
    unique = {digest: row for row, digest in enumerate(dict.fromkeys(digests))}
    store = FeatureStore.of(spec)
    values = np.zeros((len(views), len(unique), spec.feature_size), np.float32)
    missing = np.empty((len(views), len(unique)), bool)
    for row, view in enumerate(views):
        missing[row] = ~store.read_into(values[row], list(unique), view)
    if missing.any():
        jobs = _jobs(manifest, digests, unique, missing)
        target = _Target(store, spec, views, values, int(missing.sum()), progress or silent)
        if extractor is None:
            _compute(jobs, target)
        else:
            _collect(jobs, target, extractor)
    if len(unique) < len(digests):  # otherwise there is nothing to repeat, and no second copy in memory
        values = values[:, [unique[digest] for digest in digests]]
    return Features(values, views, spec)


def _digests(manifest: Manifest) -> list[str]:
    digests = [str(digest) for digest in manifest.frame["pixel_sha256"]]
    if "" in digests:
        name = manifest.frame["path"].iloc[digests.index("")]
        raise DataError(f"{name}: the manifest has no pixel_sha256 for it; make the manifest with `lobule data scan`.")
    if not digests:
        raise DataError("manifest: it has no images; name a folder that has some.")
    return digests


def _jobs(manifest: Manifest, digests: list[str], unique: dict[str, int], missing: NDArray[np.bool_]) -> list[_Job]:
    first_path = dict(zip(reversed(digests), reversed(manifest.paths), strict=True))
    return [
        _Job(row, first_path[digest], digest, np.flatnonzero(missing[:, row]).tolist())
        for digest, row in unique.items()
        if missing[:, row].any()
    ]


@dataclass
class _Target:
    """Where results go: into `values` (views, n, D) and, a shard at a time, into the store."""

    store: FeatureStore
    spec: EncoderSpec
    views: tuple[str, ...]
    values: NDArray[np.float32]
    total: int
    progress: Progress
    done: int = 0
    shards: dict[int, _Shard] = field(default_factory=dict)

    def take(self, job: _Job, features: NDArray[np.float32]) -> None:
        """Keep the (views, D) results of one image."""
        for view, row in zip(job.views, features, strict=True):
            self.values[view, job.row] = row
            shard = self.shards.setdefault(view, _Shard())
            shard.digests.append(job.digest)
            shard.rows.append(row)
            if len(shard.rows) >= _IMAGES_A_SHARD:
                self._write(view)
            self.done += 1
            self.progress("features", self.done, self.total)

    def write(self) -> None:
        """Write what is left."""
        for view in list(self.shards):
            self._write(view)

    def _write(self, view: int) -> None:
        shard = self.shards.pop(view)
        self.store.append(shard.digests, self.views[view], np.stack(shard.rows))


def _compute(jobs: list[_Job], target: _Target) -> None:
    """Encode what is missing; while the engine is opened, which takes one core, the others decode already."""
    size = target.spec.architecture.input_size

    def load(job: _Job) -> _Views:
        return _views(job, target.views, size)

    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="early") as pool:
        early = {job.row: pool.submit(load, job) for job in jobs[: -(-_DECODED_EARLY // len(target.views))]}
        try:
            target.progress("backbone", 0, 1)
            engine = open_engine(target.spec)
            target.progress("backbone", 1, 1)
            rows = engine.stream_loaded(
                jobs, lambda job: early.pop(job.row).result() if job.row in early else load(job)
            )
            for job, features in zip(jobs, rows, strict=True):
                target.take(job, features)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            target.write()


def _collect(jobs: list[_Job], target: _Target, extractor: Extractor) -> None:
    """Let another compute what is missing; what has come is kept, whatever ends it."""
    try:
        for rows in extractor(target.spec, [job.wanted(target.views) for job in jobs]):
            for place, features in rows:
                target.take(jobs[place], features)
    finally:
        target.write()


def _views(job: _Job, views: tuple[str, ...], size: int) -> _Views:
    return loaded_views(job.wanted(views), job.path, size=size)


def loaded_views(wanted: Wanted, source: Path | bytes, *, size: int) -> _Views:
    """Return the views of an image, each (size, size, 3).

    Args:
        wanted: which views of what.
        source: its file, or the bytes of it.
        size: what the engine takes.

    Raises:
        DataError: it cannot be decoded, or has not the pixels that it must have.
    """
    try:
        image = decode(source)
    except ImageError as error:
        raise DataError(f"{wanted.path}: {error}; scan the data again.") from None
    if pixel_sha256(image) != wanted.digest:
        raise DataError(f"{wanted.path}: its pixels are no longer those of the manifest; scan the data again.")
    return [apply_view(image, view, size=size) for view in wanted.views]
