"""The model that comes with the package, and how it is made again."""

from lobule.starter.shipped import STARTER_NOTE, starter_bundle

__all__ = ["STARTER_NOTE", "starter_bundle"]
