"""A change set between two exports as files: a workbook for the meeting, layers for the map, one flat list."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio

from siteplan.export._staging import write_files
from siteplan.export._vector import write_geopackage
from siteplan.export._workbook import add_sheet, open_book, write_csv
from siteplan.export.exchange.change_set import ChangeSet, apply_changes, change_set

__all__ = ["ChangeSet", "apply_changes", "change_list", "change_set", "write_changes"]

KIND_ZH: Mapping[str, str] = {"added": "新增", "removed": "取消", "moved": "移动", "changed": "属性变更"}
ALIKE_ZH = "可能同一处"
LISTED = ("name", "unit_name", "status_zh", "kind", "mount", "build", "phase", "antenna_height_m", "venue_class",
          "owner", "town", "county", "unit_code", "cost_yuan", "x_north_m", "y_east_m", "verdict_after",
          "area_share_after", "gap_type", "area_m2", "demand", "sites_new", "reason")
"""Columns of the sheets 新增 and 取消, as far as the layer has them; the GeoPackage has all."""
_MOST_LETTERS = 32_000
"""A cell of a workbook holds 32,767."""
_CUT = "…(全文见 changes.csv)"


def write_changes(changes: ChangeSet, out: Path) -> dict[str, Path]:
    """Write a change set into a folder: ``changes.xlsx``, ``changes.gpkg`` and ``changes.csv``.

    Parameters
    ----------
    changes : ChangeSet
    out : Path
        Folder; made when absent. Files of an earlier change set are replaced when all new ones are ready.

    Returns
    -------
    dict
        File name -> path. The GeoPackage holds ``added``, ``removed`` (whole rows) and ``moved`` (lines from the old
        to the new place), each read back and compared. Text is never a formula in workbook and list.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``out`` was touched.

    Examples
    --------
    >>> write_changes(change_set(read_plan_layers(old), read_plan_layers(new)), out)  # doctest: +SKIP
    """
    return write_files(Path(out), [("changes.xlsx", lambda path: _write_workbook(changes, path)),
                                   ("changes.gpkg", lambda path: _write_layers(changes, path)),
                                   ("changes.csv", lambda path: write_csv(change_list(changes), path))])


def change_list(changes: ChangeSet) -> pd.DataFrame:
    """All changes as one list: what, id, name, field, old and new value; a row for each."""
    id_zh = changes.titles.get(changes.key, changes.key)
    parts = [pd.DataFrame({"变更": KIND_ZH[kind], "编号": table.index.astype("str"), "名称": _names(table)})
             for kind, table in (("added", changes.added), ("removed", changes.removed))]
    moved = changes.moved
    parts.append(pd.DataFrame({
        "变更": KIND_ZH["moved"], "编号": moved.index.astype("str"), "名称": moved["name"].to_numpy(),
        "原值": _places(moved["x_old"], moved["y_old"]), "新值": _places(moved["x_new"], moved["y_new"]),
        "距离(米)": moved["distance_m"].to_numpy()}))
    told = changes.changed
    parts.append(pd.DataFrame({"变更": KIND_ZH["changed"], "编号": told["key"], "名称": told["name"], "字段": told["field_zh"],
                               "原值": told["old"], "新值": told["new"]}))
    alike = changes.alike
    parts.append(pd.DataFrame({"变更": ALIKE_ZH, "编号": alike["new_key"], "名称": alike["new_name"], "字段": id_zh,
                               "原值": alike["old_key"], "新值": alike["new_key"], "距离(米)": alike["distance_m"]}))
    columns = ["变更", "编号", "名称", "字段", "原值", "新值", "距离(米)"]
    filled = [part.reindex(columns=columns).astype("object") for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns, dtype="object")


def _names(table: pd.DataFrame) -> Any:
    column = next((name for name in ("name", "unit_name") if name in table), None)
    return "" if column is None else table[column].to_numpy()


def _places(x: pd.Series, y: pd.Series) -> list[str]:
    """North and east as planners write them; empty without a place."""
    return ["" if pd.isna(east) else f"X={north:.3f} Y={east:.3f}" for east, north in zip(x, y, strict=True)]


def _write_layers(changes: ChangeSet, path: Path) -> None:
    """Whole rows of what came and went, and a line for what moved."""
    layers: dict[str, gpd.GeoDataFrame] = {"added": changes.added, "removed": changes.removed, "moved": changes.moved}
    with _fixed_date():
        write_geopackage({name: table.rename_axis(changes.key) for name, table in layers.items()}, path)


@contextmanager
def _fixed_date() -> Iterator[None]:
    """A GeoPackage says when it was changed: always the same day, so that equal change sets make equal bytes."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _write_workbook(changes: ChangeSet, path: Path) -> None:
    """Summary first, then a sheet for each kind of change."""
    id_zh = changes.titles.get(changes.key, changes.key)
    notes = _notes(changes)
    with open_book(path, "变更清单") as book:
        add_sheet(book, "汇总", ["变更", "数量"], _summary(changes), [f"变更汇总({_layer_zh(changes)})", *notes],
                  {0: 40.0, 1: 44.0})
        for kind, table in (("added", changes.added), ("removed", changes.removed)):
            shown = [name for name in LISTED if name in table]
            rows = [[str(key), *map(_cell, row)]
                    for key, row in zip(table.index, table[shown].to_numpy(object), strict=True)]
            add_sheet(book, KIND_ZH[kind], [id_zh, *(changes.titles.get(name, name) for name in shown)], rows,
                      [f"{KIND_ZH[kind]}(全部字段见 changes.gpkg 的 {kind} 图层)", *notes], {0: 24.0}, pages=2)
        moved = [[str(key), *map(_cell, row)] for key, row in zip(
            changes.moved.index, changes.moved.drop(columns="geometry").to_numpy(object), strict=True)]
        # X is north and Y is east for planners
        moved = [[key, name, away, *(_millimetres(value) for value in (y_old, x_old, y_new, x_new))]
                 for key, name, away, x_old, y_old, x_new, y_new in moved]
        add_sheet(book, KIND_ZH["moved"], [id_zh, "名称", "移动距离(米)", "原X坐标(北)", "原Y坐标(东)", "新X坐标(北)", "新Y坐标(东)"],
                  moved, [KIND_ZH["moved"], *notes], {0: 24.0, 1: 24.0, **dict.fromkeys(range(3, 7), 14.0)})
        rows = [[*map(_cell, row)] for row in
                changes.changed[["key", "name", "field_zh", "old", "new"]].to_numpy(object)]
        add_sheet(book, KIND_ZH["changed"], [id_zh, "名称", "字段", "原值", "新值"], rows, [KIND_ZH["changed"], *notes],
                  {0: 24.0, 1: 24.0, 2: 22.0, 3: 44.0, 4: 44.0})
        alike = [[*map(_cell, row)] for row in changes.alike.to_numpy(object)]
        add_sheet(book, ALIKE_ZH, [f"原{id_zh}", f"新{id_zh}", "原名称", "新名称", "距离(米)"], alike,
                  [f"{ALIKE_ZH}:编号不同而位置和场所相同,请核对;两行仍分别列在“新增”和“取消”", *notes], {0: 24.0, 1: 24.0, 2: 24.0, 3: 24.0})


