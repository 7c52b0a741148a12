"""Independent fits in as many threads as there are cores, each computing on one."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from lobule.provenance import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["side_by_side"]


@contextmanager
def side_by_side(jobs: int) -> Iterator[Executor]:
    """Give threads for independent jobs; inside, the numerical libraries of NumPy and scikit-learn use one core each.

    Products of the size of these fits gain little from a second core, and where cores are busy their threads wait for
    each other: a logistic regression took five times the processor's time on two. With one thread a library's sums
    are also the same whatever runs beside them, and on every number of cores.

    Args:
        jobs: how many there will be; no more threads are made.
    """
    threads = max(1, min(jobs, usable_cores()))
    # BLAS has one limit for the process, OpenMP one for each thread that calls it.
    with threadpool_limits(limits=1), ThreadPoolExecutor(threads, initializer=partial(threadpool_limits, 1)) as pool:
        yield pool
