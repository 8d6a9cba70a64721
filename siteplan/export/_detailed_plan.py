"""The site layer of the detailed plan (控制性详细规划): its fields, the master table, the Shapefile, the dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.export.exchange.compare import check_read_back
from siteplan.export.exchange.dictionary import write_field_list
from siteplan.export.exchange.field_values import rounded
from siteplan.export.exchange.formats.shapefile import SHP
from siteplan.export.exchange.narrow import narrowed
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import Profile, ProfileField
from siteplan.selection.explain import CHOICE_ZH
from siteplan.tables import read_table

_WIDTHS = {"int": 9, "float": 20}
_DTYPES = {"text": "str", "int": "Int64", "float": "float64"}


@cache
def site_fields() -> Mapping[str, Mapping[str, Any]]:
    """Fields of the site layer, in their order, from ``tables/export_fields.toml``; coded ones with their words.

    >>> site_fields()["scene"]["values"]["county"], site_fields()["opens"]["out"]
    ('县城', 'KFNR')
    """
    known = {"scenes": {name: entry["zh"] for name, entry in read_table("scenes")["scenes"].items()},
             "choices": CHOICE_ZH}
    fields: Mapping[str, Mapping[str, Any]] = {
        name: {**field, "values": known[field["words_of"]]} if "words_of" in field else field
        for name, field in read_table("export_fields")["sites"].items()}
    return fields


def export_table(sites: gpd.GeoDataFrame, notices: Sequence[str] = (), exposure: Mapping[str, str] | None = None,
                 columns: pd.DataFrame | None = None) -> gpd.GeoDataFrame:
    """The master table of the site layer: the columns of the field list, numbers rounded as the fields say.

    Texts are whole: a reason that was cut to a Shapefile field is told in full again.

    Parameters
    ----------
    sites : GeoDataFrame
        Rows of the sites table (index ``site_id``).
    notices : sequence of str
        Put into the ``notice`` column of every row.
    exposure : mapping of str to str, optional
        What the exposure screening says of a site, by its id.
    columns : DataFrame, optional
        What follows from the plan as a whole, by site (``master.site_columns.site_columns``); empty when absent.

    Returns
    -------
    GeoDataFrame
        Same order and index; coded values (kind, mount, build, yes/no) in Chinese, ``x_north_m, y_east_m`` added.
    """
    flags = pd.Series(dict(exposure or {}), dtype="str").reindex(sites.index.astype("str"), fill_value="")
    full = sites.assign(
        site_id=sites.index.astype("str"), x_north_m=sites.geometry.y, y_east_m=sites.geometry.x,
        venue_class=sites["class_name"].where(sites["class_name"] != "", sites["venue_class"]),
        reason=whole_reasons(sites), build_year=_years(sites), exposure_flag=flags.to_numpy(), notice=";".join(notices))
    if columns is not None:
        full = full.assign(**columns.loc[sites.index])
    told = {}
    for name, field in site_fields().items():
        column = full[name] if name in full else pd.Series(_EMPTY[field["type"]], index=sites.index)
        if field["type"] == "text":
            words = column.astype("str").where(column.notna(), "")
            words = words.map(field["values"]).fillna(words) if "values" in field else words
            told[name] = words.astype("str")
        elif field["type"] == "int":
            told[name] = column.astype("Int64" if column.isna().any() else "int64")
        else:
            told[name] = pd.Series(rounded(column.to_numpy(dtype="float64"), field["decimals"]), index=column.index)
    return gpd.GeoDataFrame(told, geometry=sites.geometry, crs=sites.crs, index=sites.index)


def _years(sites: gpd.GeoDataFrame) -> pd.Series:
    """Years of building, missing where the plan gives none."""
    years = sites["build_year"].astype("Int64")
    return years.mask(years == 0)


_EMPTY: Mapping[str, Any] = {"text": "", "int": 0, "float": np.nan}


def whole_reasons(sites: gpd.GeoDataFrame) -> pd.Series:
    """Reasons, in full where they were cut: the whole text is that of the choice."""
    reason, whole = sites["reason"].astype("str"), sites["choice_text"].astype("str")
    cut = reason.str.endswith("…") & np.array(
        [long.startswith(short.removesuffix("…")) for short, long in zip(reason, whole, strict=True)], dtype=bool)
    return reason.mask(cut, whole)


def write_shapefile(table: gpd.GeoDataFrame, path: Path, encoding: str = "UTF-8") -> None:
    """Write the master table as a Shapefile with the field names of the dictionary, and the dictionary beside it.

    ``NAME_fields.csv`` (字段对照表, UTF-8 with BOM so that Excel reads it) lists field, Chinese name, type and meaning.
    Texts over the width of their field are cut and end in ``…``.

    Raises
    ------
    ExportError
        A character that the encoding lacks, a number of too many digits, a file that does not read back equal: all
        problems are listed.
    """
    narrow = narrowed(_site_layer(table, path.stem, encoding), encoding, "pinyin")
    SHP.write([narrow], path.parent)
    check_read_back(narrow, SHP.read(path.parent, narrow), SHP.kept, path.name)
    write_field_list(narrow, path.with_name(f"{path.stem}_fields.csv"))


def _site_layer(table: gpd.GeoDataFrame, name: str, encoding: str) -> OutLayer:
    """The master table as a layer whose profile is the field list."""
    out = {column: entry for column, entry in site_fields().items() if "out" in entry}
    fields = tuple(ProfileField(
        entry["out"], entry["zh"], entry["zh"], entry["type"], entry.get("width", _WIDTHS.get(entry["type"], 0)),
        entry.get("out_decimals", entry.get("decimals", 0)), column,
        codes={word: word for word in entry.get("values", {}).values()},
        over_long="error" if column == "site_id" else "cut", between="、" if entry.get("list") else "")
        for column, entry in out.items())
    columns = {field.name: _as_written(table[field.source], field).reset_index(drop=True) for field in fields}
    key = site_fields()["site_id"]["out"]
    profile = Profile("sites", "规划站址", "sites", name, "Point", key, fields, encoding=encoding)
    return OutLayer(profile, name, gpd.GeoDataFrame(columns, geometry=table.geometry.reset_index(drop=True)))


def _as_written(column: pd.Series, field: ProfileField) -> pd.Series:
    """A column of the master as the field has it: lists with 、, numbers to its decimals."""
    typed = column.astype(_DTYPES[field.type])
    if field.between:
        return typed.str.replace("|", field.between)
    if field.type == "float":
        return pd.Series(rounded(typed.to_numpy(dtype="float64"), field.decimals), index=typed.index)
    return typed


def as_frame(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """The table without its geometry."""
    return pd.DataFrame(table.drop(columns=table.geometry.name))
