"""The same areas for each network alone, and rules that ask for one network alone or for every one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps.judging.areas import assess_areas
from siteplan.gaps.judging.rules import Rule
from siteplan.gaps.judging.shares import AreaPixels, area_pixels
from siteplan.gaps.judging.verdicts import JUDGED, VERDICTS, Signal
from siteplan.gaps.people.demand import Demand

_COLUMNS = ["rule", "area_share", "demand_share", "indoor_share", "known_share", *JUDGED]


def assess_networks(areas: gpd.GeoDataFrame, signals: Mapping[str, Signal], demand: Demand, rule: Rule, *,
                    points: gpd.GeoDataFrame | None = None, pixels: AreaPixels | None = None,
                    sites: gpd.GeoDataFrame | None = None,
                    key_points: gpd.GeoDataFrame | None = None) -> pd.DataFrame:
    """Shares and verdict of each area for each network alone.

    Parameters
    ----------
    areas, demand, rule, points, pixels, key_points
        As for :func:`siteplan.gaps.judging.areas.assess_areas`.
    signals : mapping of str to Signal
        Coverage by name of the network; those that share their arrays (a shared RAN) are computed once.
    sites : GeoDataFrame, optional
        Sites of the rule's technology, for rules with ``site_within_m``, where the signals have none of their own. A
        column ``networks`` (names joined by ``|``, * = all) tells whose they are; without it a site may be anybody's,
        so that a network only fails where there is no site at all.

    Returns
    -------
    DataFrame
        ``rule, area_share, demand_share, indoor_share, known_share, verdict, shortfall, reason``; its index is the one
        of the areas and ``network``, the networks of an area in the order of ``signals``.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from shapely import box
    >>> from siteplan.gaps.judging.rules import rule_named
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame(geometry=[box(0, 0, 20, 10)], index=["a"], crs="EPSG:4547")
    >>> people = Demand(np.ones((1, 2), np.float32), "people", grid)
    >>> two = {"移动": Signal(np.ones((1, 2))), "联通": Signal(np.zeros((1, 2)))}
    >>> assess_networks(areas, two, people, rule_named("area_share_95"))["verdict"].to_dict()
    {('a', '移动'): 'pass', ('a', '联通'): 'fail'}
    """
    fractions = pixels if pixels is not None else area_pixels(demand.geobox, areas)
    once: dict[tuple[Any, ...], pd.DataFrame] = {}
    tables = {}
    for name, signal in signals.items():
        whose = _sites_of(name, signal, sites) if rule.site_within_m is not None else None
        key = (id(signal.probability), id(signal.indoor_probability), signal.threshold_dbm, _places(whose))
        if key not in once:
            once[key] = assess_areas(areas, signal.probability, demand, rule, points=points, pixels=fractions,
                                     sites=whose, indoor=signal.indoor_probability, key_points=key_points,
                                     threshold_dbm=signal.threshold_dbm)
        tables[name] = once[key]
    area_name = areas.index.name or "area"
    if not tables:
        index = pd.MultiIndex.from_arrays([areas.index[:0], pd.Index([], dtype="str")], names=[area_name, "network"])
        return pd.DataFrame(columns=_COLUMNS, index=index)
    found = pd.concat({name: table[_COLUMNS] for name, table in tables.items()}, names=["network", area_name])
    order = np.arange(len(found)).reshape(len(tables), len(areas)).T.ravel()
    return found.iloc[order].swaplevel()


def _sites_of(name: str, signal: Signal, sites: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
    """Sites of one network; None where it is not known which they are."""
    if signal.sites is not None or sites is None or sites.empty:
        return signal.sites if signal.sites is not None else sites
    if "networks" not in sites:
        return None
    return sites[[bool({name, "*"} & set(str(text).split("|"))) for text in sites["networks"]]]


def _places(sites: gpd.GeoDataFrame | None) -> tuple[str, ...] | None:
    return None if sites is None else tuple(sites.geometry.to_wkb(hex=True))


def judge_operators(any_table: pd.DataFrame, network_table: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Verdicts of a rule that asks for one network alone, or for every network.

    Parameters
    ----------
    any_table : DataFrame
        Of :func:`~siteplan.gaps.judging.areas.assess_areas` (or the sections of
        :func:`~siteplan.gaps.judging.lines.assess_lines`).
    network_table : DataFrame
        Of :func:`assess_networks`: index (area, network) with ``verdict, shortfall, reason``.
    rule : Rule
        ``one``: passes where any network passes, fails where all fail. ``every``: the other way round. In between:
        not assessable. ``any``: the table comes back as it is.

    Returns
    -------
    DataFrame
        ``any_table`` with ``verdict, shortfall, reason`` of the networks together. The shortfall is that of the
        network nearest to passing (one) or farthest from it (every); the reason names the networks that fail.

    Examples
    --------
    >>> from siteplan.gaps.judging.rules import rule_named
    >>> rule = rule_named("village_miit_2025_one")
    >>> both = pd.DataFrame({"verdict": ["pass", "fail"], "shortfall": [0.0, 1.0], "reason": ["", "学校未覆盖"]},
    ...                     index=pd.MultiIndex.from_product([["a"], ["移动", "联通"]], names=["area", "network"]))
    >>> judge_operators(both.loc[[("a", "移动")]].droplevel(1), both, rule).loc["a", ["verdict", "reason"]].to_list()
    ['pass', '移动独自达标;联通未达标']
    """
    out = any_table.copy()
    if rule.operators == "any":
        return out
    by_area: dict[Any, _Networks] = {area: _Networks([], [], []) for area in any_table.index}
    index = network_table.index
    for area, name, verdict, lack, reason in zip(
            index.get_level_values(0), index.get_level_values(-1), network_table["verdict"],
            network_table["shortfall"], network_table["reason"], strict=True):
        if area in by_area:
            by_area[area][VERDICTS.index(verdict)].append((str(name), float(lack), str(reason)))
    judge = _one if rule.operators == "one" else _every
    rows = [judge(by_area[area], rule.technology) for area in any_table.index]
    for number, column in enumerate(JUDGED):
        out[column] = pd.Series([row[number] for row in rows], index=out.index, dtype=any_table[column].dtype)
    return out


