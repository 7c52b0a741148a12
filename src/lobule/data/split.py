"""Divides a manifest into folds and a holdout so that no group stands on both sides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.config import DataSettings
from lobule.data.assignment import assign
from lobule.data.balance import balance_of, demand_groups, group_counts
from lobule.data.manifest import Manifest
from lobule.errors import LeakageError, SplitError
from lobule.provenance import write_atomically
from lobule.taxonomy import LABELS, SUBTYPES

__all__ = ["Split", "describe", "split"]

_DEFAULTS = DataSettings()
_SCHEMA_VERSION = 1
_AS_GIVEN = "images as listed in the manifest"
_GROUP_COLUMN = {"case": "case_id", "patient": "patient_id", "image": "image_id"}
_FOLDS_STREAM, _HOLDOUT_STREAM = 0, 1


@dataclass(frozen=True)
class Split:
    """Image ids of a holdout (`train`, `validation`) and of K `folds`; each covers the whole manifest once.

    Attributes:
        group_by: unit that is never divided: `case`, `patient` or `image`.
        seed: what the division was drawn with.
        policy: in words, what was done to the images before they were divided.
        dataset_sha256: digest of the manifest that was divided.
        train: image ids of the training part of the holdout, sorted.
        validation: image ids of its validation part, sorted.
        folds: image ids of each fold, sorted.
    """

    group_by: str
    seed: int
    policy: str
    dataset_sha256: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]

    def check(self, manifest: Manifest) -> None:
        """Assert that this split divides the manifest: each image once, no group on both sides.

        Raises:
            SplitError: made for another data set, or it does not cover this one.
            LeakageError: an image or a group stands on both sides.
        """
        if self.dataset_sha256 != manifest.digest:
            raise SplitError(
                f"split: made for the data set with digest {self.dataset_sha256[:12]}, but this manifest has"
                f" {manifest.digest[:12]}; make a new split with `lobule data split`, or use its own manifest."
            )
        groups = _groups_of(manifest, self.group_by)
        _check_parts({"train": self.train, "validation": self.validation}, groups, self.group_by)
        _check_parts({f"fold {i}": fold for i, fold in enumerate(self.folds, 1)}, groups, self.group_by)

    def kept(self, manifest: Manifest, *, policy: str) -> Split:
        """Return the same division of fewer images: of those that a manifest still has.

        Args:
            manifest: what is left of the images that were divided.
            policy: in words, why the others are gone.

        Raises:
            SplitError: a part would be empty, or the manifest has other images.
            LeakageError: an image or a group stands on both sides.
        """
        left = set(manifest.frame["image_id"])

        def of(images: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(image for image in images if image in left)

        made = replace(
            self,
            policy=policy,
            dataset_sha256=manifest.digest,
            train=of(self.train),
            validation=of(self.validation),
            folds=tuple(of(fold) for fold in self.folds),
        )
        made.check(manifest)
        return made

    def fold_of(self, manifest: Manifest) -> NDArray[np.int64]:
        """Return the fold of each row of the manifest (or of a selection of it), (n,), from 0."""
        fold_of_image = {image: index for index, fold in enumerate(self.folds) for image in fold}
        return np.array(_look_up(fold_of_image, manifest), dtype=np.int64)

    def is_validation(self, manifest: Manifest) -> NDArray[np.bool_]:
        """Return whether each row of the manifest is in the validation part of the holdout, (n,)."""
        side = dict.fromkeys(self.train, 0) | dict.fromkeys(self.validation, 1)
        return np.array(_look_up(side, manifest), dtype=bool)

    def write(self, path: Path, manifest: Manifest) -> None:
        """Check the split against its manifest and write it as JSON, atomically."""
        self.check(manifest)
        document = {
            "schema_version": _SCHEMA_VERSION,
            "group_by": self.group_by,
            "seed": self.seed,
            "policy": self.policy,
            "dataset_sha256": self.dataset_sha256,
            "holdout": {"train": self.train, "validation": self.validation},
            "folds": self.folds,
        }
        write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path, manifest: Manifest) -> Split:
        """Read a split and check it against its manifest.

        Raises:
            SplitError: not a split file, or it does not fit the manifest.
            LeakageError: an image or a group stands on both sides.
        """
        loaded = cls.load(path)
        loaded.check(manifest)
        return loaded

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read a split without a check, leaks and all; only an audit wants that.

        Raises:
            SplitError: not a split file.
        """
        try:
            return _parse(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise SplitError(f"split {path}: cannot be read ({error.strerror}).") from None
        except (KeyError, TypeError, ValueError) as error:
            raise SplitError(
                f"split {path}: not a split file of schema version {_SCHEMA_VERSION} ({type(error).__name__}: {error});"
                " make one with `lobule data split`."
            ) from None


def split(manifest: Manifest, settings: DataSettings = _DEFAULTS, *, seed: int = 0, policy: str = _AS_GIVEN) -> Split:
    """Divide a manifest into `settings.folds` folds and, separately, a holdout, by `settings.group`.

    Images, labels, cases of each label, subtypes and (lightly) magnifications are balanced as far as the groups
    allow. The order of the manifest's rows does not matter.

    Args:
        manifest: the images, after any policy on duplicates.
        settings: `group`, `folds` and `validation` are used.
        seed: another seed gives another division of about equal quality.
        policy: in words, what was done to the images before.

    Raises:
        SplitError: a label has fewer groups than there are folds; says which, and what to do.
    """
    column = _GROUP_COLUMN[settings.group]
    # Sorted, so that the order of the manifest's rows has no say.
    frame = manifest.frame.assign(group=manifest.frame[column]).sort_values(["group", "image_id"], ignore_index=True)
    counts = group_counts(frame)
    demand_groups(counts, settings)
    even = np.full(settings.folds, 1 / settings.folds)
    folds = assign(balance_of(counts, even), seed=(seed, _FOLDS_STREAM))
    uneven = np.array([1 - settings.validation, settings.validation])
    sides = assign(balance_of(counts, uneven, subtypes_everywhere=True), seed=(seed, _HOLDOUT_STREAM))
    made = Split(
        group_by=settings.group,
        seed=seed,
        policy=policy,
        dataset_sha256=manifest.digest,
        train=_images_in(frame, counts, sides == 0),
        validation=_images_in(frame, counts, sides == 1),
        folds=tuple(_images_in(frame, counts, folds == fold) for fold in range(settings.folds)),
    )
    made.check(manifest)
    return made


def describe(divided: Split, manifest: Manifest) -> pd.DataFrame:
    """Return a table of the split, a row for each fold and each side of the holdout.

    Columns: `part, images, cases, benign_cases, malignant_cases, malignant_share` (of images, 0 to 1) and, for each
    subtype in the manifest, its number of cases. "Cases" are the split's groups.
    """
    parts = {f"fold {index}": fold for index, fold in enumerate(divided.folds, 1)}
    parts |= {"train": divided.train, "validation": divided.validation}
    frame = manifest.frame.assign(group=manifest.frame[_GROUP_COLUMN[divided.group_by]]).set_index("image_id")
    present = [name for name in SUBTYPES if (frame["subtype"] == name).any()]
    return pd.DataFrame([{"part": name, **_summary(frame.loc[list(ids)], present)} for name, ids in parts.items()])


def _summary(part: pd.DataFrame, subtypes: Sequence[str]) -> dict[str, float | int]:
    cases = {label: part.loc[part["label"] == label, "group"].nunique() for label in LABELS}
    return {
        "images": len(part),
        "cases": part["group"].nunique(),
        "benign_cases": cases["benign"],
        "malignant_cases": cases["malignant"],
        "malignant_share": float((part["label"] == "malignant").mean()),
        **{name: part.loc[part["subtype"] == name, "group"].nunique() for name in subtypes},
    }


def _images_in(frame: pd.DataFrame, counts: pd.DataFrame, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    inside = frame["group"].isin(counts.index[chosen])
    return tuple(sorted(frame.loc[inside, "image_id"]))


def _groups_of(manifest: Manifest, group_by: str) -> dict[str, str]:
    if group_by not in _GROUP_COLUMN:
        raise SplitError(f"split: group_by must be one of {', '.join(_GROUP_COLUMN)}, received {group_by!r}.")
    return dict(zip(manifest.frame["image_id"], manifest.frame[_GROUP_COLUMN[group_by]], strict=True))


def _check_parts(parts: Mapping[str, Sequence[str]], groups: Mapping[str, str], group_by: str) -> None:
    part_of_image: dict[str, str] = {}
    part_of_group: dict[str, str] = {}
    for part, images in parts.items():
        if not images:
            raise SplitError(f"split: {part} is empty; make a new split with `lobule data split`.")
        for image in images:
            if image not in groups:
                raise SplitError(f"split: {part} holds image {image!r}, which is not in the manifest.")
            if image in part_of_image:
                raise LeakageError(f"split: image {image!r} is in {part_of_image[image]} and again in {part}.")
            part_of_image[image] = part
            other = part_of_group.setdefault(groups[image], part)
            if other != part:
                raise LeakageError(
                    f"split: {group_by} {groups[image]!r} stands in {other} and in {part}, so results would be"
                    " inflated; make a new split with `lobule data split`."
                )
    if absent := groups.keys() - part_of_image.keys():
        raise SplitError(
            f"split: {len(absent)} images of the manifest are in none of {', '.join(parts)}, first {min(absent)!r}."
        )


def _look_up(part_of_image: Mapping[str, int], manifest: Manifest) -> list[int]:
    try:
        return [part_of_image[image] for image in manifest.frame["image_id"]]
    except KeyError as error:
        raise SplitError(f"split: image {error} is not in the split; use the manifest it was made from.") from None


def _parse(document: dict[str, Any]) -> Split:
    if document["schema_version"] != _SCHEMA_VERSION:
        raise ValueError(f"schema_version is {document['schema_version']!r}")
    holdout = document["holdout"]
    return Split(
        group_by=str(document["group_by"]),
        seed=int(document["seed"]),
        policy=str(document["policy"]),
        dataset_sha256=str(document["dataset_sha256"]),
        train=_names(holdout["train"]),
        validation=_names(holdout["validation"]),
        folds=tuple(_names(fold) for fold in document["folds"]),
    )


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("expected a list of image ids")
    return tuple(value)
