"""How a review map is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class MapOptions:
    """Options of a review map.

    Attributes
    ----------
    language : {"zh", "en"}
        Of the page; texts of the data stay as they are.
    public : bool
        A variant that may be shown in public: places rounded, nothing internal.
    public_step_m : float
        Places of the public variant are rounded to this, m.
    base : Path or None
        GeoTIFF that lies under everything.
    tianditu_key : str
        Key with which a base map of Tianditu is fetched while the page is made; it is never written.
    """

    language: Literal["zh", "en"] = "zh"
    public: bool = False
    public_step_m: float = 100.0
    base: Path | None = None
    tianditu_key: str = field(default="", repr=False)