class _Networks(NamedTuple):
    """Networks of one area by their verdict, in the order of ``VERDICTS``; each ``(name, shortfall, reason)``."""

    passed: list[tuple[str, float, str]]
    failed: list[tuple[str, float, str]]
    unclear: list[tuple[str, float, str]]


def _names(rows: list[tuple[str, float, str]]) -> str:
    return "、".join(name for name, _, _ in rows)


def _one(networks: _Networks, technology: str) -> tuple[str, float, str]:
    passed, failed, unclear = networks
    if passed:
        rest = f";{_names(failed)}未达标" if failed else ""
        return "pass", 0.0, f"{_names(passed)}独自达标{rest}"
    if unclear or not failed:
        return _unclear(networks, technology)
    name, lack, reason = min(failed, key=lambda row: row[1])
    return "fail", lack, f"没有一家独自达标,{_names(failed)}均未达标;最接近的{name}:{reason}"


def _every(networks: _Networks, technology: str) -> tuple[str, float, str]:
    passed, failed, unclear = networks
    if failed:
        name, lack, reason = max(failed, key=lambda row: row[1])
        return "fail", lack, f"{_names(failed)}未达标;差得最多的{name}:{reason}"
    if unclear or not passed:
        return _unclear(networks, technology)
    return "pass", 0.0, f"{_names(passed)}均达标"


def _unclear(networks: _Networks, technology: str) -> tuple[str, float, str]:
    if not networks.unclear:
        return "not_assessable", np.nan, f"没有{technology}网络的覆盖预测,无法判定"
    name, _, reason = networks.unclear[0]
    failed = f"{_names(networks.failed)}未达标;" if networks.failed else ""
    return "not_assessable", np.nan, f"{failed}{_names(networks.unclear)}无法判定;{name}:{reason}"
