"""Where a candidate comes from, in short Chinese facts: row of the file, what its class and its roof height rest on."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.origins import Fact, origin_words, tell_rows
from siteplan.candidates.table import text
from siteplan.venues import OTHER

DOUBTFUL_CONFIDENCE = 0.5
"""Classes that are less sure than this are told as doubtful."""
HEIGHT_SOURCE_ZH: Mapping[str, str] = {"measured": "实测", "storeys": "按层数", "default": "按用途默认"}
USE_ZH: Mapping[str, str] = {"residential": "住宅", "commercial": "商业", "office": "办公", "industrial": "工业",
                             "public": "公共", "other": "其他"}
_RULE_ZH: Mapping[str, str] = {"osm": "OSM标签“{}”", "gaode": "高德编码{}", "type": "类型“{}”", "name": "名称“{}”"}


def rule_words(rule: str) -> str:
    """What gave a venue its class, in words.

    >>> rule_words("name:小学"), rule_words("")
    ('按名称“小学”', '判断不出')
    """
    kind, _, word = rule.partition(":")
    return f"按{_RULE_ZH[kind].format(word)}" if kind in _RULE_ZH else "判断不出"


def _class_words(facilities: gpd.GeoDataFrame) -> list[str]:
    """What the class of each facility rests on and how sure it is."""
    confidence = facilities["class_confidence"].astype("float64")
    words = []
    for rule, sure in zip(text(facilities["class_rule"]), confidence, strict=True):
        told = "" if np.isnan(sure) else f"可信度{sure:.2g}" + (",存疑" if sure < DOUBTFUL_CONFIDENCE else "")
        words.append(f"类别{rule_words(rule)}" + (f"({told})" if told else ""))
    return words


def _agreed_words(facilities: gpd.GeoDataFrame) -> list[str]:
    """What is open already, and since when; empty where nothing is."""
    days = pd.to_datetime(facilities["agreed_on"]).dt.strftime("%Y-%m-%d")
    return [f"已开放:{opens}" + (f"({day}协议)" if isinstance(day, str) else "") if opens else
            (f"{day}已签开放协议" if isinstance(day, str) else "")
            for opens, day in zip(text(facilities["opens"]), days, strict=True)]


def venue_evidence(facilities: gpd.GeoDataFrame, height_words: list[str], given: np.ndarray,
                   department: pd.Series) -> list[str]:
    """Evidence of each venue.

    Parameters
    ----------
    facilities : GeoDataFrame
        The layer, n rows.
    height_words : list of str, length n
        Where the roof height comes from.
    given : ndarray of bool, shape (n,)
        The file names the department; otherwise it follows from the class.
    department : Series of str
    """
    owners = text(facilities["owner"])
    return [";".join(part for part in parts if part) for parts in zip(
        origin_words("facilities", facilities), _class_words(facilities), height_words,
        ["" if known else f"主管部门按类别定为{name}" for known, name in zip(given, department, strict=True)],
        ["" if owner else "权属单位未填" for owner in owners], _agreed_words(facilities), strict=True)]


def roof_evidence(buildings: gpd.GeoDataFrame) -> list[str]:
    """Evidence of each building's roof."""
    return [f"{row};用途{USE_ZH.get(use, '不详')};楼高 {height:.3g} 米({HEIGHT_SOURCE_ZH.get(source, '来源不详')})"
            + ("" if owner else ";权属单位未填") for row, use, height, source, owner in zip(
                origin_words("buildings", buildings), text(buildings["use"]), buildings["height_m"].astype("float64"),
                text(buildings["height_source"]), text(buildings["owner"]), strict=True)]


def tell_venues(facilities: gpd.GeoDataFrame, given: np.ndarray, context: CandidateContext) -> None:
    """Ledger lines on what candidates take for granted of venues: no owner, no department, no class."""
    facts = (
        ("owner", text(facilities["owner"]) == "", "候选场所没有权属单位:开放和免费义务按类别推定", "补填权属单位,核实是否公有"),
        ("department", ~pd.Series(given, index=facilities.index), "候选场所没有主管部门:按类别对应(部门表)",
         "有明确主管部门时补填"),
        ("venue_class", text(facilities["venue_class"]) == OTHER, "候选场所类别不明:按“其他”,不算应开放场所,排在最后一档",
         "补填设施类型,或在研究文件 [venues.classes] 增加类别"),
    )
    files = text(facilities["source_file"])
    for field, where, reason, remedy in facts:
        for file in sorted(set(files[where])):
            tell_rows(context.ledger, "facilities", facilities[where & (files == file)],
                      Fact(field, "assumed", reason, remedy))
