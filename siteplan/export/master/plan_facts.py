"""What ``plan.json`` says: everything about a plan that is no table of places."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd

from siteplan.export._exposure import site_states
from siteplan.plan import Plan
from siteplan.selection import PLAN_STATUS_ZH, objective_zh, proof_sentence
from siteplan.selection.explain import DEMAND_UNIT
from siteplan.selection.money import knee_sentence
from siteplan.selection.stability import stability_sentence

SITE_FACTS = ("opens", "azimuths", "scene", "address", "power_m", "fibre_m", "capex_yuan", "yearly_yuan", "cost_yuan",
              "operators", "demand_ids", "flags", "evidence", "choice_code", "choice_text", "build_year",
              "station_count", "gain_points", "loss", "loss_demand", "loss_points", "rival_id", "rival_text")
"""Columns of a proposed site that ``plan.json`` holds as they are."""
TOLD = ("targets", "cheapest", "rules", "counties", "towns", "complaint_findings", "complaint_rates",
        "connectivity_counts", "indoor_counts", "venues", "limits", "decision_effects", "money_curve", "stability")
"""Results that ``plan.json`` holds whole; the others stand in ``gaps.gpkg`` and ``indicators.xlsx``."""


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Everything ``plan.json`` says; every number can be recomputed from the other files."""
    flags = site_states(plan, plan.proposed.index)["flag"]
    sites = [{"site_id": str(site_id), "rank_no": int(row["rank_no"]), "name": row["name"], "kind": row["kind"],
              "source": row["source"], "source_id": row["source_id"], "build": row["build"], "tier": int(row["tier"]),
              "tier_name": row["tier_name"], "owner": row["owner"], "department": row["department"],
              "must_open": bool(row["must_open"]), "must_be_free": bool(row["must_be_free"]),
              "antenna_height_m": float(row["antenna_height_m"]),
              **{name: row[name] for name in SITE_FACTS},
              "build_year": int(row["build_year"]) or None, "gain": float(row["gain"]),
              "gain_demand": float(row["gain_demand"]), "x": float(row.geometry.x), "y": float(row.geometry.y),
              "reason": row["reason"], "exposure_flag": flags[site_id]} for site_id, row in plan.proposed.iterrows()]
    bound = proof_facts(plan)
    return {"study": dict(plan.study), "parameters": dict(plan.parameters),
            "inputs": [dict(file) for file in plan.inputs],
            "indicators": dict(plan.indicators), "results": _result_facts(plan), "sites": sites, "bound": bound,
            "ledger": plan.ledger.summary(), "versions": dict(plan.versions),
            "timings": {**plan.timings, "search": plan.selection.answer.seconds}}


def proof_facts(plan: Plan) -> dict[str, Any]:
    """How good the choice is, and what proves it; ``siteplan verify`` counts it again from ``certificate/``."""
    chosen = plan.selection
    answer = chosen.answer
    return {"objective": objective_zh(chosen), "status": chosen.status, "status_zh": PLAN_STATUS_ZH[chosen.status],
            "value": chosen.value, "upper_bound": chosen.upper_bound, "optimality_gap": chosen.optimality_gap,
            "covered": chosen.covered, "total_weight": float(chosen.weight.sum()), "proof": answer.proof,
            "method": answer.method, "seed": answer.seed, "cut": answer.cut,
            "candidates": len(chosen.candidate_ids), "demand_cells": len(chosen.weight), "stopped": chosen.stopped,
            "limits": [limit.zh for limit in chosen.task.limits],
            "gave_way": dict(chosen.given), "meaning": proof_sentence(chosen), "knee": _knee_facts(plan),
            "stability": _stability_facts(plan)}


def _knee_facts(plan: Plan) -> dict[str, Any] | None:
    """Where further money begins to bring little; None where no curve was drawn, step 0 where it has no knee."""
    curve = plan.selection.money
    if curve is None:
        return None
    row = curve.table.iloc[curve.knee]
    told = {name: row[name] for name in ("cost_yuan", "served_weight", "served_demand", "gap_share", "upper_weight")}
    return {"step": curve.knee, **told, "meaning": knee_sentence(curve, DEMAND_UNIT[plan.demand_kind])}


def _stability_facts(plan: Plan) -> dict[str, Any] | None:
    """What small errors of demand and costs change; None where that was not tried."""
    found = plan.selection.stability
    if found is None or not len(found.draws):
        return None
    firm = found.kept_share.index[found.kept_share == 1]
    return {"noise": found.noise, "draws": len(found.draws), "mean_changed": float(found.draws["changed"].mean()),
            "max_changed": int(found.draws["changed"].max()), "max_regret": float(found.draws["regret"].max()),
            "firm_sites": [str(site) for site in firm],
            "kept_share": {str(site): float(share) for site, share in found.kept_share.items()},
            "meaning": stability_sentence(found)}


def _result_facts(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Tables of results as records; days as texts."""
    found = {}
    for name in TOLD:
        if name in plan.results:
            table = plan.results[name]
            named = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
            found[name] = [{str(key): None if pd.isna(value) else str(value) if isinstance(value, dt.date) else value
                            for key, value in row.items()} for row in named.to_dict("records")]
    return found


def _clean(value: Any) -> Any:
    """JSON has no NaN: null instead; numpy numbers become plain ones."""
    if isinstance(value, dict):
        return {str(key): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def facts_text(plan: Plan) -> str:
    """``plan.json`` as text; numbers that are none become ``null``."""
    return json.dumps(_clean(plan_facts(plan)), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
