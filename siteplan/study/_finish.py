"""Put the results of the stages together into a Plan."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan import __version__
from siteplan.candidates.rules.secrecy_list import secret_sites
from siteplan.candidates.table import text
from siteplan.coverage import Coverage
from siteplan.coverage._exposure import Exposure
from siteplan.gaps.progress.comparison import compare_states
from siteplan.opening import letters, unaddressed
from siteplan.plan import Plan
from siteplan.secrecy import NAMES_ONLY
from siteplan.selection import certificate_of
from siteplan.study._choice_tables import choice_tables
from siteplan.study._file import Study
from siteplan.study._findings import find_results
from siteplan.study._notes import absent_layers
from siteplan.study._opening import SECRET_LAYERS, candidate_tables, open_venues
from siteplan.study._scene import Scene
from siteplan.study._select import Choice
from siteplan.study._stages import State, candidate_context, screen_sites

CONTEXT_LAYERS = ("stations", "towns", "counties", "roads", "rail", "water", "restricted", "village_points",
                  "zone_points", "units", "parcels", "works", "planned_buildings", "fibre")
HIDDEN_ROWS = "在涉密单位名单上,成果不写这些行的名称和位置"
HIDDEN_NAMES = "在涉密单位名单上,成果不写这些行的名称;参与评判和统计,范围照列"
SHARED_COLUMNS = ("rule", "area_m2", "demand", "demand_kind")
AREA_NAMES = {"villages": ("name", "town", "county", "households", "people"),
              "zones": ("name", "zone_type", "grade", "town", "county")}
LIBRARIES = ("numpy", "scipy", "pandas", "geopandas", "shapely", "pyproj", "rasterio", "numba", "odc-geo",
             "exactextract", "folium")
STAND_IN_NOTICE = "以现网4G小区代替5G小区(4G cells stand in for 5G cells)"
SYNTHETIC_NOTICE = "合成数据,仅供演示(synthetic data)"
PREDICTED_NOTICE = "覆盖为模型预测值,非实测;标明室内的为建筑内,其余为室外地面(predicted, not measured; outdoors unless said)"


def _versions() -> dict[str, str]:
    found = {"siteplan": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _area_results(scene: Scene, name: str, states: tuple[State, State]) -> gpd.GeoDataFrame:
    """Before and after side by side on the areas' geometry."""
    areas = scene.tables[name]
    before, after = (state.areas[name] for state in states)
    parts = [areas[list(AREA_NAMES[name])], before[list(SHARED_COLUMNS)],
             before.drop(columns=list(SHARED_COLUMNS)).add_suffix("_before"),
             after.drop(columns=list(SHARED_COLUMNS)).add_suffix("_after")]
    return gpd.GeoDataFrame(pd.concat(parts, axis=1), geometry=areas.geometry, crs=areas.crs)


def _notices(study: Study) -> list[str]:
    info = study.params.study
    flags = [SYNTHETIC_NOTICE] * info.synthetic + [STAND_IN_NOTICE] * info.stand_in_5g
    return [*flags, PREDICTED_NOTICE, *info.notices]


def _bases(study: Study, scene: Scene) -> dict[str, str]:
    """What shares rest on, in words."""
    coverage, inside = study.params.coverage, study.params.coverage.indoor_threshold_dbm
    return {"signal": f"SS-RSRP≥{coverage.threshold_dbm:g}dBm的预测概率", "boundary": "规划范围内",
            "demand": f"需求={scene.demand.zh}",
            "model": "预测", "indoor_gaps": f"任一5G网络室外概率≥{study.params.gaps.gap_probability:g}而室内低于它",
            "indoor": f"建筑内SS-RSRP≥{coverage.threshold_dbm if inside is None else inside:g}dBm,建筑像元",
            "sinr": f"干扰小区负荷{100 * coverage.load_share:g}%",
            "gaps": f"任一5G网络覆盖概率<{study.params.gaps.gap_probability:g}"}


def _site_counts(sites: gpd.GeoDataFrame, exposure: Exposure) -> dict[str, Any]:
    """Numbers of sites by status, of proposed ones by tier, source and build, and of the exposure screening."""
    proposed = sites[sites["status"] == "proposed"]
    counts: dict[str, Any] = {status: int((sites["status"] == status).sum())
                              for status in ("existing", "candidate", "proposed", "refused")}
    for column in ("tier_name", "source", "build", "kind"):
        counts[f"proposed_by_{column}"] = {str(key): int(value) for key, value in
                                           proposed[column].value_counts().sort_index().items()}
    counts["proposed_free_venues"] = int(proposed["must_be_free"].sum())
    counts["proposed_cost_yuan"] = float(proposed["cost_yuan"].sum())
    counts["exposure_screening"] = exposure.counts()
    return counts


