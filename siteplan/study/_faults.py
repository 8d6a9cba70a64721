"""What is wrong with a value of a settings file, in a planner's words."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
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

_PLACED = re.compile(r"(?P<words>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_BACKSLASH = "双引号里的反斜杠要写成 / 或写两个"
_SYNTAX = {
    "Invalid value": "等号右边的值写法不对(文字要加引号)", "Invalid statement": "这一行写法不对",
    "Expected newline or end of document": "这里多了内容,一行只写一项", "Expected '='": "键后面缺少等号",
    "Expected ']]'": "节名缺少 ]]", "Expected ']'": "节名缺少 ]",
    "Invalid initial character for a key part": "键名写法不对(中文键名要加引号)", "Unclosed array": "列表缺少 ]",
    "Unclosed inline table": "花括号里的表缺少 } 或逗号", "Unescaped '\\'": _BACKSLASH, "Invalid hex value": _BACKSLASH,
    "Escaped character": _BACKSLASH, "Unterminated string": "文字缺少结尾的引号",
    "Illegal character": "文字缺少结尾的引号,或其中有控制字符", "Found invalid character": "有不能用的字符",
    "Expected": "引号不成对", "Cannot overwrite": "同一个键写了两次", "Duplicate": "同一个键写了两次",
    "Cannot": "这一节已经写过,不能再写或再添", "Invalid date": "日期写法不对",
}
"""How messages of ``tomllib`` begin, the longer before the shorter, and what they say to a planner."""


def syntax_fault(error: tomllib.TOMLDecodeError) -> str:
    r"""Where a file is not TOML, and why; the message itself stays where it is not known.

    >>> try:
    ...     tomllib.loads("[study]\nname = 溪口")
    ... except tomllib.TOMLDecodeError as error:
    ...     syntax_fault(error)
    '第2行第8列,等号右边的值写法不对(文字要加引号)'
    """
    placed = _PLACED.fullmatch(str(error))
    words = placed["words"] if placed else str(error)
    said = next((said for start, said in _SYNTAX.items() if words.startswith(start)), words)
    if not placed:
        return said
    return f"第{placed['line']}行第{placed['column']}列,{said}" if placed["line"] else f"文件末尾,{said}"


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
