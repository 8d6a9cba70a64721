"""What is wrong with a setting, in a planner's words: names that nothing has, values out of bounds."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

_WORDS = {
    "int_type": "应为整数", "int_parsing": "应为整数", "int_from_float": "应为整数,不带小数", "int_parsing_size": "整数太大",
    "float_type": "应为数(不加引号)", "float_parsing": "应为数(不加引号)", "finite_number": "应为有限的数",
    "bool_type": "应为 true 或 false(不加引号)", "bool_parsing": "应为 true 或 false(不加引号)",
    "string_type": "应为文字(加引号)", "list_type": "应为列表,如 [\"甲\", \"乙\"]", "tuple_type": "应为列表,如 [1, 2]",
    "dict_type": "应为表(键 = 值)", "model_type": "应为表(键 = 值)", "model_attributes_type": "应为表(键 = 值)",
    "greater_than_equal": "不得小于 {ge:.10g}", "greater_than": "须大于 {gt:.10g}",
    "less_than_equal": "不得大于 {le:.10g}", "less_than": "须小于 {lt:.10g}",
    "literal_error": "只能写 {expected}", "too_short": "不能为空,至少 {min_length} 个",
    "too_long": "至多 {max_length} 个", "string_too_short": "不能为空,至少 {min_length} 个字",
    "string_too_long": "至多 {max_length} 个字",
}
"""What each kind of pydantic fault says to a planner, with the bound of its context."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known word, else all of them.

    >>> suggestion("hight", ["height", "width"])
    '是否应为 height?'
    """
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"是否应为 {near[0]}?" if near else f"可用:{', '.join(words)}"


def value_fault(fault: Mapping[str, Any]) -> str:
    """What is wrong with a value; what pydantic says stays behind a Chinese lead where its kind is not known.

    >>> value_fault({"type": "less_than_equal", "ctx": {"le": 1.0}, "input": 7})
    '取值不对:不得大于 1'
    """
    context = dict(fault.get("ctx") or {})
    value = fault.get("input")
    wild = isinstance(value, float) and not math.isfinite(value)
    words = _WORDS.get("finite_number" if wild else fault["type"])
    if words is None:
        return f"取值不对({fault['msg']})"
    if "expected" in context:
        context["expected"] = str(context["expected"]).replace(" or ", "、").replace(", ", "、").replace("'", '"')
    return f"取值不对:{words.format_map(context)}"


def written(value: object) -> str:
    """A value as it stands in TOML.

    >>> written([True, "甲"])
    '[true, "甲"]'
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return f"一张表,键为 {'、'.join(map(str, value))}" if value else "一张空表"
    return f"[{', '.join(map(written, value))}]" if isinstance(value, list) else str(value)
