"""The table of bands, channel numbers, resource blocks and operators (``tables/band_words.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siteplan.tables import read_table


def load_bands() -> Mapping[str, Any]:
    """The table ``band_words.toml``: bands, channel numbers, ranges, resource blocks, operators, assumed values.

    >>> load_bands()["bands"]["n78"]["freq_mhz"]
    3500.0
    """
    return read_table("band_words")
