"""Tables as data: the ``*.toml`` files beside this one, every entry with its source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@cache
def read_table(name: str) -> Mapping[str, Any]:
    """A table of the package; read once, not to be changed.

    Examples
    --------
    >>> read_table("rules")["rules"]["area_share_95"]["measure"]
    'area_share'
    """
    text = files("siteplan").joinpath("tables", f"{name}.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))
