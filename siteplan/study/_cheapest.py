"""Villages that are cheapest to gain for the targets of a study."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from siteplan.coverage import reach_probability, sectors_of_sites
from siteplan.gaps import Rule, cheapest_to_gain
from siteplan.gaps.judging.areas import Signal, point_probability, too_small
from siteplan.gaps.judging.verdicts import wrong_threshold
from siteplan.grid import inside, pixel_of, pixel_xy
from siteplan.study._areas import judged_under
from siteplan.study._places import people_of
from siteplan.study._scene import Scene
from siteplan.study._signals import Signals, serves

SAMPLES = 64
"""Uncovered pixels of a village at which candidates are tried for a rule of shares."""
VENUE_ID = r"^(?:V-facility|G-ground):(.*)"
"""Site ids of the two alternatives of a venue, and in them the id of the venue."""
LINKS = ["village_id", "site_id", "gain"]


def why_no_list(rule: Rule, signal: Signal) -> str:
    """Why no list of the cheapest villages is made under a rule, in Chinese; empty where there is one.

    New sites are tried one by one on the best outdoor signal of all 5G networks; what else a rule asks for is not
    seen there.

    >>> from siteplan.gaps import rule_named
    >>> outdoors = Signal(np.ones((1, 1)))
    >>> why_no_list(rule_named("area_share_95"), outdoors), why_no_list(rule_named("village_miit_2025_one"), outdoors)
    ('', '规则按单个运营商判定')
    """
    asks = asks_beyond(rule)
    if asks:
        return f"{asks},新站为5G" if rule.technology != "5G" else asks
    if rule.measure not in ("points", "area_share", "demand_share"):
        return "规则不判定行政村"
    return wrong_threshold(signal, rule)


def asks_beyond(rule: Rule) -> str:
    """What a rule asks for beyond the best outdoor signal of all 5G networks, in Chinese; empty where nothing.

    >>> from siteplan.gaps import rule_named
    >>> asks_beyond(rule_named("area_share_95")), asks_beyond(rule_named("village_miit_2025_one"))
    ('', '规则按单个运营商判定')
    """
    if rule.technology != "5G":
        return f"规则按{rule.technology}判定"
    if rule.operators != "any":
        return "规则按单个运营商判定"
    if rule.indoor_minimum is not None:
        return "规则还要求建筑内覆盖"
    if rule.site_within_m is not None:
        return "规则以站址距离代替覆盖"
    return ""


def _asked_points(scene: Scene, rule: Rule) -> gpd.GeoDataFrame:
    """Village points that a rule of points looks at, those that a village does not have among them."""
    points = scene.tables["village_points"]
    return points[points["kind"].isin(rule.kinds) & ~too_small(points, rule)]


def _lacks(scene: Scene, judged: pd.DataFrame, probability: np.ndarray, rule: Rule) -> pd.Series:
    """What each failing village lacks that sites could add; villages are left out that no site can gain.

    Under a rule of points these are those where a kind of points has no row, or the place of a point is not known;
    under a rule of shares those where so much is unknown that the rest does not do. What they lack is then told in
    the share of the whole village, the unknown part taken as not covered.
    """
    failing = judged[(judged["verdict"] == "fail").to_numpy(bool)]
    if rule.measure == "points":
        points = _asked_points(scene, rule)
        codes, there = points["village_code"].astype("str"), points["exists"].astype(bool).to_numpy()
        kinds = points["kind"].groupby(codes.to_numpy()).nunique()
        lost = set(codes[there & np.isnan(point_probability(points, probability, scene.demand))])
        told = (kinds.reindex(failing.index).to_numpy() == len(set(rule.kinds))) & ~failing.index.isin(list(lost))
        return failing["shortfall"][told].astype("float64")
    known = failing["known_share"].astype("float64")
    return (rule.minimum - failing[rule.measure].astype("float64") * known)[known >= rule.minimum]


def _tried_points(scene: Scene, village_ids: pd.Index, probability: np.ndarray, rule: Rule) -> pd.DataFrame:
    points = _asked_points(scene, rule)
    points = points[points["village_code"].isin(village_ids) & points["exists"].astype(bool) & points.geometry.notna()]
    rows, cols = pixel_of(scene.surface.geobox, points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
    on = inside(scene.surface.geobox, rows, cols)
    table = pd.DataFrame({"village_id": points["village_code"].astype("str").to_numpy()[on], "row": rows[on],
                          "col": cols[on], "kind": points["kind"].to_numpy()[on]})
    weak = np.nan_to_num(probability[table["row"], table["col"]], nan=1.0) < rule.point_probability
    table = table[weak]
    return table.assign(gain=1.0 / table.groupby(["village_id", "kind"])["row"].transform("size"))


def _tried_pixels(scene: Scene, judged: pd.DataFrame, village_ids: pd.Index, probability: np.ndarray, rule: Rule,
                  ) -> pd.DataFrame:
    pixels, chance = scene.pixels["villages"], probability.ravel()
    weight = np.nan_to_num(scene.demand.per_pixel.ravel()) if rule.measure == "demand_share" else None
    parts = [pd.DataFrame({"village_id": pd.Series(dtype="str"), "row": 0, "col": 0, "gain": 0.0})]
    for name, number in zip(village_ids, pixels.index.get_indexer(village_ids), strict=True):
        part = slice(*pixels.fractions.indptr[number:number + 2])
        cells, share = pixels.fractions.indices[part], pixels.fractions.data[part]
        share = share if weight is None else share * weight[cells]
        found = chance[cells]
        lack = share * (1.0 - np.nan_to_num(found, nan=1.0))
        open_ = np.flatnonzero(lack > 0)
        if len(open_) == 0:
            continue
        taken = open_[np.unique(np.linspace(0, len(open_) - 1, min(SAMPLES, len(open_))).round().astype(int))]
        whole = share[~np.isnan(found)].sum() / float(judged.at[name, "known_share"])
        rows, cols = np.divmod(cells[taken], probability.shape[1])
        parts.append(pd.DataFrame({"village_id": str(name), "row": rows, "col": cols,
                                   "gain": lack[open_].sum() / lack[taken].sum() * lack[taken] / whole}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _near_asked(scene: Scene, tried: pd.DataFrame, candidates: gpd.GeoDataFrame) -> np.ndarray:
    """Which candidates have an asked pixel within their range: the others are not worth their tables of path loss."""
    x, y = pixel_xy(scene.surface.geobox, tried["row"].to_numpy(), tried["col"].to_numpy())
    away = cKDTree(np.column_stack([x, y])).query(np.column_stack([candidates.geometry.x, candidates.geometry.y]))[0]
    params = scene.params.coverage
    reach = np.where(candidates["kind"] == "micro", params.micro_range_m, params.max_range_m)
    return np.asarray(away <= reach + 2.0 * scene.surface.pixel_m)


def _one_per_venue(helps: pd.DataFrame, candidates: gpd.GeoDataFrame) -> pd.DataFrame:
    """Of the roof and the land of a venue only the cheaper one that helps: they are alternatives of each other."""
    cost = candidates.loc[candidates.index.isin(helps["site_id"]), "cost_yuan"].sort_index().sort_values(kind="stable")
    venue = cost.index.to_series().str.extract(VENUE_ID, expand=False)
    dearer = cost.index[(venue.notna() & venue.duplicated()).to_numpy()]
    return helps[~helps["site_id"].isin(dearer)]


def _helps(scene: Scene, tried: pd.DataFrame, candidates: gpd.GeoDataFrame, rule: Rule) -> pd.DataFrame:
    """What each candidate adds to each village: ``village_id, site_id, gain``; one of the alternatives of a venue."""
    if candidates.empty or tried.empty:
        return pd.DataFrame(columns=LINKS)
    candidates = candidates[_near_asked(scene, tried, candidates)]
    if candidates.empty:
        return pd.DataFrame(columns=LINKS)
    floor = rule.point_probability if rule.measure == "points" else scene.params.gaps.gap_probability
    params = scene.params.coverage
    if rule.threshold_dbm is not None:
        params = params.model_copy(update={"threshold_dbm": rule.threshold_dbm})
    reach = reach_probability(scene.surface, sectors_of_sites(candidates, scene.equipment, serves(scene)), params,
                              tried["row"].to_numpy(), tried["col"].to_numpy(), floor=floor,
                              equipment=scene.equipment, calibration=scene.calibration)
    served = (reach.matrix >= floor).tocoo()
    helps = pd.DataFrame({"village_id": tried["village_id"].to_numpy()[served.row],
                          "site_id": np.asarray(reach.site_ids, dtype=object)[served.col],
                          "gain": tried["gain"].to_numpy()[served.row]})
    return _one_per_venue(helps.groupby(["village_id", "site_id"], as_index=False)["gain"].sum(), candidates)


def _wanted_of(targets: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Rows of targets over a share or a number of villages under a rule that still lack some."""
    needed = targets["needed_before"].fillna(0).astype(int) > 0
    return targets[needed & (targets["measure"] == "village_rate") & (targets["rule"] == rule.id)]


