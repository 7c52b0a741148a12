from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lobule.errors import WeightsError
from lobule.features.backbones import Download, backbone
from lobule.features.weights import finetuned_weights, resolve_weights

CONTENT = b"published weights"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "net_notop.h5").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "www"))) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{service.server_address[1]}/net_notop.h5"
        service.shutdown()
        thread.join()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


def _published_at(url: str, digest: str | None):  # type: ignore[no-untyped-def]
    return replace(backbone("resnet50"), download=Download(url, digest))


def test_the_digest_of_random_filters_is_that_of_their_seed() -> None:
    digests = [resolve_weights("none", backbone("vgg16"), seed=seed).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_missing_file_is_named_with_the_choices() -> None:
    with pytest.raises(WeightsError, match=r"--weights /nowhere/w\.h5: no such file; allowed: imagenet, none"):
        resolve_weights("/nowhere/w.h5", backbone("vgg16"), seed=0)


def test_a_file_is_known_by_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    path.write_bytes(CONTENT)
    resolved = resolve_weights(str(path), backbone("resnet50"), seed=0)
    assert (resolved.kind, resolved.path, resolved.backbone) == ("file", path.resolve(), "resnet50")
    assert resolved.digest == hashlib.sha256(CONTENT).hexdigest()
    assert finetuned_weights(path, backbone("resnet50")).kind == "finetuned"


@pytest.mark.keras
def test_a_file_that_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    path.write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="not a Keras weights file"):
        resolve_weights(str(path), backbone("vgg16"), seed=0)


@pytest.mark.keras
@pytest.mark.shared
def test_a_file_of_three_blocks_selects_the_truncated_backbone_and_says_so(shared: Path) -> None:
    path = shared / "weights" / "vgg16_imagenet_block1_to_block3.weights.h5"
    resolved = resolve_weights(str(path), backbone("vgg16"), seed=0)
    assert resolved.backbone == "vgg16_blocks1to3"
    assert "only the first blocks of vgg16" in resolved.note
    assert resolve_weights(str(path), backbone("vgg16_blocks1to3"), seed=0).note == ""


def test_published_weights_are_fetched_once_and_verified(server: str, models: Path) -> None:
    published = _published_at(server, hashlib.md5(CONTENT).hexdigest())
    resolved = resolve_weights("imagenet", published, seed=0)
    assert resolved.path == models / "net_notop.h5"
    assert resolved.path.read_bytes() == CONTENT
    assert [file.name for file in models.iterdir()] == ["net_notop.h5"]
    offline = _published_at(server.replace("127.0.0.1", "offline.invalid"), hashlib.sha256(CONTENT).hexdigest())
    assert resolve_weights("imagenet", offline, seed=0) == resolved


def test_a_damaged_copy_is_fetched_again(server: str, models: Path) -> None:
    models.mkdir(parents=True)
    (models / "net_notop.h5").write_bytes(CONTENT[:-1])
    resolved = resolve_weights("imagenet", _published_at(server, hashlib.md5(CONTENT).hexdigest()), seed=0)
    assert resolved.digest == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_is_not_the_published_one_is_not_kept(server: str, models: Path) -> None:
    with pytest.raises(WeightsError, match="not the published file"):
        resolve_weights("imagenet", _published_at(server, "0" * 32), seed=0)
    assert list(models.iterdir()) == []


def test_without_a_network_the_error_says_what_to_fetch_and_where_to_put_it(models: Path) -> None:
    url = "http://127.0.0.1:9/vgg16_notop.h5"
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        resolve_weights("imagenet", _published_at(url, "0" * 32), seed=0)
    assert time.monotonic() - start < 15
    assert all(part in str(caught.value) for part in (url, str(models), "--weights PATH", "--weights none"))
