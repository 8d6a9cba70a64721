"""The table of bands, channel numbers, resource blocks and operators (``tables/band_words.toml``)."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=1)
def load_bands() -> dict[str, Any]:
    """The table ``band_words.toml``: bands, channel numbers, ranges, resource blocks, operators, assumed values.

    >>> load_bands()["bands"]["n78"]["freq_mhz"]
    3500.0
    """
    return tomllib.loads(files("siteplan").joinpath("tables/band_words.toml").read_text(encoding="utf-8"))
