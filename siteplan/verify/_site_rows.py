"""Rows of sites held against each other: certificate, ``sites.gpkg``, ``candidates.gpkg``, Shapefile, ``plan.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.tables import read_table
from siteplan.verify._check import Check

PLACE_TOLERANCE_M = 1e-3
_NAMED = 5
_LOST_BYTES = 6
"""A text that was shortened lacks so many bytes of the width of its field at most: the mark, and a part of a letter."""
_CERTIFICATE = {"county": "county", "town": "town", "department": "department", "owner": "owner",
                "operators": "operators", "networks": "networks", "must_be_free": "must_be_free",
                "stations": "station_count", "cost_yuan": "cost_yuan", "kind": "kind", "tier": "tier"}
"""Columns of ``candidates.csv``, and what the layers call them."""
_IN_PLAN = ("station_count", "build_year", "department", "must_be_free", "name", "reason")
"""What every site of ``plan.json`` says; what else it says in common with the layer is compared as well."""
_OWN_WORDS = {"source": "来源", "spacing_m": "站间距要求"}
Fields = Mapping[str, Mapping[str, Any]]


@cache
def site_fields() -> Fields:
    """Fields of the site layer as ``tables/export_fields.toml`` lists them, scenes with their words.

    >>> site_fields()["county"]["out"], site_fields()["scene"]["values"]["rural"]
    ('SSXQ', '农村')
    """
    scenes = {name: entry["zh"] for name, entry in read_table("scenes")["scenes"].items()}
    return {name: {**field, "values": scenes} if field.get("words_of") == "scenes" else field
            for name, field in read_table("export_fields")["sites"].items() if name != "notice"}


def word_of_field(name: str) -> str:
    """What planners call a column.

    >>> word_of_field("cost_yuan"), word_of_field("source")
    ('投资估算', '来源')
    """
    field = site_fields().get(name)
    return str(field["zh"]).split("(")[0] if field else _OWN_WORDS.get(name, name)


def listed(names: pd.Index | list[str]) -> str:
    """The first few of some ids, and how many there are."""
    return "、".join(str(name) for name in names[:_NAMED]) + (f"等{len(names)}处" if len(names) > _NAMED else "")


def placed(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """The layer with its places as ``x`` and ``y``; NaN without a place."""
    points = table.geometry.where(~(table.geometry.isna() | table.geometry.is_empty), None)
    place = points.representative_point() if len(points) else points
    return pd.DataFrame(table.drop(columns=table.geometry.name)).assign(x=place.x, y=place.y)


def numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as numbers, NaN for what is none."""
    return pd.to_numeric(table[name], errors="coerce").astype("float64")


