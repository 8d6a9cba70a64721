"""What a meeting is asked to decide, and the sites by name that it must look at first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd

from siteplan.sheets._areas import text_of
from siteplan.sheets._brief_text import count_of, is_yes, sum_of, ten_thousands
from siteplan.sheets.content import SheetContent

NO_OWNER = "无主管部门"
MICRO, REUSED = ("微站", "micro"), ("利旧", "共址", "reuse", "share")
SCREENING = "电磁环境筛查(估算,非环评)"
_OVER = re.compile(r"限值的 ([\d.]+) 倍")


def over_limit(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Proposed sites near which the screening finds more than the public limit, with how many times it (``times``)."""
    if "exposure_flag" not in sites:
        return sites.iloc[:0].assign(times="")
    flags = sites["exposure_flag"].map(text_of)
    found = flags.str.startswith("超过限值")
    if "conflicts" in sites:
        found |= sites["conflicts"].map(text_of).str.contains("exposure_limit:", regex=False)
    times = [match[1] if (match := _OVER.search(flag)) else "" for flag in flags[found]]
    return sites[found.to_numpy()].assign(times=times)


def over_limit_texts(sites: gpd.GeoDataFrame) -> list[str]:
    """Those sites with number, name, town and how many times the limit."""
    found = over_limit(sites)
    found = found.sort_values("rank_no", kind="stable") if "rank_no" in found else found
    return [f"规{text_of(row.get('rank_no')).partition('.')[0]} {text_of(row.get('name')) or key}"
            + (f"({text_of(row.get('town'))})" if text_of(row.get("town")) else "")
            + (f"{row['times']} 倍" if row["times"] else "") for key, row in found.iterrows()]


def screening_text(sites: gpd.GeoDataFrame) -> str:
    """What the screening found where it found nothing above the limit; empty where it did."""
    if "exposure_flag" not in sites or not sites["exposure_flag"].map(text_of).any():
        return "没有电磁环境筛查结果"
    return "" if len(over_limit(sites)) else f"{SCREENING}:没有规划站址超过公众限值"


def decision_texts(content: SheetContent, sites: gpd.GeoDataFrame) -> list[str]:
    """What the meeting is asked to decide."""
    settings = content.facts.get("parameters", {})
    years = settings.get("candidates", {}).get("cost_years", 5)
    micro, reused = count_of(sites, "kind", MICRO), count_of(sites, "build", REUSED)
    over = over_limit(sites)
    out = [(f"同意规划站址 {len(sites)} 处(宏站 {len(sites) - micro} 处、微站 {micro} 处;新建 {len(sites) - reused} 处、"
            f"利旧共址 {reused} 处),建设费 {ten_thousands(sum_of(sites, 'capex_yuan'))} 万元,"
            f"含 {years:g} 年运行费共 {ten_thousands(sum_of(sites, 'cost_yuan'))} 万元(估算)"
            + (f";其中 {len(over)} 处须先按第 2 项调整" if len(over) else ""))]
    if len(over):
        times = sorted({float(value) for value in over["times"] if value})
        ends = "~".join(dict.fromkeys(f"{value:.2f}" for value in times[:1] + times[-1:]))
        most = f"(限值的 {ends} 倍)" if times else ""
        out.append(f"{SCREENING}:{len(over)} 处可能超过公众限值{most},须调整方位、下倾、挂高或功率后重算,名单见第3页")
    out += _opening(sites, settings.get("opening", {}).get("reply_days", 15))
    failing = {name: int((table["verdict_after"] == "fail").sum()) for name, table in
               (("行政村", content.table("villages")), ("重点区域", content.table("zones"))) if "verdict_after" in table}
    if any(failing.values()):
        told = "、".join(f"{name} {number} 个" for name, number in failing.items() if number)
        out.append(f"规划后预计仍不达标的{told}(第4页),请明确是否追加站址或调整口径")
    if hard := [row for row in effects(content.facts) if "疑难" in text_of(row.get("action"))]:
        who = "、".join(sorted({text_of(row.get("who")) for row in hard} - {""}))
        out.append(f"疑难站址 {len(hard)} 处(第4页),请{who or '责任单位'}限期办结")
    reached = [row for row in content.facts.get("results", {}).get("targets", []) if row.get("status_after") == "未达成"]
    if reached:
        goals = "、".join(dict.fromkeys(text_of(row.get("zh")) for row in reached))
        out.append(f"规划后仍未达成的目标:{goals},请研究")
    return out


def _opening(sites: gpd.GeoDataFrame, days: int) -> list[str]:
    """What departments are asked to open; venues that no department answers for are counted apart."""
    if "must_open" not in sites or not is_yes(sites["must_open"]).any():
        return []
    opening = sites[is_yes(sites["must_open"]).to_numpy()]
    names = opening["department"].map(text_of)
    alone = (names.eq("") | names.str.startswith(NO_OWNER)).to_numpy()
    free = int(is_yes(opening["must_be_free"])[~alone].sum()) if "must_be_free" in opening else 0
    out = f"请各主管部门在收函后 {days} 日内答复开放 {int((~alone).sum())} 处站址所在场所(应免费开放 {free} 处):"
    out += "、".join(sorted(set(names[~alone]))) if (~alone).any() else NO_OWNER
    return [out + (f";另有 {int(alone.sum())} 处{NO_OWNER},与业主协商" if alone.any() else "")]


def effects(facts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What became of the decisions of earlier meetings."""
    return list(facts.get("results", {}).get("decision_effects", []))


def hard_texts(content: SheetContent) -> list[str]:
    """Hard sites first, then refusals and other wishes that were not followed, each with name and number."""
    rows = effects(content.facts)
    hard = [row for row in rows if "疑难" in text_of(row.get("action"))]
    refused = [row for row in rows if text_of(row.get("action")) in ("拒绝", "禁用")]
    other = [row for row in rows if row not in hard and row not in refused and row.get("followed") is False]
    names = _names(content)
    out = []
    for row in (*hard, *refused, *other):
        number, many = text_of(row.get("id")), text_of(row.get("site_ids"))
        name = next((names[key] for key in (number, many, many.partition(":")[2]) if names.get(key)), "")
        shown = f"{name}({number or many})" if name else number or many
        what = text_of(row.get("value"))
        out.append(f"{text_of(row.get('action'))}:{shown}{',' if what else ''}{what}({text_of(row.get('who'))} "
                   f"{text_of(row.get('date'))}){text_of(row.get('why'))}")
    return out


def _names(content: SheetContent) -> dict[str, str]:
    """Names of sites by their number, and by the number that they have in the layer they come from."""
    table = content.table("all_sites")
    if "name" not in table:
        return {}
    names = [text_of(name) for name in table["name"]]
    out = dict(zip(map(str, table["source_id"]), names, strict=True)) if "source_id" in table else {}
    return out | dict(zip(map(str, table.index), names, strict=True))
