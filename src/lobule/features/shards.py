"""The two kinds of shards of a feature store: tensors, which need nothing, and tables, which other programs read.

safetensors is what running a model needs anyway. Parquet needs pyarrow (40 MB), so it is only written where
LOBULE_SHARDS=parquet asks for it; then pandas, pyarrow or DuckDB read a store in place:

    duckdb.sql("SELECT pixel_sha256, features FROM '~/.cache/lobule/features/KEY/identity/*.parquet'")
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import ConfigError, MissingExtraError

__all__ = [
    "PARQUET",
    "TENSORS",
    "Shard",
    "packed_parquet",
    "packed_tensors",
    "unpacked_parquet",
    "unpacked_tensors",
    "wants_parquet",
]

TENSORS: Final = ".safetensors"
PARQUET: Final = ".parquet"

Shard = tuple[list[bytes], NDArray[np.float32]]
"""The digests of n images, and their features, (n, D)."""


def wants_parquet() -> bool:
    """Tell which kind the user wants written, by the environment variable LOBULE_SHARDS.

    Raises:
        ConfigError: it names neither.
    """
    wanted = os.environ.get("LOBULE_SHARDS") or "safetensors"
    if wanted not in ("safetensors", "parquet"):
        raise ConfigError(f"LOBULE_SHARDS={wanted}: allowed are safetensors (the default) and parquet.")
    return wanted == "parquet"


def packed_tensors(pixel_sha256s: Sequence[str], features: NDArray[np.float32]) -> bytes:
    """Return the bytes of a shard of tensors."""
    from safetensors.numpy import save

    pixels = np.frombuffer(b"".join(map(bytes.fromhex, pixel_sha256s)), np.uint8).reshape(-1, 32)
    return save({"pixels": pixels, "features": np.ascontiguousarray(features)})


def unpacked_tensors(content: bytes) -> Shard | None:
    """Return what a shard of tensors holds; None where it is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        return [row.tobytes() for row in tensors["pixels"]], tensors["features"]
    except (SafetensorError, KeyError):
        return None


def packed_parquet(pixel_sha256s: Sequence[str], features: NDArray[np.float32]) -> bytes:
    """Return the bytes of a shard that is a table.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    values = arrow.FixedSizeListArray.from_arrays(arrow.array(features.ravel()), features.shape[1])
    table = arrow.table({"pixel_sha256": arrow.array(list(pixel_sha256s)), "features": values})
    stream = io.BytesIO()
    # Features do not compress, and dictionaries of them are as long as they are.
    parquet.write_table(table, stream, compression="none", use_dictionary=False)
    return stream.getvalue()


def unpacked_parquet(content: bytes) -> Shard | None:
    """Return what a table holds; None where it is none.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(io.BytesIO(content), columns=["pixel_sha256", "features"])
        digests = [bytes.fromhex(digest) for digest in table["pixel_sha256"].to_pylist()]
        values = table["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return digests, values.reshape(len(digests), -1)
    except (arrow.ArrowException, KeyError, ValueError, TypeError):
        return None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError("a feature store of Parquet files", "data") from None
    return pyarrow, pyarrow.parquet
