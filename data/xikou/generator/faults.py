"""Attribute habits of the building layer, and the faults planted on purpose (listed in planted_faults.csv)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from .city import City
from .frame import CRS, stage_rng, to_grid
from .progress import indoor_words

Fault = tuple[str, str, str, str]


def building_table(city: City) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """Buildings as a bureau sends them: some heights missing, some storeys too; six planted faults."""
    rng = stage_rng(40)
    n = len(city.buildings)
    height = np.array([b.height for b in city.buildings])
    storeys = np.array([float(b.storeys) for b in city.buildings])
    height[rng.random(n) < 0.19] = np.nan
    storeys[rng.random(n) < np.where(np.isnan(height), 0.18, 0.06)] = np.nan
    polygons = to_grid(np.array([b.polygon for b in city.buildings], dtype=object))
    ids = [f"JZ{k + 1:05d}" for k in range(n)]
    faults: list[Fault] = []
    plain = [k for k, b in enumerate(city.buildings)
             if not b.name and b.land == "old" and len(b.polygon.exterior.coords) == 5]
    bow, deci, negative, tall = plain[501], plain[1502], plain[2503], plain[3504]
    ring = shapely.get_coordinates(polygons[bow])
    polygons[bow] = shapely.Polygon(ring[[0, 2, 1, 3]])
    faults.append(("buildings", ids[bow], "geometry", "自相交（蝴蝶结）多边形 bow-tie polygon"))
    height[deci] = 1650.0
    faults.append(("buildings", ids[deci], "高度", "1650：单位应为厘米 height in centimetres"))
    height[negative] = -3.0
    faults.append(("buildings", ids[negative], "高度", "-3：高度为负 negative height"))
    storeys[tall] = 260.0
    faults.append(("buildings", ids[tall], "层数", "260 层：超出合理范围 storeys out of range"))
    names = [b.name or None for b in city.buildings]
    table = gpd.GeoDataFrame({"建筑编号": ids, "名称": names, "用途": [b.use for b in city.buildings], "高度": height,
                              "层数": storeys, "权属单位": [b.owner or None for b in city.buildings],
                              "有无室分": indoor_words(city.buildings)},
                             geometry=polygons, crs=CRS)
    table["层数"] = table["层数"].astype("Int64")
    empty = table.iloc[[plain[100]]].copy()
    empty["建筑编号"] = f"JZ{n + 1:05d}"
    empty["geometry"] = None
    double = table.iloc[[plain[200]]].copy()
    faults.append(("buildings", f"JZ{n + 1:05d}", "geometry", "无几何 null geometry"))
    faults.append(("buildings", ids[plain[200]], "建筑编号", "整行重复（文件最后一行） duplicated row at the end"))
    return gpd.GeoDataFrame(pd.concat([table, empty, double], ignore_index=True), crs=CRS), faults


def in_west_county(buildings: gpd.GeoDataFrame, counties: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Which buildings stand in 溪西县; one without geometry goes with the other county's file."""
    area = counties.geometry.iloc[0]
    shapely.prepare(area)
    middle = shapely.centroid(shapely.envelope(buildings.geometry.to_numpy()))
    return shapely.contains(area, middle)


def spoil_stations(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """The cell parameter table with eight faults; every faulty sector is named."""
    out = table.copy()
    faults: list[Fault] = []

    def put(row: int, field: str, value: object, text: str) -> None:
        out.loc[row, field] = value
        faults.append(("stations", str(out.loc[row, "小区编号"]), field, text))

    put(17, "挂高(m)", "30米", "“30米”：数字带单位 number with a unit")
    put(33, "方位角", 400, "400：方位角超出 0-360 azimuth out of range")
    put(58, "挂高(m)", 0, "0：挂高为零 height zero")
    put(74, "方位角", "１２０", "“１２０”：全角数字 full-width digits")
    put(75, "挂高(m)", "２８", "“２８”：全角数字 full-width digits")
    swapped = out["小区编号"] == out.loc[101, "小区编号"]
    lon, lat = out.loc[101, "经度"], out.loc[101, "纬度"]
    out.loc[swapped, ["经度", "纬度"]] = [lat, lon]
    faults.append(("stations", str(out.loc[101, "小区编号"]), "经度/纬度", "经纬度填反 longitude and latitude swapped"))
    put(120, "发射功率(W)", "2000000", "2000000：单位应为毫瓦或误填 power out of range")
    put(140, "制式", None, "制式为空 technology missing")
    last = out.iloc[[150]].copy()
    faults.append(("stations", str(out.loc[150, "小区编号"]), "小区编号", "整行重复（表的最后一行） duplicated row at the end"))
    return pd.concat([out, last], ignore_index=True), faults


def spoil_csv_tables(poles: pd.DataFrame, facilities: pd.DataFrame, population: pd.DataFrame, tests: pd.DataFrame,
                     complaints: pd.DataFrame, points: pd.DataFrame) -> tuple[list[pd.DataFrame], list[Fault]]:
    """Copies of the CSV tables with their faults."""
    tables = {"poles": poles.copy(), "facilities": facilities.copy(), "population": population.copy(),
              "measurements": tests.copy(), "complaints": complaints.copy(), "village_points": points.copy()}
    keys = {"poles": "杆号", "facilities": "设施编号", "population": "格网编号", "measurements": "采样编号",
            "complaints": "工单编号", "village_points": "点位编号"}
    leased = poles.index[poles["租用日期"] != ""]
    owned = facilities.index[(facilities["设施类型"] == "写字楼")]
    hall = points.index[points["点位类型"] == "自然村"]
    plan: list[tuple[str, int, str, object, str]] = [
        ("poles", 1200, "杆高", "900", "900：单位应为厘米 height in centimetres"),
        ("poles", 2300, "杆高", "１０", "“１０”：全角数字 full-width digits"),
        ("poles", 3400, "杆高", "", "杆高为空 height missing"),
        ("poles", 4500, "杆号", poles.loc[4499, "杆号"], "杆号重复 duplicated pole number"),
        ("poles", int(leased[40]), "租用日期", "2023-02-30", "2023-02-30：日期不存在 no such date"),
        ("poles", 5600, "经度", "", "经度为空 longitude missing"),
        ("facilities", int(owned[3]), "权属单位", "", "权属单位为空 owner missing"),
        ("facilities", int(owned[7]), "名称", "", "名称为空 name missing"),
        ("facilities", int(owned[11]), "层数", "十二层", "“十二层”：汉字数字 number in characters"),
        ("population", 700, "人口", -5.0, "-5：人口为负 negative people"),
        ("measurements", 1500, "RSRP", "无信号", "“无信号”：不是数值 not a number"),
        ("measurements", 2600, "RSRP", "95.5", "95.5：缺负号 minus sign lost"),
        ("complaints", 60, "受理日期", "2024-13-05", "2024-13-05：日期不存在 no such date"),
        ("village_points", int(hall[20]), "户数", "约60户", "“约60户”：不是数值 not a number"),
    ]
    faults: list[Fault] = []
    for layer, row, field, value, text in plan:
        table = tables[layer]
        table[field] = table[field].astype(object)
        table.loc[row, field] = value
        faults.append((layer, str(table.loc[row, keys[layer]]), field, text))
    missing = points.loc[points["点位类型"] == "卫生室", "行政村代码"]
    for code in sorted(set(points["行政村代码"]) - set(missing)):
        faults.append(("village_points", str(code), "卫生室", "缺卫生室一行（资料缺失，不等于没有） clinic row missing"))
    return list(tables.values()), faults
