"""A made-up city as raw files, for benchmarks: the same seed writes the same files."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from pyproj import Transformer
from rasterio.transform import from_origin

from siteplan.params import LayerSource

CRS = "EPSG:4547"
SIDE_M, WEST, SOUTH = 42_000.0, 437_000.0, 2_470_000.0
STREETS, POLE_STEP_M = 900, 35.0
CLASSES = (("中小学", 0.14), ("住宅小区", 0.14), ("公共厕所", 0.1), ("党政机关", 0.1), ("村委会", 0.08), ("事业单位", 0.08),
           ("写字楼", 0.06), ("公园", 0.06), ("国有企业", 0.05), ("酒店", 0.05), ("农贸市场", 0.04), ("公交首末站", 0.04),
           ("派出所", 0.03), ("加油站", 0.02), ("停车场", 0.01))
"""What facilities are, and which share of them."""
SOURCES = {
    "villages": LayerSource(path="villages.gpkg"), "towns": LayerSource(path="towns.gpkg"),
    "ground": LayerSource(path="ground.tif"), "buildings": LayerSource(path="buildings.gpkg"),
    "poles": LayerSource(path="poles.csv", datum="wgs84"),
    "facilities": LayerSource(path="facilities.csv", datum="wgs84"),
    "stations": LayerSource(path="stations.csv", datum="wgs84"), "roads": LayerSource(path="roads.gpkg"),
    "restricted": LayerSource(path="restricted.gpkg"), "parcels": LayerSource(path="parcels.gpkg"),
    "power": LayerSource(path="power.gpkg"), "fibre": LayerSource(path="fibre.gpkg"),
    "secrecy": LayerSource(path="secrecy.csv"),
}


def _degrees(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lon, lat = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform(x, y)
    return np.round(lon, 7), np.round(lat, 7)


def _boxes(rng: np.random.Generator, count: int, low_m: float, high_m: float) -> np.ndarray:
    """Boxes at random places, edges of ``low_m`` to ``high_m``."""
    x, y = WEST + rng.uniform(0, SIDE_M - high_m, count), SOUTH + rng.uniform(0, SIDE_M - high_m, count)
    width, height = rng.uniform(low_m, high_m, (2, count))
    return shapely.box(x, y, x + width, y + height)


def _save(folder: Path, name: str, columns: dict[str, object], shapes: object) -> None:
    table = gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)
    table.to_file(folder / f"{name}.gpkg", engine="pyogrio", use_arrow=True)


def write_places(folder: Path, rng: np.random.Generator) -> None:
    """Boundary, towns, terrain, streets, restricted areas, parcels, power, fibre, secrecy."""
    whole = shapely.box(WEST, SOUTH, WEST + SIDE_M, SOUTH + SIDE_M)
    _save(folder, "villages", {"村代码": ["1"], "村名": ["全市"]}, [whole])
    step = SIDE_M / 5
    tiles = [shapely.box(WEST + i * step, SOUTH + j * step, WEST + (i + 1) * step, SOUTH + (j + 1) * step)
             for i in range(5) for j in range(5)]
    _save(folder, "towns", {"镇街代码": [f"{n:03d}" for n in range(25)], "镇街名称": [f"第{n}镇" for n in range(25)],
                            "所属县区": ["甲县"] * 25}, tiles)
    yy, xx = np.mgrid[0:420, 0:420]
    ground = (30 + 25 * np.sin(xx / 37) * np.cos(yy / 29)).astype(np.float32)
    with rasterio.open(folder / "ground.tif", "w", driver="GTiff", width=420, height=420, count=1, dtype="float32",
                       crs=CRS, transform=from_origin(WEST, SOUTH + SIDE_M, 100, 100)) as data:
        data.write(ground[None])
    ends = np.array([line.coords for line in streets(np.random.default_rng(1))])
    _save(folder, "roads", {"道路编号": [f"R{n}" for n in range(STREETS)], "道路名称": [f"道路{n}" for n in range(STREETS)],
                            "道路等级": "次干路"}, shapely.linestrings(ends))
    kinds = np.array(["生态保护红线", "永久基本农田", "文物保护单位", "饮用水水源保护区"])
    _save(folder, "restricted", {"编号": [f"X{n}" for n in range(200)], "名称": [f"区{n}" for n in range(200)],
                                 "限制类型": kinds[rng.integers(0, 4, 200)]}, _boxes(rng, 200, 200, 1500))
    codes = np.array(["0701", "0803", "0901", "1001", "1401", "0102"])
    side = int(np.sqrt(20_000))
    edge = SIDE_M / side
    i, j = np.divmod(np.arange(side * side), side)
    shapes = shapely.box(WEST + i * edge, SOUTH + j * edge, WEST + (i + 1) * edge, SOUTH + (j + 1) * edge)
    _save(folder, "parcels", {"地块编号": [f"K{n:05d}" for n in range(side * side)],
                              "用地性质代码": codes[rng.integers(0, len(codes), side * side)]}, shapes)
    _save(folder, "power", {"编号": [f"B{n}" for n in range(3000)]},
          shapely.points(WEST + rng.uniform(0, SIDE_M, 3000), SOUTH + rng.uniform(0, SIDE_M, 3000)))
    _save(folder, "fibre", {"编号": [f"G{n}" for n in range(STREETS // 2)]}, shapely.linestrings(ends[::2]))
    pd.DataFrame({"设施编号": [f"F{n:05d}" for n in range(7, 20_000, 997)], "单位名称": ""}).to_csv(
        folder / "secrecy.csv", index=False, encoding="utf-8-sig")


def streets(rng: np.random.Generator) -> list[shapely.LineString]:
    """Straight streets of 2 to 6 km, half of them from north to south."""
    lines = []
    for number in range(STREETS):
        x, y = WEST + rng.uniform(0, SIDE_M - 6000), SOUTH + rng.uniform(0, SIDE_M - 6000)
        length = rng.uniform(2000, 6000)
        end = (x + length, y) if number % 2 else (x, y + length)
        lines.append(shapely.LineString([(x, y), end]))
    return lines


def write_buildings(folder: Path, rng: np.random.Generator, count: int) -> None:
    """Houses on a jittered lattice that is denser than the streets' blocks."""
    side = int(np.ceil(np.sqrt(count)))
    step = SIDE_M / side
    i, j = np.divmod(np.arange(count), side)
    x = WEST + (i + 0.5) * step + rng.uniform(-0.2, 0.2, count) * step
    y = SOUTH + (j + 0.5) * step + rng.uniform(-0.2, 0.2, count) * step
    width, depth = rng.uniform(6, 25, (2, count))
    uses = np.array(["住宅", "商业", "办公", "厂房", "学校"], dtype=object)
    _save(folder, "buildings", {
        "建筑编号": [f"B{n:07d}" for n in range(count)], "用途": uses[rng.integers(0, 5, count)],
        "层数": rng.integers(1, 30, count),
        "高度": np.where(rng.random(count) < 0.7, rng.uniform(3.0, 90.0, count).round(1), np.nan)},
        shapely.box(x - width, y - depth, x + width, y + depth))


