"""Settings as TOML text: the standard library reads TOML and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def toml_text(values: Mapping[str, Any]) -> str:
    """Plain values, lists and nested mappings as TOML; the same ones, the same text.

    Parameters
    ----------
    values : mapping
        Texts, numbers, booleans, lists of them, and mappings of the same; nothing may be None, which TOML cannot say.

    Examples
    --------
    >>> print(toml_text({"name": "甲", "knots": [1.0, 2.0], "sure": True, "terms": {"7": 1.5}}))
    name = "甲"
    knots = [1.0, 2.0]
    sure = true
    <BLANKLINE>
    [terms]
    7 = 1.5
    <BLANKLINE>
    """
    lines: list[str] = []
    _write(lines, "", values)
    return "\n".join(lines) + "\n"


def _write(lines: list[str], path: str, values: Mapping[str, Any]) -> None:
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if path and (plain or not values):
        lines.extend(["", f"[{path}]"])
    lines.extend(f"{_key(key)} = {_text(value)}" for key, value in plain.items())
    for key, value in values.items():
        if isinstance(value, dict):
            _write(lines, f"{path}.{_key(key)}" if path else _key(key), value)


def _key(name: Any) -> str:
    return str(name) if re.fullmatch(r"[A-Za-z0-9_-]+", str(name)) else _text(str(name))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(_text(part) for part in value) + "]"
    return repr(value)
