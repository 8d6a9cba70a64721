"""What is known of each chosen site before anybody goes there: the facts of a survey sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from siteplan.export.master import PlanLayers
from siteplan.tables import read_table
from siteplan.venues import venues_of

OMNI = "全向"
"""Word of the master for a site without directions."""
_NOTHING_NEAR = "筛查范围内没有敏感建筑"
_MORE = ("choice_text", "evidence", "flags", "roof_area_m2", "slope_deg", "lessee")
"""Columns that only the table of all sites has."""


@dataclass(frozen=True)
class SiteFacts:
    """One site of the survey.

    Attributes
    ----------
    values : mapping of str to str, int or float
        Fact -> value, by the names of ``tables/survey_sheet.toml``; what is not known is absent.
    sectors : tuple of mapping
        One for each sector: ``number, azimuth``, and ``bands, tilt`` where the plan says them.
    """

    values: Mapping[str, Any]
    sectors: tuple[Mapping[str, Any], ...]

    def text(self, name: str) -> str:
        """A fact as text; empty where it is not known."""
        value = self.values.get(name, "")
        return f"{value:.10g}" if isinstance(value, float) else str(value)


def site_facts(layers: PlanLayers) -> list[SiteFacts]:
    """The facts of all chosen sites, in the order of choice.

    Parameters
    ----------
    layers : PlanLayers
        Columns that the plan does not have are left out, none is asked for but ``name`` and ``rank_no``.

    Returns
    -------
    list of SiteFacts
    """
    sites = layers.layers["sites"]
    ordered = sites.sort_values("rank_no", kind="stable")
    everything = layers.layers["all_sites"]
    more = everything[[name for name in _MORE if name in everything and name not in ordered]].reindex(ordered.index)
    table = pd.DataFrame(ordered.drop(columns=ordered.geometry.name)).join(more)
    bases, rules = _bases(layers.facts), read_table("site_rules")["rules"]
    found = []
    for (site_id, row), place in zip(table.iterrows(), ordered.geometry, strict=True):
        values = {str(name): value for name, value in row.items() if not _empty(value)}
        values["site_id"] = str(site_id)
        values.setdefault("x_north_m", float(place.y))
        values.setdefault("y_east_m", float(place.x))
        values["build_year"] = f"{values['build_year']:.0f}" if values.get("build_year") else "未分年"
        values["networks"] = str(values.get("networks", "")).replace("|", "、")
        values["parcel"] = " ".join(str(values[name]) for name in ("parcel_code", "land_use_code", "land_use_name")
                                    if name in values)
        values["basis"] = bases.get(str(values.get("venue_class", "")), "")
        values["reason"] = values.get("choice_text", values.get("reason", ""))
        values["checks"] = "\n".join(f"□ {line}" for line in _checks(values, rules))
        found.append(SiteFacts({name: value for name, value in values.items() if value != ""}, _sectors(values)))
    return found


def _empty(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _bases(facts: Mapping[str, Any]) -> dict[str, str]:
    """Word of a venue class -> what its duties rest on, under the profile of the study."""
    given = facts.get("parameters", {}).get("venues", {})
    models = facts.get("parameters", {}).get("candidates", {}).get("costs", {})
    venues = venues_of(given.get("profile", "national"), given.get("classes", {}), given.get("tiers", {}),
                       given.get("departments", {}), tuple(models))
    out = {}
    for entry in venues.classes.values():
        duties = [f"{word}:{source}" for has, word, source in ((entry.must_open, "开放", entry.source_open),
                                                              (entry.must_be_free, "免费", entry.source_free)) if has]
        out[entry.zh] = ";".join(duties)
    return out


def _checks(values: Mapping[str, Any], rules: Mapping[str, Any]) -> list[str]:
    """What has to be looked at on site: what the plan flags, what it does not know, what it rests on."""
    found = []
    if "conflicts" in values:
        found.append(f"冲突标注:{values['conflicts']}")
    found += [f"标注:{rules[code]['zh'] if code in rules else code}" for code in str(values.get("flags", "")).split("|")
              if code and "conflicts" not in values]
    exposure = str(values.get("exposure_flag", ""))
    if exposure and exposure != _NOTHING_NEAR:
        found.append(f"电磁环境筛查(预测值):{exposure}")
    if "sensitive_m" in values:
        found.append(f"最近敏感建筑约 {values['sensitive_m']:.0f} 米,核对距离和朝向")
    missing = [word for name, word in (("owner", "权属单位"), ("address", "地址"), ("power_m", "最近电源"),
                                       ("fibre_m", "最近光缆")) if name not in values]
    if missing:
        found.append(f"资料没有、须现场查明:{'、'.join(missing)}")
    if "evidence" in values:
        found.append(f"资料依据,核对是否属实:{values['evidence']}")
    return found


def _sectors(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """One sector for each direction; one without where there are none."""
    named = [part for part in str(values.get("azimuths", "")).split("|") if part]
    shared = {name: str(values[column]).replace("|", "、") for name, column in (("bands", "bands"),) if column in values}
    tilts: Sequence[str] = [part for part in str(values.get("tilts", "")).split("|") if part]
    return tuple({"number": number, "azimuth": azimuth, **shared,
                  **({"tilt": tilts[number - 1]} if named and len(tilts) == len(named) else {})}
                 for number, azimuth in enumerate(named or [OMNI if values.get("azimuths") else ""], 1))