def write_candidates(folder: Path, rng: np.random.Generator, poles: int, facilities: int, sectors: int) -> None:
    """Poles every 35 m along the streets (CSV, GBK), facilities and stations at random (CSV)."""
    lines = streets(np.random.default_rng(1))
    along = [(n, d) for n, line in enumerate(lines) for d in np.arange(0, line.length, POLE_STEP_M)]
    picked = np.sort(rng.choice(len(along), poles, replace=len(along) < poles))
    road = np.array([along[k][0] for k in picked])
    points = shapely.line_interpolate_point(np.array(lines)[road], np.array([along[k][1] for k in picked]))
    aside = rng.uniform(-6, 6, (2, poles))
    lon, lat = _degrees(shapely.get_x(points) + aside[0], shapely.get_y(points) + aside[1])
    leased = rng.random(poles) < 0.1
    pd.DataFrame({
        "杆号": [f"LD{n:06d}" for n in range(poles)], "经度": lon, "纬度": lat, "杆高": rng.choice([5, 6, 8, 10, 12], poles),
        "所在道路": [f"道路{n}" for n in road], "权属单位": "甲县路灯管理所",
        "租用单位": np.where(leased, "某通信服务公司", ""), "租用日期": np.where(leased, "2024-05-01", ""),
        "安装日期": np.where(leased & (rng.random(poles) < 0.5), "2024-08-01", ""), "是否通电": rng.choice(["是", "否"], poles),
        "杆类型": rng.choice(["路灯杆", "信号灯杆", "监控杆"], poles, p=[0.8, 0.1, 0.1]),
        "允许荷载": rng.choice([30.0, 80.0, np.nan], poles), "已挂载重量": rng.choice([0.0, 20.0, np.nan], poles),
    }).to_csv(folder / "poles.csv", index=False, encoding="gbk")
    names, shares = zip(*CLASSES, strict=True)
    kind = rng.choice(names, facilities, p=np.array(shares) / sum(shares))
    lon, lat = _degrees(WEST + rng.uniform(0, SIDE_M, facilities), SOUTH + rng.uniform(0, SIDE_M, facilities))
    pd.DataFrame({
        "设施编号": [f"F{n:05d}" for n in range(facilities)], "名称": [f"{k}{n}" for n, k in enumerate(kind)], "设施类型": kind,
        "地址": [f"第{n % 25}镇道路{n % STREETS}{n}号" for n in range(facilities)], "经度": lon, "纬度": lat,
        "权属单位": [f"单位{n % 3000}" if n % 20 else "" for n in range(facilities)], "主管部门": "",
        "层数": rng.integers(1, 20, facilities),
        "楼顶高度": np.where(rng.random(facilities) < 0.5, rng.uniform(4, 60, facilities).round(1), np.nan),
    }).to_csv(folder / "facilities.csv", index=False, encoding="utf-8-sig")
    masts = sectors // 3
    lon, lat = (np.repeat(part, 3) for part in _degrees(WEST + rng.uniform(0, SIDE_M, masts),
                                                        SOUTH + rng.uniform(0, SIDE_M, masts)))
    who = np.repeat(rng.choice(["移动", "电信、联通"], masts), 3)
    pd.DataFrame({
        "小区编号": [f"S{n // 3}-{n % 3}" for n in range(3 * masts)], "站址编号": [f"S{n // 3}" for n in range(3 * masts)],
        "基站名称": [f"站{n // 3}" for n in range(3 * masts)], "服务运营商": who, "制式": np.repeat(rng.choice(
            ["5G", "4G"], masts, p=[0.7, 0.3]), 3), "中心频率(MHz)": np.where(who == "移动", 2565.0, 3450.0),
        "经度": lon, "纬度": lat,
        "挂高(m)": 30.0, "方位角": np.tile([0, 120, 240], masts), "机械下倾角": 3, "电子下倾角": 3, "发射功率(W)": 200, "站型": "宏站",
        "权属单位": "铁塔公司"}).to_csv(folder / "stations.csv", index=False, encoding="utf-8-sig")


def write_city(folder: Path, *, poles: int, facilities: int, buildings: int, sectors: int,
               seed: int = 20261123) -> None:
    """All files of `SOURCES`."""
    rng = np.random.default_rng(seed)
    write_places(folder, rng)
    write_buildings(folder, rng, buildings)
    write_candidates(folder, rng, poles, facilities, sectors)
