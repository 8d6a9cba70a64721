"""Write a plan: all files into a temporary folder, checked there, then moved into place."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage._exposure import site_exposure
from siteplan.export._certificate import certificate_writers
from siteplan.export._check import write_ledger_csv
from siteplan.export._detailed_plan import as_frame, export_table, write_shapefile
from siteplan.export._exposure import site_states, write_exposure_csv
from siteplan.export._indicators import write_indicators
from siteplan.export._letter_files import LIST, NOTHING, EarlierLetters, earlier_letters, write_letter_files
from siteplan.export._opening import opening_layers
from siteplan.export._raster import coverage_bands, write_cog
from siteplan.export._sheets import write_ledger
from siteplan.export._spot_files import write_spot_files
from siteplan.export._staging import write_files
from siteplan.export._vector import write_geopackage
from siteplan.export._workbook import write_csv
from siteplan.opening import NO_SECRECY_LIST
from siteplan.plan import Plan
from siteplan.secrecy import hide_secret_units
from siteplan.selection import PLAN_STATUS_ZH, objective_zh, proof_sentence
from siteplan.selection.explain import DEMAND_UNIT
from siteplan.selection.money import knee_sentence
from siteplan.selection.stability import stability_sentence

STATUS_ZH = {"existing": "现状", "candidate": "备选", "proposed": "规划", "refused": "不可用"}
PLACED = ("indoor_gaps", "stretches", "complaints", "hot_spots", "indoor_buildings")
"""Results with a place, layers of ``gaps.gpkg`` beside the gap areas."""
SITE_FACTS = ("opens", "azimuths", "scene", "address", "power_m", "fibre_m", "capex_yuan", "yearly_yuan", "cost_yuan",
              "operators", "demand_ids", "flags", "evidence", "choice_code", "choice_text", "build_year",
              "station_count", "gain_points", "loss", "loss_demand", "loss_points", "rival_id", "rival_text")
"""Columns of a proposed site that ``plan.json`` holds as they are."""
SITE_EXTRAS = ("status", "source", "source_id", "preference", "gain_share", "tilt_radius_m", "refusal_code", "flags",
               "choice_code", "choice_text", "loss", "loss_demand", "rival_id", "rival_text", "evidence",
               "members", "demand_ids", "lessee", "spacing_m", "roof_area_m2", "slope_deg", "cost_model")
"""Columns of ``candidates.gpkg`` beside those of the site layer."""
Writer = Callable[[Plan, Path], Any]


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Everything ``plan.json`` says; every number can be recomputed from the other files."""
    flags = site_states(plan, plan.proposed.index)["flag"]
    sites = [{"site_id": str(site_id), "rank_no": int(row["rank_no"]), "name": row["name"], "kind": row["kind"],
              "source": row["source"], "source_id": row["source_id"], "build": row["build"], "tier": int(row["tier"]),
              "tier_name": row["tier_name"], "owner": row["owner"], "department": row["department"],
              "must_open": bool(row["must_open"]), "must_be_free": bool(row["must_be_free"]),
              "antenna_height_m": float(row["antenna_height_m"]),
              **{name: row[name] for name in SITE_FACTS}, "gain": float(row["gain"]),
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


TOLD = ("targets", "cheapest", "rules", "counties", "towns", "complaint_findings", "complaint_rates",
        "connectivity_counts", "indoor_counts", "venues", "limits", "decision_effects", "money_curve", "stability")
"""Results that ``plan.json`` holds whole; the others stand in ``gaps.gpkg`` and ``indicators.xlsx``."""


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


def _with_facts(plan: Plan) -> gpd.GeoDataFrame:
    """Villages with the state of their points now, 4G and fibre, before the geometry."""
    facts = plan.results.get("village_facts")
    if facts is None:
        return plan.villages
    told = plan.villages.join(facts.drop(columns=["asked_kinds", *plan.villages.columns], errors="ignore"))
    return told[[*(name for name in told.columns if name != "geometry"), "geometry"]]


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


def _write_json(plan: Plan, path: Path) -> None:
    text = json.dumps(_clean(plan_facts(plan)), ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_sites(plan: Plan, path: Path) -> None:
    write_geopackage({"sites": _keyed(_proposed_table(plan))}, path)


def _proposed_table(plan: Plan) -> gpd.GeoDataFrame:
    """The master table of the proposed sites, each with what the exposure screening says of it."""
    flags = site_states(plan, plan.proposed.index)["flag"]
    return export_table(plan.proposed, plan.study["notices"], flags.to_dict())


def _keyed(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The export table with its id as index again (the id column is the first)."""
    return table.drop(columns="site_id").rename_axis("site_id")


def _write_shp(plan: Plan, path: Path) -> None:
    write_shapefile(_proposed_table(plan), path)


def _noticed(plan: Plan, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The table with the notices of the study in a column ``notice``, before the geometry."""
    told = table.assign(notice=";".join(plan.study["notices"]))
    return told[[*(name for name in told.columns if name != "geometry"), "geometry"]]


def _write_candidates(plan: Plan, path: Path) -> None:
    """All sites in the words and columns of the master, with all that the rules and the choice say of them.

    ``choice_key`` is the code of ``choice_code``; secret units are rows without a place.
    """
    ordered = plan.sites.sort_values(["status", "rank_no"], kind="stable")
    flags = {} if plan.exposure is None else site_exposure(plan.exposure)["flag"].to_dict()
    table = _keyed(export_table(ordered, plan.study["notices"][:1], flags))
    extra = ordered[[name for name in SITE_EXTRAS if name in ordered]].rename(columns={"choice_code": "choice_key"})
    status_zh = ordered["status"].map(STATUS_ZH)
    front = {"status": extra["status"], "status_zh": status_zh, **{name: extra[name] for name in extra.columns[1:]}}
    columns = {**front, **{name: table[name] for name in table.columns if name != "geometry"}}
    write_geopackage({"sites": gpd.GeoDataFrame(columns, geometry=table.geometry, crs=table.crs, index=table.index)},
                     path)


def _write_gaps(plan: Plan, path: Path) -> None:
    placed = {name: plan.results[name] for name in PLACED if name in plan.results}
    layers = {"gaps_after": plan.gaps_after, "gaps_before": plan.gaps_before, **placed}
    write_geopackage({name: _noticed(plan, gpd.GeoDataFrame(table)) for name, table in layers.items()}, path)


def _write_areas(plan: Plan, path: Path) -> None:
    layers = {"boundary": plan.boundary[["name", "geometry"]], "villages": _with_facts(plan), "zones": plan.zones}
    write_geopackage({name: _noticed(plan, table) for name, table in layers.items()}, path)


def _write_coverage(plan: Plan, path: Path, which: str) -> None:
    tags = {"study": str(plan.study["name"]), "state": which, "notices": ";".join(plan.study["notices"]),
            "threshold_dbm": str(plan.study["threshold_dbm"])}
    coverage = plan.after if which == "after" else plan.before
    write_cog(coverage_bands(coverage), coverage.geobox, path, tags)


def _write_demand(plan: Plan, path: Path) -> None:
    write_cog({f"demand {plan.study['demand_zh']}": plan.demand}, plan.surface.geobox, path,
              {"demand_kind": plan.demand_kind, "notices": ";".join(plan.study["notices"])})


def _write_servers(plan: Plan, path: Path) -> None:
    """Best-server numbers of the coverage files -> sector ids, and whether the sector stands or is planned."""
    old = set(plan.before.sector_ids)
    status = ["现有" if sector in old else "规划" for sector in plan.after.sector_ids]
    table = pd.DataFrame({"server": range(len(plan.after.sector_ids)), "sector_id": plan.after.sector_ids,
                          "status": status})
    table.to_csv(path, index=False, encoding="utf-8-sig")


def _write_proof(plan: Plan, path: Path) -> None:
    """The certificate beside its header: the question, the answer and the multipliers, and what reaches rest on."""
    if plan.certificate is None:
        return
    if plan.spot is not None:
        write_spot_files(plan.spot, path.parent)
    for name, writer in certificate_writers(plan.certificate):
        writer(path.parent / Path(name).name)


def _write_opening(plan: Plan, path: Path) -> None:
    """The opening ledger as layers; the notices of the study in every row."""
    if plan.opening is not None:
        write_geopackage(opening_layers(plan.opening, plan.sites, ";".join(plan.study["notices"])), path)


def _write_public(plan: Plan, path: Path) -> None:
    """The list that may be published, as its own file: nothing internal lies beside it."""
    if plan.opening is not None:
        public = plan.opening.public
        told = {"number": "序号", "address": "基站地址", "owner": "物业所属单位", "class_zh": "场所类别"}
        remarks = ["合成数据，不可使用"] * bool(plan.study.get("synthetic"))
        remarks += [NO_SECRECY_LIST] * (not plan.opening.screened)
        remark = {"备注": "；".join(remarks)} if remarks else {}
        write_csv(public[list(told)].rename(columns=told).assign(**remark), path)


LETTER_LIST = f"letters/{LIST}"


def _write_letters(plan: Plan, path: Path, earlier: EarlierLetters = NOTHING) -> None:
    """The letters beside a list of them; ``earlier``: what stands in the folder that they go to."""
    write_letter_files(plan.letters, path, plan.letter_template, earlier)


PROOF = "certificate/certificate.json"
FILES: tuple[tuple[str, Writer], ...] = (
    ("coverage.tif", lambda plan, path: _write_coverage(plan, path, "after")),
    ("coverage_before.tif", lambda plan, path: _write_coverage(plan, path, "before")), ("demand.tif", _write_demand),
    ("sites.gpkg", _write_sites), ("shp/sites.shp", _write_shp), ("candidates.gpkg", _write_candidates),
    ("servers.csv", _write_servers), ("gaps.gpkg", _write_gaps), ("areas.gpkg", _write_areas),
    ("villages.csv", lambda plan, path: write_csv(as_frame(_noticed(plan, _with_facts(plan))).reset_index(), path)),
    ("zones.csv", lambda plan, path: write_csv(as_frame(_noticed(plan, plan.zones)).reset_index(), path)),
    ("exposure.csv", write_exposure_csv), ("indicators.xlsx", write_indicators), ("ledger.xlsx", write_ledger),
    ("ledger.csv", lambda plan, path: write_ledger_csv(plan.ledger, path)),
    ("ledger.gpkg", _write_opening), ("public_list.csv", _write_public), (LETTER_LIST, _write_letters),
    (PROOF, _write_proof), ("plan.json", _write_json),
)
"""Deliverables in the order of writing: rasters, which take the most memory, first; ``plan.json`` last."""


_OF_OPENING: tuple[Writer, ...] = (_write_opening, _write_public, _write_letters)


def _drop_old_letters(earlier: EarlierLetters, folder: Path) -> None:
    """Letters of an earlier run that this one did not write would be taken for valid ones; changed ones stay."""
    now = list(pd.read_csv(folder / LIST, dtype="str")["文件"])
    for name in earlier.dropped(now):
        (folder / name).unlink()


def write_plan(plan: Plan, out: Path, extra: Sequence[tuple[str, Writer]] = (),
               progress: Callable[[str], None] | None = None) -> dict[str, Path]:
    """Write every deliverable of a plan into a folder; secret units are hidden in all of them.

    Parameters
    ----------
    plan : Plan
    out : Path
        Folder; made when absent. Files of an earlier run are replaced one by one when all new ones are ready; letters
        that were changed since are left, new ones written beside.
    extra : sequence of (file name, writer)
        Further files, written in the same way (the review map).
    progress : callable, optional
        Called with the name of each file when it is ready.

    Returns
    -------
    dict
        File name -> path.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``out`` was touched.
    """
    start = time.process_time()
    plan = hide_secret_units(plan)
    letters = Path(out) / Path(LETTER_LIST).parent
    earlier = earlier_letters(letters)

    def write(name: str, writer: Writer, draft: Path) -> None:
        if name == LETTER_LIST:
            writer = partial(_write_letters, earlier=earlier)
        spent = {"write": round(time.process_time() - start, 3)}
        writer(replace(plan, timings={**plan.timings, **spent}) if name == "plan.json" else plan, draft)
        if progress is not None:
            progress(name)

    given = [(name, writer) for name, writer in FILES if (plan.opening is not None or writer not in _OF_OPENING)
             and (plan.certificate is not None or name != PROOF)]
    ordered = (*given[:-1], *extra, given[-1])
    found = write_files(Path(out), [(name, partial(write, name, writer)) for name, writer in ordered])
    if plan.opening is not None:
        _drop_old_letters(earlier, letters)
    return found