def _secret_rows(scene: Scene) -> dict[str, dict[str, str]]:
    """Rows of ``SECRET_LAYERS`` that the list of secret units means: layer -> id -> name; told in the ledger by number.

    A name that another row of the layer has, which is not meant, names no unit: it is left empty.
    """
    listed, found = scene.tables["secrecy"], dict[str, dict[str, str]]()
    if listed.empty:
        return found
    for layer, source in SECRET_LAYERS.items():
        table = scene.tables[layer]
        where = secret_sites(listed, table, source)
        if not where.any():
            continue
        names = text(table["name"]) if "name" in table else pd.Series("", index=table.index, dtype="str")
        names = names.mask(names.isin(list(names[~where])), "")
        found[layer] = dict(zip(table.index[where].astype("str"), names[where], strict=True))
        scene.ledger.add(layer, "", f"共 {len(found[layer])} 行", "name", "", "note",
                         HIDDEN_NAMES if layer in NAMES_ONLY else HIDDEN_ROWS, "无需处理;名单有误时改正涉密单位名单")
    return found


def build_plan(study: Study, scene: Scene, coverages: tuple[Coverage, Coverage], states: tuple[State, State],
               sites: gpd.GeoDataFrame, choice: Choice, timings: Mapping[str, float] | None = None) -> Plan:
    """Put the results of the stages together and screen the proposed sites for exposure.

    ``coverages`` and ``states`` are (before, after).
    """
    info, selection = study.params.study, choice.selection
    start = time.process_time()
    exposure = screen_sites(scene, sites)
    spent = {"exposure": round(time.process_time() - start, 3)}
    facts = {"name": info.name, "file": study.path.name, "sha256": study.sha256, "crs": scene.crs,
             "resolution_m": info.resolution_m, "synthetic": info.synthetic, "stand_in_5g": info.stand_in_5g,
             "notices": _notices(study), "map_approval_no": info.map_approval_no,
             "threshold_dbm": study.params.coverage.threshold_dbm, "demand_kind": scene.demand.kind,
             "demand_zh": scene.demand.zh, "demand_basis": scene.demand.basis, "absent": absent_layers(scene.ledger),
             "demand_total": float(scene.demand.per_pixel.sum(dtype="float64")),
             "calibration": None if scene.calibration is None else scene.calibration.model_dump(
                 mode="json", include={"name", "freq_low_mhz", "freq_high_mhz", "domain", "provenance"})}
    facts |= {} if study.register is None else {"register": study.register.facts()}
    opening = open_venues(scene, sites, exposure)
    results = find_results(scene, *states, sites)
    nowhere = np.zeros(scene.surface.geobox.shape, dtype=bool)
    results |= candidate_tables(scene, candidate_context(scene, nowhere), sites, selection)
    results |= choice_tables(scene, sites, selection)
    asked = study.params.opening
    told = letters(opening, scene.venues, facts, asked.office, asked.reply_days, info.as_of)
    unasked = unaddressed(opening, scene.venues, asked.office)
    results |= {"no_letter": unasked} if len(unasked) else {}
    versions = _versions()
    indicators = {"before": states[0].indicators,
                  "after": {**states[1].indicators, "sites": _site_counts(sites, exposure)}}
    planned = {name: value for name, value in indicators["after"].items() if name != "sites"}
    results["comparison"] = compare_states(indicators["before"], planned, parts_before=_bases(study, scene))
    return Plan(
        study=facts, parameters=study.params.model_dump(mode="json"),
        inputs=scene.inputs,
        surface=scene.surface, before=coverages[0], after=coverages[1], demand=scene.demand.per_pixel,
        demand_kind=scene.demand.kind, boundary=scene.boundary, villages=_area_results(scene, "villages", states),
        zones=_area_results(scene, "zones", states), gaps_before=states[0].gaps, gaps_after=states[1].gaps,
        sites=sites, selection=selection, indicators=indicators, ledger=scene.ledger,
        context={name: scene.tables[name] for name in CONTEXT_LAYERS}, timings={**(timings or {}), **spent},
        versions=versions, exposure=exposure, rules=scene.all_rules, results=results, opening=opening,
        secret_rows=_secret_rows(scene), letters=told, letter_template=study.letter_template,
        profile_files=study.profile_files,
        certificate=certificate_of(selection, choice.cells, facts, versions), spot=choice.spot)
