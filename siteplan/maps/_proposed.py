"""Proposed sites of the page: everything that the meeting asks about a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from siteplan.maps._shapes import Json, point_rows
from siteplan.maps._texts import (
    BUILDS,
    DEMAND_UNITS,
    KINDS,
    MOUNTS,
    OPENS,
    SOURCES,
    as_number,
    as_text,
    as_word,
    is_missing,
)
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

OUTSIDE = "组外"
"""Word of the opening ledger for a department that is no member of the coordination group."""
EXPOSURE_FIELD, ABOVE_LIMIT_MARK = "电磁环境筛查(估算)", "⚠ 辐射"
FIELDS = ("站型", "优先级", "来源", "建设方式", "安装方式", "天线挂高", "服务网络", "权属单位", "主管部门", "为何选此处、此权属", "开放部位",
          "应当开放", "免费开放", "开放状态", "地址", "所属镇街", "控规单元", "地块", "投资估算", "距电源、光缆", "运营商需求", "新增覆盖",
          EXPOSURE_FIELD, "依据与出处", "站址编号")


def exposure_words(plan: Plan) -> dict[str, tuple[str, str]]:
    """State and sentence of the exposure screening by proposed site; empty where none was made."""
    from siteplan.coverage._exposure import site_exposure

    exposure = getattr(plan, "exposure", None)
    if exposure is None:
        return {}
    table = site_exposure(exposure)
    return {str(site_id): (str(state), str(flag))
            for site_id, state, flag in zip(table.index, table["state"], table["flag"], strict=True)}


@dataclass(frozen=True)
class OwnerWords:
    """What the opening ledger says of the owner of a proposed site.

    Attributes
    ----------
    open_basis, free_basis : str
        What the duty to open, and to open free of charge, rests on; empty where there is none.
    outside : bool
        Whether the department is no member of the coordination group.
    state : str
        How far the opening is.
    """

    open_basis: str = ""
    free_basis: str = ""
    outside: bool = False
    state: str = ""


def owner_words(plan: Plan) -> dict[str, OwnerWords]:
    """What the opening ledger says, by proposed site; empty where the plan has no such ledger."""
    opening = getattr(plan, "opening", None)
    if opening is None:
        return {}
    venues = opening.venues[opening.venues["status"] == "proposed"]
    columns = [venues[name].tolist() for name in ("site_ids", "open_basis", "free_basis", "group_zh", "state_zh")]
    return {site: OwnerWords(as_text(must), as_text(free), group == OUTSIDE, as_text(state))
            for sites, must, free, group, state in zip(*columns, strict=True) for site in str(sites).split("|")}


def _duty(row: Mapping[str, Any], owner: OwnerWords, say: Say) -> tuple[str, str]:
    """Duties of a site's owner, each with what it rests on."""
    words = (("must_open", say("应开放"), say("公平协商,不属于应当开放的场所"), owner.open_basis),
             ("must_be_free", say("应免费开放"), "", owner.free_basis))
    told = [(yes + (say("(依据:{basis})", basis=basis) if basis else "")) if _is_true(row.get(name)) else no
            for name, yes, no, basis in words]
    return told[0], told[1]


def proposed_layer(proposed: gpd.GeoDataFrame, tiers: Mapping[int, str], demand_kind: str,
                   exposure: Mapping[str, tuple[str, str]], owners: Mapping[str, OwnerWords] | None = None,
                   say: Say = CHINESE) -> Json:
    """Proposed sites in order of choice, with everything the meeting asks about a site.

    ``exposure``: state and sentence of the screening by site id. A site over the limit has ``mark`` (for the list) and
    ``first``: the number of the field that its card begins with. ``owners``: what the opening ledger says, by site id.
    """
    unit = say.word(DEMAND_UNITS.get(demand_kind, ""))
    fields = say.words(*FIELDS)
    items: list[Json] = []
    for (lat, lon), key, row in point_rows(proposed):
        tier = tier_of(row.get("tier"), tiers)
        gain = as_number(row.get("gain_demand", row.get("gain")), unit)
        exposed, said = exposure.get(key, ("", ""))
        warning = {"mark": say.word(ABOVE_LIMIT_MARK), "first": FIELDS.index(EXPOSURE_FIELD)} if (
            exposed == "above_limit") else {}
        year = row.get("build_year")
        items.append({
            "at": [lat, lon], "title": as_text(row.get("name")) or key, "no": int(float(str(row["rank_no"]))),
            "tier": tier, "kind": as_text(row.get("kind")), "gain": gain, **warning,
            "year": 0 if is_missing(year) else int(float(str(year))),
            "values": [*_site_values(row, tiers.get(tier, ""), (owners or {}).get(key, OwnerWords()), say),
                       _gain_text(gain, row.get("gain_share"), say), said, as_text(row.get("evidence")), key],
        })
    return {"fields": fields, "items": items}


def _site_values(row: Mapping[str, Any], tier_name: str, owner: OwnerWords, say: Say) -> list[str]:
    """What a card says, from the kind of the site to the operators that ask for it."""
    department = as_text(row.get("department"))
    return [
        as_word(row.get("kind"), KINDS, say), say.word(tier_name), as_word(row.get("source"), SOURCES, say),
        as_word(row.get("build"), BUILDS, say), as_word(row.get("mount"), MOUNTS, say),
        as_number(row.get("antenna_height_m"), "m", 1),
        say("全部") if as_text(row.get("networks")) == "*" else _listed(row.get("networks"), say),
        as_text(row.get("owner")), department + (say("(协调组外)") if department and owner.outside else ""),
        as_text(row.get("choice_text")) or as_text(row.get("reason")),
        as_word(row.get("opens"), OPENS, say), *_duty(row, owner, say), say.word(owner.state),
        as_text(row.get("address")), as_text(row.get("town")), as_text(row.get("unit_code")),
        as_text(row.get("parcel_code")), _money(row, say), _lines(row, say), _listed(row.get("operators"), say),
    ]


def _gain_text(gain: str, share: Any, say: Say) -> str:
    """Demand that a site newly covers, and its share."""
    if not gain or is_missing(share):
        return gain
    return gain + say("(占空洞加权需求 {share})", share=f"{float(str(share)):.1%}")


def _listed(names: Any, say: Say) -> str:
    return as_text(names).replace("|", say("、"))


def _money(row: Mapping[str, Any], say: Say) -> str:
    """The cost of a site, and what it is made of."""
    parts = [f"{word} {told}" for word, told in (
        (say("建设投资"), as_number(row.get("capex_yuan"), say("元"))),
        (say("年费用"), as_number(row.get("yearly_yuan"), say("元/年")))) if told]
    whole = as_number(row.get("cost_yuan"), say("元"))
    return whole + (f"({','.join(parts)})" if whole and parts else "")


def _lines(row: Mapping[str, Any], say: Say) -> str:
    """Distances to the nearest power and fibre, as far as they are known."""
    return ",".join(f"{word} {told}" for word, told in (
        (say("电源"), as_number(row.get("power_m"), "m")), (say("光缆"), as_number(row.get("fibre_m"), "m"))) if told)


def tier_of(value: Any, tiers: Mapping[int, str]) -> int:
    """Number of a tier; 0 where there is none."""
    return 0 if is_missing(value) or not tiers else int(float(str(value)))


def _is_true(value: Any) -> bool:
    return not is_missing(value) and bool(value)