def _layer_zh(changes: ChangeSet) -> str:
    return LAYER_ZH.get(changes.layer, changes.layer)


LAYER_ZH: Mapping[str, str] = {"sites": "规划站址", "all_sites": "全部站址", "villages": "行政村", "zones": "重点区域",
                               "gaps": "规划后覆盖空洞", "gaps_before": "现状覆盖空洞", "units": "编制单元",
                               "indoor_gaps": "室内覆盖空洞", "indoor_buildings": "室内覆盖建筑"}


def _summary(changes: ChangeSet) -> list[list[Any]]:
    """Counts, what was compared, and what was not."""
    counts = changes.counts()
    rows: list[list[Any]] = [[KIND_ZH[kind] + ("(处)" if kind != "changed" else "(涉及处数)"), counts[kind]]
                             for kind in KIND_ZH]
    rows += [["属性变更(项)", len(changes.changed)], ["未变(处)", counts["unchanged"]],
             [f"{ALIKE_ZH}(编号不同,对)", counts["alike"]]]
    by_field = changes.changed["field_zh"].value_counts()
    rows += [[f"其中:{title}", int(count)] for title, count in sorted(by_field.items())]
    for why in dict.fromkeys(changes.left_out.values()):
        names = [changes.titles[name] for name, reason in changes.left_out.items() if reason == why]
        rows.append([why, _cell("、".join(names))])
    return rows


def _notes(changes: ChangeSet) -> list[str]:
    """Which two exports, and the notices of both."""
    told = [f"{who}:{facts.get('name', '')},研究文件摘要 {str(facts.get('sha256', ''))[:12]},坐标系 {facts.get('crs', '')}"
            for who, facts in (("前一次", changes.old_facts), ("后一次", changes.new_facts))]
    if changes.old_facts.get("crs") != changes.new_facts.get("crs"):
        told.append("两次成果坐标系不同:前一次的坐标已换算到后一次的坐标系")
    both = [*(changes.old_facts.get("notices") or []), *(changes.new_facts.get("notices") or [])]
    return [*told, *dict.fromkeys(str(notice) for notice in both)]


def _millimetres(value: Any) -> Any:
    """A coordinate as planners write it, with three decimals."""
    return round(value, 3) if isinstance(value, float) else value


def _cell(value: Any) -> Any:
    """A cell: nothing for what is missing, a long text cut and told so."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    if isinstance(value, str) and len(value) > _MOST_LETTERS:
        return value[:_MOST_LETTERS] + _CUT
    return value
