from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.config import FeatureSettings
from lobule.data.images import decode
from lobule.data.manifest import Manifest
from lobule.errors import DataError
from lobule.features import extract as extraction
from lobule.features.engines import Engine, open_engine
from lobule.features.extract import Wanted, extract, extract_spec, loaded_views
from lobule.features.spec import EncoderSpec
from lobule.features.views import apply_view
from tests.features.conftest import noise
from tests.tiny_backbone import TINY, install_tiny_graph

ManifestOf = Callable[[int], Manifest]


def test_features_are_those_of_each_view_of_each_image(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf
) -> None:
    manifest = manifest_of(7)
    features = extract(manifest, tiny_settings, seed=0)
    assert features.values.shape == (2, 7, 8)
    assert features.values.dtype == np.float32
    assert features.views == ("identity", "flip_horizontal")
    assert features.layer_slices == {"last": slice(0, 8)}
    engine = open_engine(tiny_spec)
    for row, view in enumerate(features.views):
        images = [apply_view(decode(path), view, size=TINY.input_size) for path in manifest.paths]
        np.testing.assert_array_equal(features.values[row], engine.encode(images))


def test_a_second_extraction_opens_no_engine_and_no_file(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of(5)
    first = extract(manifest, tiny_settings, seed=0)
    monkeypatch.setattr(extraction, "open_engine", _must_not_be_called)
    monkeypatch.setattr(extraction, "decode", _must_not_be_called)
    np.testing.assert_array_equal(extract(manifest, tiny_settings, seed=0).values, first.values)
    backwards = manifest.select(list(reversed(manifest.frame["image_id"])))
    np.testing.assert_array_equal(extract(backwards, tiny_settings, seed=0).values, first.values[:, ::-1])


def test_an_extractor_computes_what_is_missing_in_any_order_and_what_came_is_kept(
    tiny_settings: FeatureSettings,
    tiny_spec: EncoderSpec,
    manifest_of: ManifestOf,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    manifest, views = manifest_of(7), tuple(tiny_settings.views)
    asked: list[Wanted] = []

    def backwards(spec: EncoderSpec, wanted: Sequence[Wanted]) -> Iterator[Sequence[tuple[int, NDArray[np.float32]]]]:
        asked.extend(wanted)
        engine = open_engine(spec)
        for place, image in reversed(list(enumerate(wanted))):
            if len(asked) == 6 and place == 3:
                raise KeyboardInterrupt
            yield [(place, engine.encode(loaded_views(image, image.path, size=engine.input_size)))]

    with pytest.raises(KeyboardInterrupt):
        extract_spec(manifest, tiny_spec, views=views, extractor=backwards)
    told: list[tuple[str, int, int]] = []
    features = extract_spec(
        manifest, tiny_spec, views=views, extractor=backwards, progress=lambda *event: told.append(event)
    )
    assert len(asked) == 6 + 4, "two of six different images had been kept"
    assert told[-1] == ("features", 8, 8)
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "other"))
    install_tiny_graph()
    np.testing.assert_array_equal(features.values, extract(manifest, tiny_settings, seed=0).values)


def test_identical_pixels_are_computed_once_and_an_image_is_decoded_once_for_all_views(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of(6)
    decoded: list[Path] = []

    def counting(path: Path) -> np.ndarray:
        decoded.append(path)
        return decode(path)

    monkeypatch.setattr(extraction, "decode", counting)
    seen: list[tuple[str, int, int]] = []
    features = extract(manifest, tiny_settings, seed=0, progress=lambda *step: seen.append(step))
    assert sorted(decoded) == manifest.paths[:5]
    np.testing.assert_array_equal(features.values[:, 0], features.values[:, 5])
    assert seen == [("backbone", 0, 1), ("backbone", 1, 1), *(("features", done, 10) for done in range(1, 11))]


def test_a_new_view_computes_only_itself(tiny_settings: FeatureSettings, manifest_of: ManifestOf) -> None:
    manifest = manifest_of(4)
    extract(manifest, tiny_settings, seed=0)
    seen: list[int] = []
    more = tiny_settings.model_copy(update={"views": ("identity", "crop_centre")})
    extract(manifest, more, seed=0, progress=lambda _, __, total: seen.append(total))
    assert set(seen) == {1, 3}


@pytest.mark.parametrize("damage", ["changed", "truncated", "removed"])
def test_a_file_that_is_no_longer_that_of_the_manifest_is_named_and_the_rest_is_kept(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf, damage: str
) -> None:
    manifest = manifest_of(6)
    path = manifest.paths[4]
    content = path.read_bytes()
    if damage == "changed":
        Image.fromarray(noise(40, 50, seed=99)).save(path)
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"004\.png.*scan the data again"):
        extract(manifest, tiny_settings, seed=0)
    path.write_bytes(content)
    mended = extract(manifest, tiny_settings, seed=0)
    assert np.isfinite(mended.values).all()


def test_a_manifest_of_names_only_is_refused(tiny_settings: FeatureSettings, manifest_of: ManifestOf) -> None:
    manifest = manifest_of(2)
    frame = manifest.frame.assign(pixel_sha256="")
    with pytest.raises(DataError, match=r"000\.png.*no pixel_sha256.*lobule data scan"):
        extract(Manifest(frame, manifest.root), tiny_settings, seed=0)


_EXTRACT_SLOWLY = """
import sys, time
from pathlib import Path
from lobule.config import FeatureSettings
from lobule.data.manifest import Manifest
from lobule.features import extract as extraction
from lobule.features.backbones import BACKBONES
from tests.tiny_backbone import TINY
BACKBONES["tiny"] = TINY
extraction._IMAGES_A_SHARD = 3
def report(stage, done, total):
    sys.stdout.write(f"{stage} {done}\\n"); sys.stdout.flush(); time.sleep(0.02)
settings = FeatureSettings.model_validate_json(sys.argv[1])
extraction.extract(Manifest.read(Path(sys.argv[2]), root=Path(sys.argv[3])), settings, seed=0, progress=report)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_a_killed_extraction_is_finished_with_the_same_bits(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of(30)
    manifest.write(tmp_path / "manifest.csv")
    arguments = [tiny_settings.model_dump_json(), str(tmp_path / "manifest.csv"), str(manifest.root)]
    child = subprocess.Popen(
        [sys.executable, "-c", _EXTRACT_SLOWLY, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    while child.stdout.readline() != "features 20\n":
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.communicate()
    totals: list[int] = []
    resumed = extract(manifest, tiny_settings, seed=0, progress=lambda _, __, total: totals.append(total))
    assert 1 < totals[-1] < 58
    graphs = Path(os.environ["LOBULE_CACHE"]) / "graphs"
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "graphs").symlink_to(graphs)
    np.testing.assert_array_equal(resumed.values, extract(manifest, tiny_settings, seed=0).values)


def test_loading_starts_while_the_engine_is_being_opened(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def noting(path: Path) -> np.ndarray:
        begun.set()
        return decode(path)

    def opening(spec: EncoderSpec) -> Engine:
        assert begun.wait(20), "nothing was decoded meanwhile"
        return open_engine(spec)

    monkeypatch.setattr(extraction, "decode", noting)
    monkeypatch.setattr(extraction, "open_engine", opening)
    assert np.isfinite(extract(manifest_of(5), tiny_settings, seed=0).values).all()


def _must_not_be_called(*_: object, **__: object) -> None:
    raise AssertionError("nothing was missing")
