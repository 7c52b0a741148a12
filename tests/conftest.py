"""What every test stands on: the real sample when it is there, synthetic tissue, a run, and a cache of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from lobule.data.phantom import PhantomSummary, write_phantom
from lobule.pipeline import Run, train
from lobule.sweep.run import sweep
from tests.runs import QUICK
from tests.sweep.small import SWEEP_PLAN
from tests.tiny_backbone import install_tiny_graph, tiny_backbone

# A slow machine is no reason to fail: no test asserts a time.
settings.register_profile("lobule", deadline=None, print_blob=True)
settings.load_profile("lobule")

# A shell without a terminal starts what runs in its background deaf to Ctrl-C, and children inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data; skip, visibly, where it is missing."""
    folder = Path(os.environ.get("LOBULE_SHARED", "../shared")).resolve()
    if not (folder / "breakhis").is_dir():
        pytest.skip(f"the real sample is not at {folder} (set LOBULE_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> PhantomSummary:
    """Return synthetic tissue: 16 cases of 4 small images; only to be read."""
    return write_phantom(tmp_path_factory.mktemp("phantom"), cases=16, images_per_case=4, size=(92, 140))


@pytest.fixture(scope="session")
def finished(phantom: PhantomSummary, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return an undisturbed run of the settings `QUICK` on the phantom; only to be read."""
    with pytest.MonkeyPatch.context() as patch, tiny_backbone():
        patch.setenv("LOBULE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        install_tiny_graph()
        return train(phantom.folder, tmp_path_factory.mktemp("finished") / "run", config=QUICK, command="lobule train")


@pytest.fixture(scope="session")
def swept(phantom: PhantomSummary, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return an undisturbed sweep of the phantom; only to be read."""
    with pytest.MonkeyPatch.context() as patch, tiny_backbone():
        patch.setenv("LOBULE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        install_tiny_graph()
        folder = tmp_path_factory.mktemp("swept") / "run"
        return sweep(phantom.folder, folder, plan=SWEEP_PLAN, command="lobule sweep")
