"""Rankings: areas by coverage indicators with published weights, failing villages by what it costs to gain them."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from siteplan.entries import Entries, completed
from siteplan.errors import ModelError
from siteplan.gaps.progress.purchases import links_of, needful, purchases
from siteplan.params import Settings
from siteplan.tables import read_table

UNKNOWN = "无法判定"
NO_AREA = "未注明"
SCORE_DECIMALS = 2


class Indicator(Settings):
    """One indicator of a ranking: its weight, and the values that earn nothing and full marks."""

    id: str
    zh: str
    unit: Literal["share", "per_10000", "number"]
    weight: float = Field(gt=0, le=1)
    worst: float = Field(description="value that earns nothing (may be the greater one)")
    best: float = Field(description="value that earns full marks")
    source: str

    @model_validator(mode="after")
    def _bounds_differ(self) -> Indicator:
        if not (math.isfinite(self.worst) and math.isfinite(self.best)) or self.worst == self.best:
            raise ValueError(f"指标 {self.id} 的 worst 与 best 须为两个不同的有限数 (two finite numbers)")
        return self


class Weights(Settings):
    """A published ranking: indicators whose weights add up to 1, and what a missing indicator means."""

    id: str
    zh: str
    indicators: tuple[Indicator, ...] = Field(min_length=1)
    missing: Literal["not_assessable", "share_out"] = "not_assessable"
    least_weight: float = Field(0.5, gt=0, le=1, description="least weight that must be known to share out the rest")
    source: str

    @model_validator(mode="after")
    def _adds_up(self) -> Weights:
        total = math.fsum(item.weight for item in self.indicators)
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"评分 {self.id} 的权重之和为 {total:g},应为 1 (the weights add up to {total:g})")
        if len({item.id for item in self.indicators}) < len(self.indicators):
            raise ValueError(f"评分 {self.id} 有指标写了两次 (twice)")
        return self


@cache
def load_rankings() -> dict[str, Weights]:
    """The rankings of ``tables/targets.toml`` by id; ``like`` takes over the indicators of another one.

    >>> [item.id for item in load_rankings()["coverage"].indicators][:2]
    ['village_rate', 'population_share']
    """
    return {key: ranking_of(key, {}) for key in read_table("targets")["rankings"]}


def ranking_of(ranking_id: str, extra: Entries) -> Weights:
    """One ranking, of the table or of a study; ``like`` takes over the fields and indicators of another one.

    Parameters
    ----------
    ranking_id : str
    extra : mapping
        ``[rankings]`` of the study file. An indicator of weight 0 is left out.

    Raises
    ------
    ModelError
        There is no such ranking, or its ``like`` leads nowhere.
    pydantic.ValidationError
        A field is missing, unknown or out of bounds; the weights do not add up to 1.

    Examples
    --------
    >>> mine = {"mine": {"like": "coverage", "indicators": {"area_share": {"weight": 0}, "zone_rate": {"weight": 0.3}}}}
    >>> [item.id for item in ranking_of("mine", mine).indicators]
    ['village_rate', 'population_share', 'zone_rate', 'sites_per_10000']
    """
    entry = completed(ranking_id, _known_rankings(), extra)
    listed = {name: item for name, item in entry.pop("indicators", {}).items() if item.get("weight") != 0}
    indicators = tuple(Indicator(**{"id": name, "zh": name, "source": "研究文件", **item})
                       for name, item in listed.items())
    return Weights(**{"id": ranking_id, "zh": ranking_id, "source": "研究文件", **entry, "indicators": indicators})


@cache
def _known_rankings() -> dict[str, dict[str, Any]]:
    """Rankings of the table, each with all its fields."""
    entries = read_table("targets")["rankings"]
    return {name: {"zh": entry["zh"], **completed(name, {}, entries)} for name, entry in entries.items()}


def _values(table: pd.DataFrame, item: Indicator) -> pd.Series:
    """Values of one indicator; NaN = missing."""
    if item.id not in table:
        raise ModelError(f"the table of areas has no column {item.id} ({item.zh}); leave its cells empty if unknown")
    values = table[item.id].astype("float64")
    top = 1.0 if item.unit == "share" else math.inf
    wrong = values.notna() & ((values < 0) & (item.unit != "number") | (values > top) | np.isinf(values))
    if wrong.any():
        raise ModelError(f"{item.id} of {values.index[wrong][0]} is {values[wrong].iloc[0]:g}; "
                         + ("shares are 0..1" if item.unit == "share" else "a finite number >= 0 is wanted"))
    return values


def rank_areas(table: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    """Score and rank of areas: ``100 * sum(weight * clip((value - worst) / (best - worst), 0, 1))``.

    The bounds are those of ``weights``, never those of the data: the score of an area does not depend on the other
    areas, and scores of different years compare. A missing indicator leaves the area without score, or, where
    ``weights.missing`` is ``share_out``, its weight goes to the others in proportion to theirs.

    Parameters
    ----------
    table : DataFrame
        One row per area, unique index; a column per indicator (shares 0..1), NaN = missing.
    weights : Weights

    Returns
    -------
    DataFrame
        On the index of the areas, best first, those without score last: ``ranking`` (id), ``rank_no`` (ties share a
        rank; NA without score), ``score`` (0..100, two decimals; NaN), ``status`` (已评分 | 无法判定), ``missing``
        (indicators, Chinese), ``weight_known`` (0..1), and ``part_<indicator>``: its points of the score.

    Raises
    ------
    ModelError
        A column is missing, an area stands twice, a share is outside 0..1.

    Examples
    --------
    >>> weights = Weights(id="toy", zh="示例", source="example", indicators=(
    ...     Indicator(id="village_rate", zh="行政村达标率", unit="share", weight=1, worst=0, best=1, source="example"),))
    >>> rank_areas(pd.DataFrame({"village_rate": [0.5, 0.8]}, index=["甲镇", "乙镇"]), weights)[["rank_no", "score"]]
        rank_no  score
    乙镇        1   80.0
    甲镇        2   50.0
    """
    if table.index.has_duplicates:
        raise ModelError(f"area {table.index[table.index.duplicated()][0]} is there twice")
    values = pd.DataFrame({item.id: _values(table, item) for item in weights.indicators}, index=table.index)
    shares = pd.Series({item.id: item.weight for item in weights.indicators})
    known = values.notna()
    weight_known = (known * shares).sum(axis=1).where(~known.all(axis=1), 1.0)
    least = 1.0 if weights.missing == "not_assessable" else weights.least_weight
    scored = weight_known >= least - 1e-9
    parts = {}
    for item in weights.indicators:
        marks = ((values[item.id] - item.worst) / (item.best - item.worst)).clip(0.0, 1.0)
        parts[f"part_{item.id}"] = (100.0 * item.weight * marks / weight_known).where(scored)
    points = pd.DataFrame(parts, index=table.index)
    score = points.sum(axis=1).round(SCORE_DECIMALS).where(scored)
    names = [item.zh for item in weights.indicators]
    result = pd.DataFrame({
        "ranking": weights.id, "rank_no": score.rank(method="min", ascending=False).astype("Int64"), "score": score,
        "status": np.where(scored, "已评分", UNKNOWN),
        "missing": ["、".join(name for name, there in zip(names, row, strict=True) if not there)
                    for row in known.to_numpy()],
        "weight_known": weight_known,
    }, index=table.index).join(points)
    return result.sort_index(kind="stable").sort_values("rank_no", kind="stable", na_position="last")


def sites_per_10000(site_areas: pd.Series, people: pd.Series) -> pd.DataFrame:
    """Sites per 10,000 people of each area.

    Parameters
    ----------
    site_areas : Series of str
        Area of each site (or station): one value per site; blank = unknown, counted under 未注明.
    people : Series
        People of each area, on the names of the areas; an area without any site counts 0 sites.

    Returns
    -------
    DataFrame
        ``sites, people, sites_per_10000`` per area, sorted. NaN where people are zero, missing or not listed.

    Raises
    ------
    ModelError
        An area is listed twice, or has a negative number of people.

    Examples
    --------
    >>> sites_per_10000(pd.Series(["甲镇"] * 26), pd.Series({"甲镇": 10_000, "乙镇": 5_000}))["sites_per_10000"].to_dict()
    {'乙镇': 0.0, '甲镇': 26.0}
    """
    if people.index.has_duplicates:
        raise ModelError(f"area {people.index[people.index.duplicated()][0]} is there twice")
    if (people < 0).any():
        raise ModelError(f"area {people.index[people < 0][0]} has a negative number of people")
    names = site_areas.astype("object").where(site_areas.notna(), "").astype(str).str.strip().replace("", NO_AREA)
    counts = names.value_counts()
    areas = sorted({*(str(name) for name in people.index), *counts.index})
    by_area = people.astype("float64").set_axis([str(name) for name in people.index]).reindex(areas)
    sites = counts.reindex(areas, fill_value=0).astype("int64")
    return pd.DataFrame({"sites": sites, "people": by_area,
                         "sites_per_10000": 1e4 * sites / by_area.where(by_area > 0)}, index=areas)


def _checked_links(villages: pd.DataFrame, sites: pd.DataFrame, helps: pd.DataFrame) -> pd.DataFrame:
    """The links as numbers: ``village, site`` (places in the sorted ids) and ``gain``, sorted."""
    links = pd.DataFrame({"village": villages.index.get_indexer(helps["village_id"].astype(str)),
                          "site": sites.index.get_indexer(helps["site_id"].astype(str)),
                          "gain": helps["gain"].to_numpy(dtype=float)}, index=helps["site_id"].astype(str))
    for name, bad in (("unknown sites", links["site"] < 0), ("a gain missing or negative", ~(links["gain"] >= 0)),
                      ("a village twice", links.duplicated(["village", "site"]) & (links["village"] >= 0))):
        if bad.any():
            raise ModelError(f"helps: {name}: {', '.join(links.index[bad].unique()[:5])}")
    return links[links["village"] >= 0].sort_values(["village", "site"])


def cheapest_to_gain(villages: pd.DataFrame, sites: pd.DataFrame, helps: pd.DataFrame, needed: int) -> pd.DataFrame:
    """Failing villages in the order in which they are cheapest to gain, until ``needed`` are gained.

    Greedy: each step takes the single site of least cost per village that it completes (no more villages than are
    still needed), or the set of sites that completes one village, where that is cheaper. Ties go to the single site,
    then to the smaller id. Then the sites that can be left out are, the dearest first. Gains of several sites in one
    village are added up, though their footprints may overlap: the list is a proposal, predict its sites to be sure.

    Parameters
    ----------
    villages : DataFrame
        Failing villages on their id: ``shortfall`` (what the rule's measure lacks, > 0; villages where it is NaN are
        left out; 1 where there is no such column); ``name``, ``people`` are handed on.
    sites : DataFrame
        Candidates on their id: ``cost_yuan`` >= 0.
    helps : DataFrame
        ``village_id, site_id, gain``: what the site would add, in the unit of the shortfall; others are ignored.
    needed : int
        Villages to gain.

    Returns
    -------
    DataFrame
        One row per village gained, on its id: ``rank_no, step, name, people, sites`` (bought in this step, joined by
        ``|``), ``step_cost_yuan, cost_per_village_yuan, cumulative_cost_yuan, gained`` (villages after this step).
        Shorter than ``needed`` where no more can be gained; the last step may gain more.

    Raises
    ------
    ModelError
        Ids repeat, a site of ``helps`` is not listed, a cost or gain is missing or negative.

    Examples
    --------
    >>> helps = pd.DataFrame({"village_id": ["v1", "v2", "v3"], "site_id": ["a", "a", "b"], "gain": 1.0})
    >>> sites = pd.DataFrame({"cost_yuan": [300.0, 200.0]}, index=["a", "b"])
    >>> cheapest_to_gain(pd.DataFrame(index=["v1", "v2", "v3"]), sites, helps, 3)["cumulative_cost_yuan"].to_dict()
    {'v1': 300.0, 'v2': 300.0, 'v3': 500.0}
    """
    for name, table in (("villages", villages), ("sites", sites)):
        if table.index.has_duplicates:
            raise ModelError(f"{name}: {table.index[table.index.duplicated()][0]} is there twice")
    villages, sites = (table.set_axis(table.index.astype(str)).sort_index() for table in (villages, sites))
    cost = sites["cost_yuan"].to_numpy(dtype=float)
    if not (cost >= 0).all() or np.isinf(cost).any():
        raise ModelError(f"sites without a cost >= 0: {', '.join(sites.index[~(cost >= 0) | np.isinf(cost)][:5])}")
    lack = villages["shortfall"].astype("float64") if "shortfall" in villages else pd.Series(1.0, villages.index)
    villages, open_lack = villages[lack > 0], lack[lack > 0].to_numpy()
    table = _checked_links(villages, sites, helps)
    table = table[needful(open_lack, cost, links_of(table, len(open_lack), cost), needed)]
    links = links_of(table, len(open_lack), cost)
    rows: list[dict[str, object]] = []
    spent = 0.0
    for step, (bought, done) in enumerate(purchases(open_lack, cost, links, needed), 1):
        paid = math.fsum(cost[list(bought)])
        spent += paid
        gained = len(rows) + len(done)
        rows += [{
            "village_id": villages.index[number], "rank_no": len(rows) + place, "step": step,
            **{name: villages[name].iloc[number] if name in villages else pd.NA for name in ("name", "people")},
            "sites": "|".join(sites.index[list(bought)]), "step_cost_yuan": paid,
            "cost_per_village_yuan": paid / len(done), "cumulative_cost_yuan": spent, "gained": gained,
        } for place, number in enumerate(done, 1)]
    columns = ["village_id", "rank_no", "step", "name", "people", "sites", "step_cost_yuan", "cost_per_village_yuan",
               "cumulative_cost_yuan", "gained"]
    return pd.DataFrame(rows, columns=columns).set_index("village_id")
