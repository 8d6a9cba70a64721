"""Names and numbers in ``[selection]`` held against the layers, all in one round before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import Problem, StudyError
from siteplan.layers.kinds.operators import network_of, operator_spellings
from siteplan.params import ShareParams, StudyParams
from siteplan.selection.limits import COLUMN_ZH, operators_served
from siteplan.setting_faults import suggestion
from siteplan.venues import VenueCatalogue, department_of

LAYER_ZH = {"villages": "行政村", "zones": "重点区域"}
_PLACES = {"county": "counties", "town": "towns"}
_MOST_KNOWN = 40
Tables = Mapping[str, gpd.GeoDataFrame]


def check_names(params: StudyParams, tables: Tables, venues: VenueCatalogue) -> None:
    """Tell every name in quotas, shares and numbers of passing areas that the layers do not bear out.

    Parameters
    ----------
    params : StudyParams
    tables : mapping of str to GeoDataFrame
        Layers; villages and zones those that are judged.
    venues : VenueCatalogue
        Knows the departments.

    Raises
    ------
    StudyError
        With all of them.
    """
    problems = [*_quota_faults(params, tables, venues), *area_faults(params, tables)]
    if problems:
        raise StudyError("研究文件不能使用:", problems)


def area_faults(params: StudyParams, tables: Tables) -> list[Problem]:
    """Areas in ``[selection.shares]`` that there are not, and more passing areas than there are."""
    found = []
    for number, asked in enumerate(params.selection.shares, 1):
        found += places_named(tables[asked.layer], asked, f"selection.shares#{number}")[1]
    for layer, zh in LAYER_ZH.items():
        count, there = getattr(params.selection.passing, layer), len(tables[layer])
        if count is not None and count > there:
            found.append(Problem("study", "", "", f"selection.passing.{layer}", f"要求 {count} 个{zh}达标,而一共只有 {there} 个",
                                 f"不大于 {there}"))
    return found


def places_named(areas: gpd.GeoDataFrame, asked: ShareParams, key: str,
                 ) -> tuple[NDArray[np.int64], list[Problem]]:
    """Rows of the areas that a share is asked of, by id or name; problems for names that none has."""
    if not asked.names:
        return np.arange(len(areas)), []
    ids = areas.index.astype(str)
    names = areas["name"].fillna("").astype(str).to_numpy() if "name" in areas else np.full(len(areas), "")
    chosen, problems = np.zeros(len(areas), dtype=bool), []
    for word in asked.names:
        hit = np.asarray(ids == word)
        hit = hit if hit.any() else names == word
        chosen |= hit
        if not hit.any():
            known = [*dict.fromkeys([*(name for name in names if name), *ids])]
            problems.append(Problem("study", "", "", f"{key}.names", f"没有这个{LAYER_ZH[asked.layer]}:{word}",
                                    suggestion(word, known) if len(known) <= 40 else "核对名称或编号"))
    return np.flatnonzero(chosen), problems


def _quota_faults(params: StudyParams, tables: Tables, venues: VenueCatalogue) -> Iterator[Problem]:
    """Counties, towns, departments and operators of quotas that no layer knows."""
    known: dict[str, list[str]] = {}
    for number, quota in enumerate(params.selection.quotas, 1):
        if quota.of not in (*_PLACES, "department", "operator", "requested_by"):
            continue
        if quota.of not in known:
            known[quota.of] = sorted(_known(quota.of, params, tables, venues) - {""})
        if quota.value not in known[quota.of]:
            yield Problem("study", "", "", f"selection.quotas#{number}.value",
                          f"图层中没有这个{COLUMN_ZH[quota.of]}:{quota.value}",
                          _remedy(quota.of, quota.value, known[quota.of]))


def _remedy(of: str, word: str, known: list[str]) -> str:
    if not known:
        return "提供有这一列的图层,或去掉这条限额"
    plain = operator_spellings().get(word, "") if of in ("operator", "requested_by") else ""
    if plain in known:
        return f"写 {plain}"
    near = suggestion(word, known)
    return near if len(known) <= _MOST_KNOWN or not near.startswith("可用") else "核对名称"


def _known(of: str, params: StudyParams, tables: Tables, venues: VenueCatalogue) -> set[str]:
    """Names that sites may come to have in the column of a quota."""
    if of in _PLACES:
        areas = tables[_PLACES[of]]
        own = _words(areas, "name")
        labels = {*own, *(str(key) for key, name in zip(areas.index, own, strict=True) if not name)}
        return labels.union(*(_words(tables[layer], of) for layer in ("towns", "villages")))
    if of == "department":
        written = {word for table in tables.values() for word in _words(table, "department")} - {""}
        catalogue = {entry.zh for entry in venues.departments.values()}
        return catalogue.union(department_of(word, venues) for word in written)
    if of == "operator":
        stations = tables["stations"]
        five = stations[(stations["technology"] == "5G").to_numpy(dtype=bool)]
        found = {*_words(five, "network"), *map(network_of, params.candidates.serves)}
        return {name for text in found for name in operators_served(text)} - {"*"} | _askers(tables)
    return _askers(tables)


def _askers(tables: Tables) -> set[str]:
    """Operators that asked for sites."""
    asked = {network_of(text) for text in _words(tables["demands"], "operators")}
    return {name for text in asked for name in text.split("&")}


def _words(table: pd.DataFrame, column: str) -> list[str]:
    """A column as text without blanks around it; empty where it is not there."""
    if column not in table:
        return [""] * len(table)
    values = table[column].astype("object")
    return values.where(values.notna(), "").astype("str").str.strip().tolist()
