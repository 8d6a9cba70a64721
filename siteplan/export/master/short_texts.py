"""Short forms of long texts, for fields of 254 bytes: whole clauses, never cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_LETTERS = 84
"""So many Chinese characters fit into 254 bytes of UTF-8."""
_MOST_BYTES = 3 * MOST_LETTERS
_MORE, _ONLY_MORE = ";余见理由续", "见理由续"


def reason_parts(reason: str) -> tuple[str, str]:
    """A reason in two texts, the first of at most ``MOST_LETTERS`` Chinese characters: clauses that do not fit follow.

    Examples
    --------
    >>> reason_parts("第1位:甲;须免费开放")
    ('第1位:甲;须免费开放', '')
    >>> first, rest = reason_parts("第1位:甲;" + "很长" * 50 + ";须免费开放")
    >>> first, rest == "很长" * 50
    ('第1位:甲;须免费开放;余见理由续', True)
    """
    if _size(reason) <= _MOST_BYTES:
        return reason, ""
    kept, rest = "", []
    for clause in reason.split(";"):
        longer = f"{kept};{clause}" if kept else clause
        if _size(longer + _MORE) <= _MOST_BYTES:
            kept = longer
        else:
            rest.append(clause)
    return kept + _MORE if kept else _ONLY_MORE, ";".join(rest)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def short_notice(study: Mapping[str, Any]) -> str:
    """The notices of a study in a few Chinese words; whole they stand in the metadata and in the column ``notice``.

    >>> short_notice({"synthetic": True})
    '合成数据,不可使用;覆盖为模型预测值,非实测'
    """
    return ";".join(["合成数据,不可使用"] * bool(study.get("synthetic")) + ["覆盖为模型预测值,非实测"]
                    + ["以现网4G小区代替5G小区"] * bool(study.get("stand_in_5g")))


def rule_title(zh: str) -> str:
    """Title of a rule: its sentence up to the colon.

    >>> rule_title("行政村通5G:村委会、学校、卫生室均有任一运营商5G信号"), rule_title("面积覆盖率不低于95%")
    ('行政村通5G', '面积覆盖率不低于95%')
    """
    return zh.replace("：", ":").partition(":")[0].strip() or zh
