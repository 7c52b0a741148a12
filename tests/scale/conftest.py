"""A cluster of two nodes, each a process with one processor, on this computer and for it alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lobule.scale import cluster as cluster_module
from lobule.scale.cluster import Cluster
from tests.model.tiny_bundle import write_tiny_bundle

NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}


@pytest.fixture(scope="package")
def nodes() -> Iterator[Any]:
    pytest.importorskip("ray")
    ray = cluster_module._import_ray()
    from ray.cluster_utils import Cluster as Nodes

    with cluster_module.loopback_only(ray):
        started = Nodes(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        started.add_node(**NODE)
    try:
        yield started
    finally:
        started.shutdown()


@pytest.fixture
def cluster(nodes: Any) -> Iterator[Cluster]:
    """Return a connection to both nodes."""
    with Cluster(nodes.address) as connected:
        assert connected.size == 2
        yield connected


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("scale") / "model")