def _texts(values: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Texts in the words of the layer; nothing for a missing value, whole numbers without a point."""
    texts = values.astype("object").where(values.notna(), "").map(
        lambda value: f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value))
    texts = texts.astype("object")
    return texts.map(lambda text: words.get(text, text)).astype("object")


def _shortened(one: str, other: str, width: int) -> bool:
    """Whether the second text is the first one, cut to the width of its field."""
    return (other.endswith("…") and len(other.encode("utf-8")) > width - _LOST_BYTES
            and one.startswith(other[:-1]))


def _differ(one: pd.Series, other: pd.Series, name: str) -> NDArray[np.bool_]:
    """Where two columns of the same sites say different things."""
    field = site_fields().get(name, {"type": "text"})
    words = {"1": "是", "0": "否"} | dict(field["values"]) if name in ("must_be_free", "must_open") else dict(
        field.get("values", {}))
    here, there = _texts(one, words), _texts(other, words)
    wrong = here.to_numpy() != there.to_numpy()
    if field["type"] == "text":
        width = int(field.get("width", 254))
        for row in np.flatnonzero(wrong):
            pair = here.iloc[row], there.iloc[row]
            wrong[row] = not (_shortened(*pair, width) or _shortened(pair[1], pair[0], width))
        return np.asarray(wrong, dtype=bool)
    room = 0.51 * 10.0 ** -int(field.get("decimals", 0)) if field["type"] == "float" else 1e-9
    apart = (pd.to_numeric(one, errors="coerce").to_numpy(dtype="float64")
             - pd.to_numeric(other, errors="coerce").to_numpy(dtype="float64"))
    return np.asarray(wrong & ~(np.abs(apart) <= room), dtype=bool)


def differences(here: pd.DataFrame, there: pd.DataFrame, names: Iterable[str], needed: Iterable[str] = ()) -> list[str]:
    """What two tables of sites say differently, one sentence for each column, places among them.

    Parameters
    ----------
    here, there : DataFrame
        Index ``site_id``, columns as ``sites.gpkg`` names them; ``x`` and ``y`` where places are to be compared.
    names : iterable of str
        Columns to compare, those that both have.
    needed : iterable of str
        Columns that it is a fault to be without.
    """
    told = [f"缺少字段“{word_of_field(name)}”" for name in needed if name not in there or name not in here]
    both = here.index.intersection(there.index)
    here, there = here.loc[both], there.loc[both]
    if {"x", "y"} <= set(here) & set(there):
        apart = np.hypot(numbers(here, "x") - numbers(there, "x"), numbers(here, "y") - numbers(there, "y"))
        bad = ~(apart <= PLACE_TOLERANCE_M).to_numpy()
        told += [f"位置不一致:{listed(both[bad])}"] if bad.any() else []
    for name in (name for name in names if name in here and name in there):
        bad = _differ(here[name], there[name], name)
        told += [f"{word_of_field(name)}不一致:{listed(both[bad])}"] if bad.any() else []
    return told


def missing_rows(here: pd.Index, there: pd.Index) -> list[str]:
    """Sites that the second table lacks, and those that it has besides."""
    lost, more = here.difference(there), there.difference(here)
    return [f"缺 {listed(lost)}"] * bool(len(lost)) + [f"多 {listed(more)}"] * bool(len(more))


def certified(candidates: pd.DataFrame, *, years: bool) -> pd.DataFrame:
    """``candidates.csv`` with the column names of the layers; without phases it knows no years of building."""
    names = {**_CERTIFICATE, **({"year": "build_year"} if years else {})}
    table = candidates.set_index("site_id")
    told = table[["x", "y", *names]].rename(columns=names).assign(source=table["source"], spacing_m=table["spacing_m"])
    return told.assign(build_year=told["build_year"].where(told["build_year"] != 0)) if years else told


def certified_check(key: str, zh: str, table: pd.DataFrame, layer: pd.DataFrame) -> Check:
    """A layer held against the certificate: places and whatever limits are counted by."""
    names = [name for name in table if name not in ("x", "y")]
    every = {word for words in table["networks"] for word in _parts(words)} - {"*"}
    if "networks" in layer:
        table, layer = (one.assign(networks=one["networks"].map(lambda words: _all_or(words, every)))
                        for one in (table, layer))
    told = differences(table, layer, names, [name for name in names if name in site_fields()])
    count = len(table.index.intersection(layer.index))
    return Check(key, zh, not told, f"{count} 处", f"{len(told)} 项不一致" if told else f"{count} 处一致", ";".join(told))


def _parts(networks: object) -> set[str]:
    """Networks that a text joins, by themselves or shared.

    >>> sorted(_parts("移动|电信&联通"))
    ['电信', '移动', '联通']
    """
    return set(networks.replace("&", "|").split("|")) - {""} if isinstance(networks, str) else set()


def _all_or(networks: object, every: set[str]) -> object:
    """``*`` where all networks are named (a layer says it so, and the certificate may name them)."""
    return "*" if _parts(networks) == every else networks


def layer_check(sites: pd.DataFrame, layer: pd.DataFrame) -> Check:
    """The proposed sites of ``candidates.gpkg`` held against ``sites.gpkg``, every column that both have."""
    layer = layer.loc[layer["status"] == "proposed"]
    told = differences(sites, layer, site_fields())
    return Check("sites_in_layer", "candidates.gpkg 中入选站址各列与 sites.gpkg 一致", not told, f"{len(layer)} 处",
                 f"{len(sites)} 处", ";".join(told))


def plan_check(sites: pd.DataFrame, plan: pd.DataFrame) -> Check:
    """The sites of ``plan.json`` held against ``sites.gpkg``; the basis of the choice is coded there, and not read."""
    names = [name for name in site_fields() if name != "choice_code"]
    told = differences(sites, plan, names, _IN_PLAN) if len(plan) or len(sites) else []
    return Check("sites_facts", "plan.json 各站的名称、理由、归属等与 sites.gpkg 一致", not told, f"{len(plan)} 处",
                 f"{len(sites)} 处", ";".join(told))


def _as_exported(sites: pd.DataFrame) -> pd.DataFrame:
    """The layer as its Shapefile says it: lists with 、, fewer digits where ``tables/export_fields.toml`` says so."""
    fields = {name: field for name, field in site_fields().items() if name in sites}
    return sites.assign(**{name: sites[name].str.replace("|", "、")
                           for name, field in fields.items() if field.get("list")},
                        **{name: _half_up(numbers(sites, name), int(field["out_decimals"]))
                           for name, field in fields.items() if "out_decimals" in field})


def _half_up(values: pd.Series, decimals: int) -> pd.Series:
    """Numbers rounded as planners do: a half goes up in size."""
    size = np.floor(values.abs() * 10.0**decimals + 0.5) / 10.0**decimals
    return size * np.sign(values)


def shapefile_check(sites: pd.DataFrame, shapefile: gpd.GeoDataFrame | None) -> Check:
    """The Shapefile held against ``sites.gpkg``: the same sites, places, and all fields."""
    zh = "shp/sites.shp 各字段与 sites.gpkg 一致"
    if shapefile is None:
        return Check("shapefile", zh, False, "", f"{len(sites)} 处", "shp/sites.shp 不在,或不能读取")
    fields = {name: field for name, field in site_fields().items() if "out" in field}
    lost = [field["out"] for field in fields.values() if field["out"] not in shapefile]
    if lost or not isinstance(shapefile, gpd.GeoDataFrame):
        return Check("shapefile", zh, False, f"{len(shapefile)} 处", f"{len(sites)} 处",
                     f"缺少字段 {'、'.join(lost or ['geometry'])}")
    table = placed(shapefile).rename(columns={field["out"]: name for name, field in fields.items()})
    table.index = pd.Index(table["site_id"].astype("str"))
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        return Check("shapefile", zh, False, f"{len(table)} 处", f"{len(sites)} 处", f"编号重复:{listed(twice)}")
    told = [*missing_rows(sites.index, table.index), *differences(_as_exported(sites), table, fields)]
    return Check("shapefile", zh, not told, f"{len(table)} 处", f"{len(sites)} 处", ";".join(told))
