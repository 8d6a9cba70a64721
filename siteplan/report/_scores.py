"""Scores of departments, enterprises and counties as sheets: the scores, every part of them, who is weak in what."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

import pandas as pd

from siteplan.register.scores import ScoreKind, score_facts, score_organisations, score_parts, score_rules, weakest

KIND_ZH: Mapping[ScoreKind, str] = {"departments": "部门", "enterprises": "企业", "counties": "县区"}
_WORST = 5


def score_tables(held: Mapping[str, pd.DataFrame], progress: pd.DataFrame, as_of: dt.date) -> dict[str, pd.DataFrame]:
    """Scores of all three kinds.

    Returns
    -------
    dict
        ``scores``: ``kind_zh, rank, name, score, status_zh, missing, weight_known``. ``score_parts``: ``kind_zh, rank,
        name, indicator, value, weight, points, published, rule``. ``score_worst``: rows of the list of the weakest.
    """
    scores, parts, weak = [], [], []
    for kind, zh in KIND_ZH.items():
        facts = score_facts(kind, held, as_of, progress)
        found, rules = score_organisations(kind, facts, as_of), score_rules(kind)
        scores.append(pd.DataFrame({
            "kind_zh": zh, "rank": found["rank_no"].to_numpy(object), "name": found.index.to_numpy(object),
            "score": found["score"].to_numpy(float), "status_zh": found["status"].to_numpy(object),
            "missing": [_missing_words(text, rules) for text in found["missing"]],
            "weight_known": found["weight_known"].to_numpy(float)}))
        part = score_parts(kind, found)
        parts.append(pd.DataFrame({
            "kind_zh": zh, "rank": part["rank_no"].to_numpy(object), "name": part["organisation"].to_numpy(object),
            "indicator": part["zh"].to_numpy(object), "value": part["value"].to_numpy(float),
            "weight": part["weight"].to_numpy(float), "points": part["points"].to_numpy(float),
            "published": [float(rules["weight"].get(name, float("nan"))) for name in part["indicator"]],
            "rule": [str(rules["rule"].get(name, "")) for name in part["indicator"]]}))
        low = weakest(facts, _WORST, kind)
        weak.append(pd.DataFrame({
            "indicator": [f"{name}(考评)" for name in low["zh"]], "level_zh": zh, "rank": low["place"].to_numpy(),
            "area": low["organisation"].to_numpy(object), "value": low["value"].to_numpy(float),
            "rule": [str(rules["rule"].get(name, "")) for name in low["indicator"]]}))
    return {"scores": _stacked(scores), "score_parts": _stacked(parts), "score_worst": _stacked(weak)}


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else tables[0]


def _missing_words(text: object, rules: pd.DataFrame) -> str:
    """Indicators that are missing, in words."""
    ids = [part.strip() for part in re.split("[,|、]", str(text or ""))] if text == text else []
    return "、".join(str(rules["zh"].get(name, name)) for name in ids if name)
