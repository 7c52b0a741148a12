"""What faults are caused with: warm processes to kill, disks that are small or refuse to be written, and images."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lobule.data.scan import scan
from tests.faults.nursery import Nursery, nursery
from tests.inference.conftest import write_images
from tests.model.tiny_bundle import write_tiny_bundle
from tests.runs import QUICK
from tests.tiny_backbone import install_tiny_graph, tiny_backbone

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

N_IMAGES = 48


@dataclass(frozen=True)
class Material:
    """Images with a manifest, a bundle, and the graph of the tiny backbone in a cache."""

    images: Path
    manifest: Path
    model: Path
    graphs: Path

    def cache(self, folder: Path) -> Path:
        """Return an empty cache that knows the graph."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "graphs").symlink_to(self.graphs)
        return folder


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("faults")
    write_images(folder / "images", N_IMAGES)
    with pytest.MonkeyPatch.context() as patch, tiny_backbone():
        patch.setenv("LOBULE_CACHE", str(folder / "cache"))
        install_tiny_graph()
        settings = QUICK.data.model_copy(update={"group": "image", "labels": {"images": "benign"}})
        manifest = scan(folder, settings=settings).manifest
        manifest.write(folder / "manifest.csv")
    return Material(
        folder / "images", folder / "manifest.csv", write_tiny_bundle(folder / "model"), folder / "cache" / "graphs"
    )


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Return a nursery for jobs without a training framework."""
    with nursery("predict", tmp_path_factory.mktemp("quick")) as warm:
        yield warm


@pytest.fixture(scope="session")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Return a nursery for trainings."""
    with nursery("train", tmp_path_factory.mktemp("trainer")) as warm:
        yield warm


@dataclass(frozen=True)
class Disk:
    """A file system of its own in memory; `remount` gives it another size in bytes, or makes it read-only."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Disk]]:
    """Return a function that mounts a disk with options of tmpfs; skip, visibly, where this user may not mount."""
    made: list[Path] = []

    def mount(options: str) -> Disk:
        path = tmp_path / f"disk{len(made)}"
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"may not mount a disk: {done.stderr.strip()}")
        made.append(path)
        return Disk(path)

    if os.name != "posix" or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root on Linux may mount a disk")
    yield mount
    for path in made:
        subprocess.run(["umount", str(path)], check=True)
