"""Where data sets come from: downloads that go on where they stopped, archives that cannot do harm."""

from lobule.data.get.obtain import Obtained, get_data

__all__ = ["Obtained", "get_data"]
