"""Synthetic H&E-like tissue: something to try Lobule on where there is no data and no network.

`canvas` maps what lies where, `architecture` knows the eight subtypes, `nuclei` places and draws nuclei, `render`
photographs a window, `stain` turns dyes into colours, `writer` makes files of it.
"""

from __future__ import annotations

from lobule.data.phantom.writer import PhantomSummary, is_phantom, write_phantom

__all__ = ["PhantomSummary", "is_phantom", "write_phantom"]
