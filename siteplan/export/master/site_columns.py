"""Columns of a site that a detailed plan asks for and that follow from the plan as a whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import load_mounts
from siteplan.candidates.rules.land_use import land_use_of
from siteplan.export._detailed_plan import whole_reasons
from siteplan.export.master.conflicts import conflicts_of, sensitive_m
from siteplan.export.master.credit import credited_sites
from siteplan.export.master.short_texts import reason_parts, short_notice
from siteplan.plan import Plan
from siteplan.tables import read_table

TEXTS = ("phase", "bands", "covers_zones", "villages_gained", "county_code", "land_use_name", "conflicts",
         "conflict_codes", "version", "element_code", "bureau_no", "reason_short", "reason_rest",
         "notice_short")
NUMBERS = ("tower_height_m", "room_m2", "land_m2", "sensitive_m")
GROUND_TOWERS = ("ground_tower", "mast")
"""Mounts whose height above the ground is that of their antennas."""
_MADE_CODE = re.compile(r"counties-[0-9a-f]{10}(-\d+)?")
_CODES = re.compile(r"[/、,，;+ ]+")
_VERSION_LETTERS = 12


def site_columns(plan: Plan) -> pd.DataFrame:
    """The further columns of the sites table of a plan.

    Parameters
    ----------
    plan : Plan
        Secret units are hidden in it already.

    Returns
    -------
    DataFrame
        ``TEXTS`` and ``NUMBERS``, index of ``plan.sites``. Of existing sites only what their row says is filled.
    """
    sites, params = plan.sites, plan.parameters
    asked = (sites["status"] != "existing").to_numpy(dtype=bool)
    years = ((params.get("selection") or {}).get("phases") or {}).get("years") or []
    zones, villages = credited_sites(plan)
    told = conflicts_of(sites, plan.exposure, (params.get("candidates") or {}).get("rules") or {})
    county_code = county_codes(sites["county"], plan.context.get("counties"))
    reasons = [reason_parts(reason) for reason in whole_reasons(sites)]
    table = pd.DataFrame({
        "phase": phases(sites["build_year"], years),
        "bands": _bands(sites, params.get("equipment") or {}, asked),
        "covers_zones": zones, "villages_gained": villages,
        "county_code": county_code,
        "land_use_name": sites["land_use_code"].map(land_use_name),
        "conflicts": told["conflicts"], "conflict_codes": told["conflict_codes"],
        "version": version_of(plan), "element_code": "", "bureau_no": bureau_numbers(sites, county_code),
        "reason_short": [first for first, _ in reasons], "reason_rest": [rest for _, rest in reasons],
        "notice_short": short_notice(plan.study),
        "tower_height_m": tower_heights_m(sites),
        "room_m2": _room_m2(sites, asked),
        "land_m2": np.where(asked & (sites["mount"] == "ground_tower") & (sites["build"] == "new"),
                            float(read_table("land_use")["site"]["area_m2"]), np.nan),
        "sensitive_m": sensitive_m(sites, plan.exposure)}, index=sites.index)
    return table.astype({**dict.fromkeys(TEXTS, "str"), **dict.fromkeys(NUMBERS, "float64")})


def version_of(plan: Plan) -> str:
    """Short digest of the study file and of the version of siteplan: equal exports have equal ones."""
    told = f"{plan.study.get('sha256', '')}|{plan.versions.get('siteplan', '')}"
    return hashlib.sha256(told.encode()).hexdigest()[:_VERSION_LETTERS]


def phases(build_year: pd.Series, years: Sequence[int]) -> pd.Series:
    """Phase of each site by ``[[phases]]`` of ``tables/export_fields.toml``; empty without years.

    >>> phases(pd.Series([2026, 2031, 2040, 0]), [2026, 2031]).tolist()
    ['近期', '中期', '远期', '']
    """
    if not years:
        return pd.Series("", index=build_year.index, dtype="str")
    first, rows = min(years), read_table("export_fields")["phases"]

    def phase(year: int) -> str:
        if year < first:
            return ""
        return next(str(row["zh"]) for row in rows if not row["years"] or year < first + row["years"])

    return build_year.map({year: phase(int(year)) for year in build_year.unique()}).astype("str")


def county_codes(county: pd.Series, counties: gpd.GeoDataFrame | None) -> pd.Series:
    """Code of the county of each site, by its name; empty where the layer has none, or the name stands for several."""
    if counties is None or not len(counties):
        return pd.Series("", index=county.index, dtype="str")
    names = counties["name"].astype("str")
    codes = pd.Series(counties.index.astype("str"), index=names)
    own = (counties["name"].notna() & ~names.duplicated(keep=False)).to_numpy() & np.array(
        [_MADE_CODE.fullmatch(code) is None for code in codes], dtype=bool)
    return county.map(codes[own].to_dict()).fillna("").astype("str")


def bureau_numbers(sites: pd.DataFrame, county_code: pd.Series) -> pd.Series:
    """Proposed numbers of the chosen sites: county code, letter of the kind, running number in order of choice.

    Six digits of the county code, 000000 where it is not known; letters of ``[numbers]`` of
    ``tables/export_fields.toml``. Empty for sites that were not chosen.

    >>> rows = pd.DataFrame({"status": "proposed", "kind": ["micro", "macro", "macro"], "rank_no": [1, 3, 2]})
    >>> bureau_numbers(rows, pd.Series(["", "449921", "449921"])).tolist()
    ['000000W0001', '449921H0002', '449921H0001']
    """
    letters = read_table("export_fields")["numbers"]["letters"]
    out = pd.Series("", index=sites.index, dtype="str")
    chosen = sites[sites["status"] == "proposed"].sort_values("rank_no", kind="stable")
    found = county_code.loc[chosen.index].astype("str").str.extract(r"^(\d{6})", expand=False).fillna("000000")
    front = pd.Series([code + letters.get(kind, "Q") for code, kind in zip(found, chosen["kind"], strict=True)],
                      index=chosen.index, dtype="str")
    numbers = front.groupby(front).cumcount() + 1
    out[chosen.index] = [f"{text}{number:04d}" for text, number in zip(front, numbers, strict=True)]
    return out


def land_use_name(text: str) -> str:
    """Name of a land-use code, of each part of a mixed one; empty for one that is not known.

    >>> land_use_name("1401"), land_use_name("0701/1403"), land_use_name("X9"), land_use_name("")
    ('公园绿地', '居住用地/广场用地', '', '')
    """
    names = [land_use_of(part).zh for part in _CODES.split(str(text).strip()) if part]
    return "/".join(dict.fromkeys(name for name in names if name))


def tower_heights_m(sites: pd.DataFrame) -> np.ndarray:
    """Height of the tower of each site, m; NaN where there is none, or it is not known.

    A ground tower reaches to its antennas. A tower on a roof has the height of ``tables/mounts.toml``, unless it was
    built up to the least height of antennas or stands there already: then the roof would have to be known.
    """
    mount, height = sites["mount"].astype("str"), sites["antenna_height_m"].to_numpy(dtype=float)
    roof = load_mounts()["roof_tower"]
    usual = ((mount == "roof_tower") & (sites["build"] == "new")).to_numpy() & (height > roof.min_antenna_m)
    return np.where(mount.isin(GROUND_TOWERS).to_numpy(), height, np.where(usual, roof.raise_m, np.nan))


def _bands(sites: pd.DataFrame, equipment: Mapping[str, Any], asked: np.ndarray) -> pd.Series:
    """Bands that a new site of each kind carries, joined by ``|``."""
    own = equipment.get("site_types") or {}
    carried = {name: str((own.get(name) or {}).get("band") or entry["band"])
               for name, entry in read_table("equipment")["site_types"].items()}
    carried |= {name: str(entry["band"]) for name, entry in own.items() if (entry or {}).get("band")}
    return sites["kind"].map(carried).where(asked).fillna("")


def _room_m2(sites: pd.DataFrame, asked: np.ndarray) -> pd.Series:
    """Area of the equipment room by ``[rooms]`` of ``tables/export_fields.toml``; NaN where none is proposed."""
    rooms = read_table("export_fields")["rooms"]
    area = {kind: float(rooms[kind]) for kind in ("macro", "micro")}
    area_m2 = sites["kind"].map(area).astype("float64")
    return area_m2.where(asked & (sites["build"].isin(rooms["builds"]) | (area_m2 == 0)))
