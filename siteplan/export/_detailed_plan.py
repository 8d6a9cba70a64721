"""The site layer of the detailed plan (控制性详细规划): its fields, the master table, the Shapefile, the dictionary."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.export._vector import write_shp
from siteplan.selection.explain import CHOICE_ZH
from siteplan.tables import read_table


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


def export_table(sites: gpd.GeoDataFrame, notices: Sequence[str] = (),
                 exposure: Mapping[str, str] | None = None) -> gpd.GeoDataFrame:
    """The master table of the site layer: the columns of the field list, numbers rounded as the fields say.

    Parameters
    ----------
    sites : GeoDataFrame
        Rows of the sites table (index ``site_id``).
    notices : sequence of str
        Put into the ``notice`` column of every row.
    exposure : mapping of str to str, optional
        What the exposure screening says of a site, by its id.

    Returns
    -------
    GeoDataFrame
        Same order and index; coded values (kind, mount, build, yes/no) in Chinese, ``x_north_m, y_east_m`` added.
    """
    flags = pd.Series(dict(exposure or {}), dtype="str").reindex(sites.index.astype("str"), fill_value="")
    full = sites.assign(
        site_id=sites.index.astype("str"), x_north_m=sites.geometry.y, y_east_m=sites.geometry.x,
        venue_class=sites["class_name"].where(sites["class_name"] != "", sites["venue_class"]),
        exposure_flag=flags.to_numpy(),
        notice=_fitted(";".join(notices), 254))
    columns = {}
    for name, field in site_fields().items():
        column = full[name]
        if field["type"] == "text":
            words = column.astype("str").where(column.notna(), "")
            words = words.map(field["values"]).fillna(words) if "values" in field else words
            columns[name] = _all_fitted(words.astype("str"), field["width"])
        elif field["type"] == "int":
            columns[name] = column.astype("int64")
        else:
            columns[name] = np.round(column.astype("float64"), field["decimals"])
    return gpd.GeoDataFrame(columns, geometry=sites.geometry, crs=sites.crs, index=sites.index)


def _all_fitted(words: pd.Series, width: int) -> pd.Series:
    """`_fitted` for a column; only texts that may be too long (a letter has up to 4 bytes) are looked at."""
    doubtful = words.str.len() > width // 4
    if not doubtful.any():
        return words
    shorter = {text: _fitted(text, width) for text in words[doubtful].unique()}
    return words.mask(doubtful, words[doubtful].map(shorter))


def _fitted(text: str, width: int) -> str:
    """The text, shortened with … on a character boundary where it is over the width in UTF-8 bytes."""
    if len(text.encode("utf-8")) <= width:
        return text
    return text.encode("utf-8")[: width - 3].decode("utf-8", errors="ignore") + "…"


def write_shapefile(table: gpd.GeoDataFrame, path: Path, encoding: str = "UTF-8") -> None:
    """Write the master table as a Shapefile with the field names of the dictionary, and the dictionary beside it.

    ``NAME_fields.csv`` (字段对照表, UTF-8 with BOM so that Excel reads it) lists field, Chinese name, type and meaning.

    Raises
    ------
    ExportError
        See :func:`siteplan.export._vector.write_shp`.
    """
    fields = site_fields()
    short = table[[*fields, table.geometry.name]].rename(columns={name: entry["out"] for name, entry in
                                                                  fields.items()})
    write_shp(short.reset_index(drop=True), path, encoding)
    with path.with_name(f"{path.stem}_fields.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["字段", "中文名", "类型", "取值", "主文件字段"])
        for name, entry in fields.items():
            values = "/".join(dict.fromkeys(entry.get("values", {}).values()))
            writer.writerow([entry["out"], entry["zh"], entry["type"], values, name])


def as_frame(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """The table without its geometry."""
    return pd.DataFrame(table.drop(columns=table.geometry.name))
