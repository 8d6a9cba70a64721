"""Where a settings file is not TOML, in a planner's words."""

from __future__ import annotations

import re
import tomllib

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
