"""Layers for the tests of exchange files: one field of each type, hostile names, points and areas, several CRS."""

from __future__ import annotations

import dataclasses
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from hypothesis import strategies as st
from shapely import affinity

from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import Profile, ProfileField
from siteplan.profiles._nouns import GeometryKind

CRS = ("EPSG:4547", "EPSG:4526", "EPSG:4490")
HOSTILE = (
    "<script>alert(1)</script>", "${document.title}", "`x`", "</script>", "=1+1", "../../x", "a\"b'c", "一\n二",
    "&amp;&lt;", "$[name] $[description]", "[1, 2]", '{"a": 1}', "2026-01-01", "12", "null", "]]>", "  前后  空格 ",
    "站址" * 20)
RARE = ("䶮村", "𬭎㙍站", "𬭚㙟")
LONG = "长" * 3000

FIELDS = (
    ProfileField("BH", "编号", "站址编号", "text", 40),
    ProfileField("MC", "名称", "站址名称", "text", 200, source="name", note="以批复为准"),
    ProfileField("LX", "类型", "站址类型", "text", 20, codes={"宏站": "1", "微站": "2"}),
    ProfileField("NF", "年份", "建设年度", "int", 4),
    ProfileField("RK", "人口", "覆盖人口", "int", 16),
    ProfileField("GG", "挂高", "天线挂高(米)", "float", 10, 2),
    ProfileField("JD", "经度", "经度", "float", 12, 7),
    ProfileField("RQ", "日期", "填报日期", "date", 10),
)

_XML_LETTERS = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t\r")
_GBK_LETTERS = st.characters(codec="gbk", exclude_categories=("Cs", "Cc", "Zs", "Co"), include_characters=" \n")


def texts(*, narrow: bool) -> st.SearchStrategy[str | None]:
    """Texts that a format must keep: of GBK within the width of the field where it is narrow, any letter else."""
    hostile = st.sampled_from([text for text in HOSTILE if len(text.encode("gbk")) <= 200])
    drawn = st.text(_GBK_LETTERS, max_size=30) if narrow else st.text(_XML_LETTERS, max_size=60)
    more = st.nothing() if narrow else st.sampled_from([*RARE, LONG])
    return st.none() | hostile | drawn | more


def shapes(kind: GeometryKind) -> st.SearchStrategy[Any]:
    """Points and areas (with a hole, of several parts) around 113.4 E 22.5 N, in degrees."""
    lon, lat = st.floats(113.0, 113.75), st.floats(22.25, 22.875)
    if kind == "Point":
        return st.builds(shapely.Point, lon, lat)
    holed = shapely.box(0, 0, 0.01, 0.01) - shapely.box(0.002, 0.002, 0.004, 0.005)
    kinds = [holed, shapely.box(0, 0, 0.003, 0.001), shapely.MultiPolygon([holed, shapely.box(0.02, 0, 0.03, 0.01)])]
    return st.builds(affinity.translate, st.sampled_from(kinds), lon, lat)


@st.composite
def layers(draw: st.DrawFn, *, narrow: bool = False, crs: tuple[str, ...] = CRS) -> OutLayer:
    """A layer of zero to four rows; every value but the key may be missing."""
    kind: GeometryKind = draw(st.sampled_from(("Point", "Polygon")))
    words = texts(narrow=narrow)
    rows = draw(st.integers(0, 4))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.none() | values, min_size=rows, max_size=rows))

    names = draw(st.lists(words.filter(lambda text: bool(text) and len(text.encode("gbk", "replace")) < 30),
                          min_size=rows, max_size=rows))
    data = {
        "BH": [f"{number}{name}" for number, name in enumerate(names)],
        "MC": draw(st.lists(words, min_size=rows, max_size=rows)),
        "LX": column(st.sampled_from(("1", "2", "别的"))),
        "NF": column(st.integers(1900, 2100)),
        "RK": column(st.integers(-2**53, 2**53)),
        "GG": column(st.integers(-99_999, 9_999_999).map(lambda cents: cents / 100)),
        "JD": column(st.integers(1_000_000_000, 1_300_000_000).map(lambda part: part / 1e7)),
        "RQ": column(st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2100-12-31").date())),
    }
    places = draw(st.lists(shapes(kind), min_size=rows, max_size=rows))
    return out_layer(data, places, kind, draw(st.sampled_from(crs)))


def out_layer(data: dict[str, list[Any]], places: list[Any], kind: GeometryKind = "Point",
              crs: str = CRS[0], name: str = "ghzz") -> OutLayer:
    """A layer from plain values, missing ones None, and places in degrees."""
    dtypes = {"text": "str", "int": "Int64", "float": "float64", "date": "datetime64[s]"}
    columns = {field.name: pd.Series(data[field.name], dtype="object").astype(dtypes[field.type]) for field in FIELDS}
    geometry = gpd.GeoSeries(np.array(places, dtype=object), crs="EPSG:4490").to_crs(crs)
    table = gpd.GeoDataFrame(columns, geometry=geometry.to_numpy(), crs=crs)
    profile = Profile("sites", "规划站址", "sites", "ghzz", kind, "BH", FIELDS, style="LX", source="试验")
    return OutLayer(profile, name, table)


def plain_layer(**changes: Any) -> OutLayer:
    """Two sites of known values, ``changes`` to the first one."""
    first = {"BH": "A1", "MC": "溪口镇政府", "LX": "1", "NF": 2026, "RK": 1200, "GG": 35.5, "JD": 113.3928,
             "RQ": "2026-06-30"} | changes
    second = {"BH": "A2", "MC": None, "LX": None, "NF": None, "RK": None, "GG": None, "JD": None, "RQ": None}
    places = [shapely.Point(113.3928, 22.5168), shapely.Point(113.41, 22.52)]
    return out_layer({name: [first[name], second[name]] for name in first}, places)


def renamed(layer: OutLayer) -> OutLayer:
    """The layer as narrow formats get it with Chinese names."""
    names = {field.name: field.name_zh for field in layer.profile.fields}
    return dataclasses.replace(layer, table=layer.table.rename(columns=names))
