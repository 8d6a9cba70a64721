"""Write a plan: all files into a temporary folder, checked there, then moved into place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.export._certificate import certificate_writers
from siteplan.export._check import write_ledger_csv
from siteplan.export._detailed_plan import as_frame
from siteplan.export._exposure import write_exposure_csv
from siteplan.export._indicators import write_indicators
from siteplan.export._letter_files import LIST, NOTHING, EarlierLetters, earlier_letters, write_letter_files
from siteplan.export._opening import opening_layers
from siteplan.export._raster import coverage_bands, write_cog
from siteplan.export._sheets import write_ledger
from siteplan.export._spot_files import write_spot_files
from siteplan.export._staging import write_files
from siteplan.export._vector import write_geopackage
from siteplan.export._workbook import write_csv
from siteplan.export.exchange.bundle import write_profile_shapes
from siteplan.export.master.gather import plan_layers
from siteplan.export.master.plan_facts import facts_text, plan_facts
from siteplan.export.master.plan_layers import FILES as MASTER_FILES
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.opening import NO_SECRECY_LIST
from siteplan.params import DeliverParams
from siteplan.plan import Plan
from siteplan.profiles import load_profiles
from siteplan.secrecy import hide_secret_units

__all__ = ["FILES", "plan_facts", "write_plan"]
Writer = Callable[[Plan, Path], Any]
LayerWriter = Callable[[PlanLayers, Path], Any]


def _write_json(plan: Plan, path: Path) -> None:
    path.write_text(facts_text(plan), encoding="utf-8")


def _write_layers(layers: PlanLayers, path: Path) -> None:
    """The GeoPackage of this name with all master layers that it holds."""
    found = {layer: layers.layers[name] for name, (file, layer, _) in MASTER_FILES.items()
             if file == path.name and name in layers.layers}
    # a numbered layer has its id as first column
    write_geopackage({name: table if table.index.name else table.set_index(table.columns[0])
                      for name, table in found.items()}, path)


def _write_shp(layers: PlanLayers, path: Path) -> None:
    """The detailed-plan layer of sites under the package's own profile, which ``siteplan verify`` knows."""
    settings = DeliverParams.model_validate(layers.facts["parameters"]["deliver"])
    write_profile_shapes(layers, settings, (load_profiles()["sites"],), path)


def _write_villages(layers: PlanLayers, path: Path) -> None:
    write_csv(as_frame(layers.layers["villages"]).reset_index(), path)


def _write_zones(layers: PlanLayers, path: Path) -> None:
    write_csv(as_frame(layers.layers["zones"]).reset_index(), path)


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


def _write_bytes(content: bytes, _: Plan, path: Path) -> None:
    path.write_bytes(content)


PROFILES = "profiles"
"""Folder of the bureau's profiles that the study names, as they are: ``siteplan export`` goes by them."""
PROOF = "certificate/certificate.json"
FILES: tuple[tuple[str, Writer | LayerWriter], ...] = (
    ("coverage.tif", lambda plan, path: _write_coverage(plan, path, "after")),
    ("coverage_before.tif", lambda plan, path: _write_coverage(plan, path, "before")), ("demand.tif", _write_demand),
    ("sites.gpkg", _write_layers), ("shp/sites.shp", _write_shp), ("candidates.gpkg", _write_layers),
    ("servers.csv", _write_servers), ("gaps.gpkg", _write_layers), ("areas.gpkg", _write_layers),
    ("villages.csv", _write_villages), ("zones.csv", _write_zones),
    ("exposure.csv", write_exposure_csv), ("indicators.xlsx", write_indicators), ("ledger.xlsx", write_ledger),
    ("ledger.csv", lambda plan, path: write_ledger_csv(plan.ledger, path)),
    ("ledger.gpkg", _write_opening), ("public_list.csv", _write_public), (LETTER_LIST, _write_letters),
    (PROOF, _write_proof), ("plan.json", _write_json),
)
"""Deliverables in the order of writing: rasters, which take the most memory, first; ``plan.json`` last."""


_OF_OPENING: tuple[Writer, ...] = (_write_opening, _write_public, _write_letters)
_OF_LAYERS: tuple[LayerWriter, ...] = (_write_layers, _write_shp, _write_villages, _write_zones)


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
    layers = cache(lambda: plan_layers(plan))  # after the rasters, which take the most memory

    def write(name: str, writer: Any, draft: Path) -> None:
        if name == LETTER_LIST:
            writer = partial(_write_letters, earlier=earlier)
        spent = {"write": round(time.process_time() - start, 3)}
        if writer in _OF_LAYERS:
            writer(layers(), draft)
        else:
            writer(replace(plan, timings={**plan.timings, **spent}) if name == "plan.json" else plan, draft)
        if progress is not None:
            progress(name)

    given = [(name, writer) for name, writer in FILES if (plan.opening is not None or writer not in _OF_OPENING)
             and (plan.certificate is not None or name != PROOF)]
    profiles = [(f"{PROFILES}/{name}", partial(_write_bytes, content)) for name, content in plan.profile_files.items()]
    ordered = (*given[:-1], *profiles, *extra, given[-1])
    found = write_files(Path(out), [(name, partial(write, name, writer)) for name, writer in ordered])
    if plan.opening is not None:
        _drop_old_letters(earlier, letters)
    for path in (Path(out) / PROFILES).glob("*.toml"):
        if path.name not in plan.profile_files:
            path.unlink()  # that of an earlier run would be taken for one of this plan
    return found
