"""The opening ledger as sheets of a workbook and as layers of a GeoPackage (``ledger.gpkg``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.export._detailed_plan import site_fields
from siteplan.export._results import ResultField, ResultSheet, result_rows, widths_of
from siteplan.export._workbook import add_sheet
from siteplan.opening import NO_SECRECY_LIST, Opening
from siteplan.opening._sums import with_total
from siteplan.tables import read_table

GIVEN = ("no_letter", "sharing", "pole_leases", "pole_shares", "refusal_counts", "preference", "preference_curve")
"""Tables that are not part of `Opening`: sheets where they are given and have rows."""
_PAGES: Mapping[str, int] = {"venues": 4, "fees": 2, "hard": 2}
"""Pages that a print is wide; one where a sheet is not named."""
_CODED: Mapping[str, str] = {"site_kind": "kind", "mount": "mount", "build": "build"}
"""Columns of venues -> fields of the site layer whose words they are told in."""


@cache
def opening_sheets() -> Mapping[str, ResultSheet]:
    """Sheets of the opening ledger by the key of their table, in the order of ``tables/ledger_words.toml``.

    >>> [field.zh for field in opening_sheets()["public"].fields]
    ['序号', '基站地址', '物业所属单位', '场所类别']
    """
    table, out = read_table("ledger_words"), {}
    for key, entry in table["sheets"].items():
        listed = table["column_sets"][entry["columns_of"]] if "columns_of" in entry else entry["columns"]
        fields = tuple(ResultField(name, **{"kind": "text", **item}) for name, item in listed.items())
        out[key] = ResultSheet(key, entry["sheet"], entry["title"], tuple(entry.get("notes", ())), fields)
    return out


def _in_words(table: pd.DataFrame, sheet: ResultSheet) -> tuple[pd.DataFrame, ResultSheet]:
    """Coded columns in words, their kind then being text."""
    words, columns, fields = read_table("ledger_words")["cell_words"], {}, []
    for field in sheet.fields:
        if field.kind == "names" and field.name in table:
            columns[field.name] = table[field.name].astype("str").str.replace("|", "、", regex=False)
            field = ResultField(field.name, field.zh, "text", field.width)
            fields.append(field)
            continue
        if field.kind in _CODED:
            told = site_fields()[_CODED[field.kind]]["values"]
        else:
            told = words.get(field.kind)
        if told is not None and field.name in table:
            values = table[field.name].astype("str")
            columns[field.name] = values.map(told).fillna(values)
            field = ResultField(field.name, field.zh, "text", field.width)
        fields.append(field)
    return table.assign(**columns), replace(sheet, fields=tuple(fields))


def _marks(key: str, table: pd.DataFrame, sheet: ResultSheet) -> dict[tuple[int, int], str]:
    """Cells that a planner must not miss, by row and column number."""
    numbers, out = {field.name: number for number, field in enumerate(sheet.fields)}, {}
    for name, rule in read_table("ledger_words")["marks"].get(key, {}).items():
        if name in table:
            for row, value in enumerate(table[name].astype("str")):
                if value in rule:
                    out[row, numbers[rule["column"]]] = rule[value]
    return out


_DUTIES: Mapping[str, str] = {"open_basis": "应当开放", "free_basis": "免费开放"}


def basis_table(venues: pd.DataFrame) -> pd.DataFrame:
    """What the duties rest on, each text once: ``mark`` (依据1 ...) ``, duty, text, classes, venues``, most first."""
    parts = []
    for rank, (name, duty) in enumerate(_DUTIES.items()):
        here = venues[venues[name] != ""]
        by = here.groupby(name)["class_zh"]
        counts = pd.DataFrame({"rank": rank, "duty": duty, "venues": by.size(),
                               "classes": by.agg(lambda names: "、".join(sorted(set(names))))})
        parts.append(counts.rename_axis("text").reset_index())
    table = pd.concat(parts).sort_values(["rank", "venues", "text"], ascending=[True, False, True], kind="stable")
    return table.assign(mark=[f"依据{number}" for number in range(1, len(table) + 1)]).drop(columns="rank").reset_index(
        drop=True)


def _tables(opening: Opening, given: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    venues = pd.DataFrame(opening.venues.drop(columns="geometry"))
    shown = venues["status"] == "proposed"
    money = {name: venues[name].where(shown) for name in ("rank_no", "cost_yuan", "gain_demand")}
    bases = basis_table(venues)
    marks = {duty: dict(zip(rows["text"], rows["mark"], strict=True)) for duty, rows in bases.groupby("duty")}
    short = {name: [marks.get(duty, {}).get(text, "") for text in venues[name]] for name, duty in _DUTIES.items()}
    others = ("fees", "hard", "refusals", "public", "poles")
    tables = {"venues": venues.assign(**money, **short), "bases": bases,
              "departments": with_total(opening.departments, "department"), "towns": with_total(opening.towns, "town"),
              **{name: getattr(opening, name) for name in others}}
    more = {name: given[name] for name in GIVEN if name in given and len(given[name])}
    if "preference_curve" in more:
        more["preference_curve"] = more["preference_curve"].assign(cost_wan=more["preference_curve"]["cost_yuan"] / 1e4)
    if "sharing" in more:
        order = more["sharing"]["verdict"].map({"room": 0, "full": 1}).fillna(2)
        more["sharing"] = more["sharing"].assign(order=order).sort_values("order", kind="stable")
    if "pole_shares" in more:
        more["pole_shares"] = more["pole_shares"].assign(over=more["pole_shares"]["verdict"] != "over").sort_values(
            "over", kind="stable")
    return {**tables, **more}


def sheet_notes(opening: Opening, key: str) -> list[str]:
    """Sentences over a sheet that depend on its rows: how many there are, what is left out, what is not named."""
    if key == "venues":
        return _unnamed(opening)
    if key == "public":
        told = [f"列入 {len(opening.public)} 处；未列入 {opening.left_out['venues'].sum()} 处。"]
        return told * (len(opening.left_out) > 0) + [f"{NO_SECRECY_LIST}。"] * (not opening.screened)
    if key == "fees" and len(opening.fees):
        wrong = opening.fees[opening.fees["verdict"] == "violation"]
        unknown = int(wrong["amount_yuan"].isna().sum())
        more = f"，另有 {unknown} 条金额不明" if unknown else ""
        return [f"共 {len(opening.fees)} 条，初步认定违规 {len(wrong)} 条，合计 {wrong['amount_yuan'].sum():,.0f} 元{more}。"]
    return []


def _unnamed(opening: Opening) -> list[str]:
    """How many venues of each town are counted and not listed: secret units."""
    listed = opening.venues.groupby(["county", "town"]).size()
    counted = opening.towns.set_index(["county", "town"])["venues"]
    left = (counted - listed.reindex(counted.index).fillna(0)).astype("int64")
    left = left[left > 0]
    if left.empty:
        return []
    places = "、".join(f"{town or county or '镇街不明'}{number}处" for (county, town), number in left.items())
    return [f"另有涉密单位{int(left.sum())}处，不列名（{places}），计入镇街汇总，在部门汇总中单列一行。"]


def _add_curve_chart(book: Any, sheet: Any, curve: pd.DataFrame, rows: tuple[int, int]) -> None:
    """The curve as a chart of the workbook, under the table of the sheet of the two plans.

    ``rows``: where the rows of the curve begin on their own sheet, and the first free row of ``sheet``.
    """
    page = opening_sheets()["preference_curve"]
    column = {field.name: number for number, field in enumerate(page.fields)}
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})
    strengths = curve["strength"].to_numpy()
    for strength in dict.fromkeys(strengths.tolist()):
        here = (strengths == strength).nonzero()[0] + rows[0]
        name = {0.0: "不设优先", 1.0: "按本研究的优先系数"}.get(strength, f"优先系数的{strength:g}次方")
        chart.add_series({"name": name, **{axis: [page.sheet, int(here[0]), column[value], int(here[-1]), column[value]]
                                           for axis, value in (("categories", "cost_wan"), ("values", "gap_share"))},
                          "line": {"width": 2.25 if strength in (0.0, 1.0) else 1.25,
                                   "dash_type": "solid" if strength == 1.0 else "dash" if strength == 0.0 else
                                   "round_dot"}})
    chart.set_title({"name": "累计造价与占空洞加权需求的比例", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "累计造价(万元)", "min": 0, "num_format": "#,##0"})
    chart.set_y_axis({"name": "占空洞加权需求(%)", "min": 0, "max": 100, "num_format": "0"})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 420})
    sheet.insert_chart(rows[1] + 1, 0, chart)


def add_opening_sheets(book: Any, opening: Opening, notes: Sequence[str],
                       given: Mapping[str, pd.DataFrame] | None = None,
                       sentences: Mapping[str, Sequence[str]] | None = None) -> None:
    """Add the sheets of the opening ledger to a workbook; each is there even where it has no rows.

    Parameters
    ----------
    book : xlsxwriter.Workbook
    opening : Opening
    notes : sequence of str
        Name of the study first, then sentences every sheet carries.
    given : mapping of str to DataFrame, optional
        Tables of other rooms, see `GIVEN`.
    sentences : mapping of str to sequence of str, optional
        Further sentences over the sheets, by the key of their table.
    """
    sheets, begins = opening_sheets(), dict[str, int]()
    tables = _tables(opening, given or {})
    for key in (name for name in sheets if name in tables):
        table, sheet = _in_words(tables[key], sheets[key])
        title = f"{notes[0]} {sheet.title}" if notes else sheet.title
        more = [f"只列前 {sheet.most} 行，全部见 ledger.gpkg。"] if len(table) > sheet.most else []
        listed = table.iloc[:sheet.most]
        told = [*sheet.notes, *sheet_notes(opening, key), *(sentences or {}).get(key, ()), *more, *notes[1:]]
        begins[key] = add_sheet(
            book, sheet.sheet, [field.zh for field in sheet.fields], result_rows(listed, sheet), [title, *told],
            widths_of(sheet), _marks(key, tables[key].iloc[:sheet.most], sheet), pages=_PAGES.get(key, 1))
    if {"preference", "preference_curve"} <= set(begins):
        _add_curve_chart(book, book.get_worksheet_by_name(sheets["preference"].sheet), tables["preference_curve"],
                         (begins["preference_curve"], begins["preference"] + len(tables["preference"])))


def opening_layers(opening: Opening, sites: gpd.GeoDataFrame, notice: str = "") -> dict[str, gpd.GeoDataFrame]:
    """Layers of ``ledger.gpkg``: venues, chosen (venues of this plan), fees, hard; what has no place is left out.

    Parameters
    ----------
    opening : Opening
    sites : GeoDataFrame
        The sites table, for the CRS.
    notice : str
        Put into the column ``notice`` of every row; no such column where empty.

    Returns
    -------
    dict of str to GeoDataFrame
        Named index, Chinese words in the columns that end in ``_zh``; the sheets hold the records without a place.
    """
    venues = opening.venues.rename_axis("venue_id")
    layers = {"venues": venues, "chosen": venues[venues["status"] == "proposed"]}
    for name, table in (("fees", opening.fees), ("hard", opening.hard)):
        here = table[table["geometry"].notna()].drop(columns=["overruled"])
        keyed = here.assign(record=[f"{name}-{number}" for number in here["number"]]).set_index("record")
        layers[name] = gpd.GeoDataFrame(keyed.drop(columns="geometry"), geometry=list(keyed["geometry"]), crs=sites.crs)
    return {name: _layer(table, notice) for name, table in layers.items()}


def _layer(table: gpd.GeoDataFrame, notice: str) -> gpd.GeoDataFrame:
    """Geometry last, truths as words (a GeoPackage reader shows 0 and 1 otherwise)."""
    truths = {name: table[name].map({True: "是", False: "否"}).astype("str") for name in table.columns
              if table[name].dtype == bool}
    told = table.assign(**truths, **({"notice": notice} if notice else {}))
    return told[[*(name for name in told.columns if name != "geometry"), "geometry"]]