def rules_wanted(scene: Scene, targets: pd.DataFrame) -> list[Rule]:
    """Rules under which villages are still needed, each once, in the order of the targets."""
    ids = targets.loc[targets["measure"] == "village_rate", "rule"]
    rules = [scene.all_rules[rule_id] for rule_id in dict.fromkeys(ids) if rule_id in scene.all_rules]
    return [rule for rule in rules if len(_wanted_of(targets, rule))]


def _in_area(villages: pd.DataFrame, level: str, county: str, town: str) -> np.ndarray:
    """Which villages a row of a target is about."""
    if level == "city":
        return np.ones(len(villages), bool)
    asked = {"county": county} | ({"town": town} if level == "town" else {})
    return np.all([villages[name].fillna("").astype(str).str.strip() == word for name, word in asked.items()], axis=0)


def cheapest_villages(scene: Scene, signals: Signals, targets: pd.DataFrame, sites: gpd.GeoDataFrame, rule: Rule,
                      ) -> pd.DataFrame:
    """Failing villages that candidates gain at least cost, for each target and area under a rule that lacks some.

    Gains are counted at the uncovered points of the rule, or at up to 64 uncovered pixels of each village. Villages
    that no site can gain, because their points or too much of their land is unknown, are left out. Of the roof and the
    land of one venue only the cheaper is tried.

    Parameters
    ----------
    scene : Scene
    signals : Signals
        As it stands.
    targets : DataFrame
        Of :func:`~siteplan.study._targets.target_table`.
    sites : GeoDataFrame
        The sites table; candidates and proposed sites are tried.
    rule : Rule

    Returns
    -------
    DataFrame
        ``target_id, target`` (its sentence), ``area`` (全市, county or county/town), ``village_id`` and the columns of
        :func:`~siteplan.gaps.cheapest_to_gain`, one list after the other, numbered from 0. Without rows where
        :func:`why_no_list` tells why.
    """
    wanted, signal = _wanted_of(targets, rule), signals.any_network(rule)
    if wanted.empty or why_no_list(rule, signal):
        return pd.DataFrame()
    judged = judged_under(scene, "villages", rule, signals)
    lacks = _lacks(scene, judged, signal.probability, rule)
    tried = (_tried_points(scene, lacks.index, signal.probability, rule) if rule.measure == "points" else
             _tried_pixels(scene, judged, lacks.index, signal.probability, rule))
    candidates = sites[sites["status"].isin(["candidate", "proposed"])].sort_index()
    helps = _helps(scene, tried, candidates, rule)
    areas = scene.tables["villages"]
    places = [column for column in ("name", "county", "town") if column in areas]
    listed = pd.DataFrame(areas[places]).assign(people=people_of(areas)).loc[lacks.index].assign(shortfall=lacks)
    lists = []
    for row in wanted.to_dict("records"):
        here = listed[_in_area(listed, row["level"], row["county"], row["town"])]
        found = cheapest_to_gain(here, pd.DataFrame(candidates[["cost_yuan"]]), helps, int(row["needed_before"]))
        area = "/".join(filter(None, (row["county"], row["town"]))) or "全市"
        lists.append(found.reset_index().assign(target_id=row["target"], target=row["zh"], area=area))
    lists = [found for found in lists if len(found)]
    if not lists:
        return pd.DataFrame()
    table = pd.concat(lists, ignore_index=True)
    front = ["target_id", "target", "area"]
    return table[[*front, *(column for column in table if column not in front)]]
