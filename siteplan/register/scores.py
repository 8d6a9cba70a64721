"""Scores of departments, enterprises and counties (综合考评) with published weights, and where each is weak (查弱项)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from siteplan.entries import completed
from siteplan.gaps.progress.ranking import Weights, rank_areas, ranking_of
from siteplan.register.duties._columns import texts
from siteplan.register.score_facts import Parts, Tables, county_parts, department_parts, enterprise_parts
from siteplan.tables import read_table

ScoreKind = Literal["departments", "enterprises", "counties"]
ORGANISATION_KINDS: Mapping[ScoreKind, str] = {"departments": "department", "enterprises": "enterprise",
                                               "counties": "county"}
SCORE_TABLES = ("organisations", "tasks", "venues", "decisions", "fees", "cases", "sites", "indicators")
"""Tables of the register that `score_facts` needs."""


def score_weights(kind: ScoreKind, changes: Mapping[str, Any] | None = None) -> Weights:
    """The published weights of a kind of organisations (``tables/scores.toml``).

    Parameters
    ----------
    kind : str
    changes : mapping, optional
        Fields to change, by indicator; an indicator of weight 0 is left out.

    Raises
    ------
    pydantic.ValidationError
        A field is unknown or out of bounds; the weights do not add up to 1.

    Examples
    --------
    >>> [item.id for item in score_weights("enterprises").indicators][:3]
    ['quota_rate', 'year_rate', 'money_rate']
    >>> halves = {"indicators": {name: {"weight": 0} for name in ("money_rate", "task_rate", "filing_rate")}}
    >>> halves["indicators"] |= {"quota_rate": {"weight": 0.5}, "year_rate": {"weight": 0.5}}
    >>> len(score_weights("enterprises", halves).indicators)
    2
    """
    known = read_table("scores")["rankings"]
    entry = completed(kind, known, {kind: changes} if changes else {})
    plain = {name: {key: value for key, value in item.items() if key != "rule"}
             for name, item in entry["indicators"].items()}
    return ranking_of(kind, {kind: {**entry, "indicators": plain}})


def score_rules(kind: ScoreKind) -> pd.DataFrame:
    """What is published with the scores of a kind: ``zh, unit, weight, worst, best, rule, source`` by indicator."""
    entries = read_table("scores")["rankings"][kind]["indicators"]
    columns = ["zh", "unit", "weight", "worst", "best", "rule", "source"]
    return pd.DataFrame.from_dict(entries, orient="index")[columns].rename_axis("indicator")


def score_facts(kind: ScoreKind, tables: Tables, as_of: dt.date, progress: pd.DataFrame | None = None) -> pd.DataFrame:
    """The value of every indicator of every organisation of a kind, as of the end of a day.

    Parameters
    ----------
    kind : str
    tables : mapping of str to DataFrame
        `SCORE_TABLES` of the register, as of the day.
    as_of : date
    progress : DataFrame, optional
        What :func:`siteplan.register.quotas.quota_progress` gives for the day; without it nobody has a ``quota_rate``.

    Returns
    -------
    DataFrame
        Index ``organisation``, in the order of the register: for each indicator its value (NaN: does not apply, or is
        not known), ``<indicator>_n`` and ``<indicator>_of``, whose quotient it is.
    """
    known = tables["organisations"]
    names = texts(known, "name")[(texts(known, "kind") == ORGANISATION_KINDS[kind]).to_numpy(bool)]
    out = pd.DataFrame(index=pd.Index(names.tolist(), dtype="str", name="organisation"))
    for indicator, (number, whole) in _parts(kind, tables, as_of, progress).items():
        of = whole.astype("float64").reindex(out.index).fillna(0.0)
        n = number.astype("float64").reindex(out.index).fillna(0.0)
        out[indicator] = n / of.where(of > 0)
        out[f"{indicator}_n"], out[f"{indicator}_of"] = n, of
    return out


def _parts(kind: ScoreKind, tables: Tables, as_of: dt.date, progress: pd.DataFrame | None) -> dict[str, Parts]:
    if kind == "departments":
        return department_parts(tables, as_of)
    return (enterprise_parts if kind == "enterprises" else county_parts)(tables, as_of, progress)


def score_organisations(kind: ScoreKind, facts: pd.DataFrame, as_of: dt.date, weights: Weights | None = None,
                        ) -> pd.DataFrame:
    """Scores of organisations, with every part of them: anybody can add them up again.

    Points of an indicator = 100 * its weight * (value - worst) / (best - worst), between nothing and full. Where an
    indicator is missing, its weight goes to the others in proportion; who lacks too much has no score. See
    :func:`siteplan.gaps.progress.ranking.rank_areas`.

    Parameters
    ----------
    kind : str
    facts : DataFrame
        Of `score_facts`.
    as_of : date
        Day of the facts; stands in the table.
    weights : Weights, optional
        Of `score_weights`; the published ones when absent.

    Returns
    -------
    DataFrame
        Index ``organisation``, best first: ``ranking, as_of, rank_no, score`` (0..100, two decimals), ``status,
        missing`` (indicators that do not apply or are not known), ``weight_known``, and for each indicator
        ``value_<id>, weight_<id>`` (as it counted: shared out, NaN where missing), ``part_<id>`` (points).
    """
    weights = score_weights(kind) if weights is None else weights
    ranked = rank_areas(facts, weights)
    out = ranked[["ranking", "rank_no", "score", "status", "missing", "weight_known"]].copy()
    out.insert(1, "as_of", pd.Series(pd.Timestamp(as_of), index=out.index, dtype="datetime64[us]"))
    for item in weights.indicators:
        value = facts[item.id].reindex(out.index)
        out[f"value_{item.id}"] = value
        out[f"weight_{item.id}"] = (item.weight / ranked["weight_known"]).where(value.notna() & ranked["score"].notna())
        out[f"part_{item.id}"] = ranked[f"part_{item.id}"]
    return out


def score_parts(kind: ScoreKind, scores: pd.DataFrame) -> pd.DataFrame:
    """The parts of scores as a list, for printing: ``organisation, rank_no, indicator, zh, value, weight, points``."""
    words = score_rules(kind)["zh"]
    ids = [name.removeprefix("part_") for name in scores.columns if name.startswith("part_")]
    rows = [{"organisation": name, "rank_no": row["rank_no"], "indicator": item, "zh": words.get(item, item),
             "value": row[f"value_{item}"], "weight": row[f"weight_{item}"], "points": row[f"part_{item}"]}
            for name, row in scores.iterrows() for item in ids]
    return pd.DataFrame(rows, columns=["organisation", "rank_no", "indicator", "zh", "value", "weight", "points"])


def weakest(facts: pd.DataFrame, k: int = 3, kind: ScoreKind | None = None) -> pd.DataFrame:
    """The ``k`` organisations that are worst in each indicator (查弱项); who has full marks is not weak.

    Parameters
    ----------
    facts : DataFrame
        Of `score_facts`.
    k : int
    kind : str, optional
        Whose indicators; the first kind whose indicators are all there when absent.

    Returns
    -------
    DataFrame
        ``indicator, zh, place`` (1 = the worst; equal values share a place), ``organisation, value, marks`` (0..1), at
        most ``k`` rows of an indicator, ties in the order of names.
    """
    known = read_table("scores")["rankings"]
    kinds: list[ScoreKind] = [kind] if kind else [name for name in ORGANISATION_KINDS
                                                  if set(known[name]["indicators"]) <= set(facts.columns)]
    rows = []
    for item in score_weights(kinds[0]).indicators if kinds else ():
        values = facts[item.id].dropna()
        marks = ((values - item.worst) / (item.best - item.worst)).clip(0.0, 1.0)
        weak = marks[marks < 1.0].sort_index().sort_values(kind="stable")
        places = weak.rank(method="min").astype("int64")
        rows += [{"indicator": item.id, "zh": item.zh, "place": int(places[name]), "organisation": str(name),
                  "value": float(values[name]), "marks": float(weak[name])} for name in weak.index[:k]]
    return pd.DataFrame(rows, columns=["indicator", "zh", "place", "organisation", "value", "marks"])
