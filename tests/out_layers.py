"""Layers as they leave, made in code: every type of field, hostile names, every kind of geometry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import pandas as pd
from conftest import CRS, at, rect
from shapely.geometry import LineString, MultiPolygon, Polygon

from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import Profile, ProfileField

HOSTILE = ["<script>alert(1)</script>", "${x}`y`", "=1+1", "../../x", "\"'&", "两\n行", "䶮𬭎㙍", "长" * 80, "甲"]
"""Names that must come back as they are: markup, templates, formulas, paths, line breaks, rare characters."""
FIELDS = (
    ProfileField("ZZBH", "站址编号", "站址编号", "text", 20, source="site_id", mandatory=True),
    ProfileField("ZZMC", "站址名称", "站址名称", "text", 254, source="name", note="自由填写"),
    ProfileField("ZZLX", "站址类型", "站址类型", "text", 4, source="kind", codes={"宏站": "01", "微站": "02"}),
    ProfileField("JSNF", "建设年度", "建设年度", "int", 4, source="build_year"),
    ProfileField("GG", "挂高", "挂高(米)", "float", 7, 1, source="antenna_height_m"),
    ProfileField("JD", "经度", "经度(度)", "float", 12, 7, source="lon"),
    ProfileField("RQ", "日期", "登记日期", "date", 8, source="day"),
    ProfileField("BBH", "版本号", "版本号", "text", 10, value="v1"),
)
"""All types; ``ZZBH`` is the key."""


def profile(**changes: Any) -> Profile:
    return replace(Profile("sites", "规划站址", "sites", "sites", "Point", "ZZBH", FIELDS, style="ZZLX"), **changes)


def layer(names: list[str] | None = None, **changes: Any) -> OutLayer:
    """A layer of points: one site for each name; every third value is empty."""
    names = HOSTILE if names is None else names
    numbers = range(len(names))
    table = gpd.GeoDataFrame({
        "ZZBH": pd.Series([f"S{number:03d}" for number in numbers], dtype="str"),
        "ZZMC": pd.Series(names, dtype="str"),
        "ZZLX": pd.Series([["01", "02", None][number % 3] for number in numbers], dtype="str"),
        "JSNF": pd.Series([[2026, 2027, None][number % 3] for number in numbers], dtype="Int64"),
        "GG": pd.Series([[35.5, -0.1, None][number % 3] for number in numbers], dtype="float64"),
        "JD": pd.Series([[113.1234567, 0.0, None][number % 3] for number in numbers], dtype="float64"),
        "RQ": pd.Series([["2026-06-30", "1999-12-31", None][number % 3] for number in numbers], dtype="datetime64[s]"),
        "BBH": pd.Series(["v1" for _ in numbers], dtype="str"),
    }, geometry=[at(10 * number + 0.123, 5.456) for number in numbers], crs=CRS)
    return OutLayer(profile(**changes), changes.get("out", "sites"), table)


def shaped(kind: str) -> OutLayer:
    """Four rows of lines or areas: of one part and of many, with holes."""
    if kind == "LineString":
        shapes = [LineString([(0, 0), (5, 5)]),
                  LineString([(9, 1), (2, 2), (2, 7)]).union(LineString([(20, 0), (30, 1)])),
                  LineString([(0, 0), (0, 1)]), LineString([(4, 4), (3, 3)])]
    else:
        holed = Polygon([(0, 0), (100, 0), (100, 100), (0, 100)], [[(10, 10), (20, 10), (20, 20)],
                                                                  [(50, 50), (60, 50), (60, 60)]])
        shapes = [rect(0, 0, 10, 10), MultiPolygon([rect(0, 0, 5, 5), rect(20, 0, 25, 5)]), holed, rect(1, 1, 2, 2)]
    made = layer(["甲", "乙", "丙", "丁"], geometry=kind, id="areas", out="areas")
    return replace(made, table=made.table.set_geometry(gpd.GeoSeries(shapes, crs=CRS)))
