"""Existing stations, the synthetic drive test, complaint points.

The signal model here is only a plain log-distance law with a hill check: it makes believable samples
and shares no code with the planning program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from .city import City
from .frame import Array, gcj02, lonlat, points_along, stage_rng
from .people import people_grid
from .terrain import INDUSTRY, TOWN_SITES

BANDS = {"n41": (2565.0, "5G", 17.9, 17.0), "n78": (3450.0, "5G", 17.9, 17.0), "n28": (773.0, "5G", 19.2, 14.0),
         "B3": (1840.0, "4G", 15.2, 16.0), "B8": (947.5, "4G", 17.0, 14.0)}
# areas of the two seats that no operator has reached yet: centre and radius, metres
URBAN_GAPS = ((8080.0, 3300.0, 800.0), (3800.0, 6420.0, 740.0), (6950.0, 5950.0, 600.0), (3700.0, 3350.0, 640.0),
              (8700.0, 4950.0, 680.0))
# rural masts: near which village, networks
RURAL = (("上洞村", "移动/B8"), ("沙洲村", "移动、广电/n28"), ("竹坑村", "移动/n41"), ("冲口村", "移动、广电/n28"), ("长坑村", "移动/n41"),
         ("塘尾村", "电信、联通/n78"), ("渡头村", "移动/n41"), ("梅坑村", "联通/B8"), ("麻园村", "移动/n41"), ("石鼓村", "电信/B3"),
         ("桐坪村", "移动/B3"))
TOWN_NETS = {"石桥镇": ("移动/n41", "电信、联通/n78"), "云岭镇": ("移动/n41", "联通/B8"), "竹园镇": ("移动、广电/n28",),
             "松坪镇": ("移动/n41", "电信、联通/n78"), "茶亭镇": ("电信、联通/n78", "移动/B8"), "河湾镇": ("移动/n41", "电信、联通/n78")}


@dataclass(frozen=True)
class Mast:
    """One mast or roof: place, height above ground, networks as ``operators/band``, name, town, on a roof."""

    xy: tuple[float, float]
    height: float
    nets: tuple[str, ...]
    name: str
    town: str
    roof: bool


def _urban_masts(city: City, rng: np.random.Generator) -> list[Mast]:
    xy = city.points()
    good = [k for k, b in enumerate(city.buildings) if b.place in ("城关镇", "东门镇") and b.height >= 15.0
            and b.land in ("estate", "slab", "office", "commerce", "old", "government", "hospital")]
    good = [good[k] for k in rng.permutation(len(good))]
    chosen: list[int] = []
    for reach in (560.0, 500.0, 440.0, 390.0):
        for k in good:
            hole = any(np.hypot(xy[k, 0] - x, xy[k, 1] - y) < r for x, y, r in URBAN_GAPS)
            if len(chosen) < 47 and not hole and all(np.hypot(*(xy[k] - xy[c])) > reach for c in chosen):
                chosen.append(k)
    masts = []
    for n, k in enumerate(chosen):
        b = city.buildings[k]
        if n % 6 == 5:
            nets: tuple[str, ...] = (("移动/B3", "联通/B8", "电信/B3")[n // 6 % 3],)
        elif n % 7 == 2:
            nets = ("移动/n41", "电信、联通/n78")
        else:
            nets = ("移动/n41",) if n % 2 else ("电信、联通/n78",)
        roads = min(city.roads, key=lambda road: road.line.distance(shapely.Point(xy[k])))
        masts.append(Mast((xy[k, 0], xy[k, 1]), float(np.clip(round(b.height + 3.0), 18, 45)), nets,
                          f"{b.place}{roads.name}{n + 1:02d}", b.place, True))
    return masts


def _town_masts(rng: np.random.Generator) -> list[Mast]:
    masts = []
    for town, nets in TOWN_NETS.items():
        x, y, angle = TOWN_SITES[town]
        for n, net in enumerate(nets):
            turn = np.deg2rad(angle) + np.pi * n
            xy = (x + 190.0 * np.cos(turn), y + 190.0 * np.sin(turn))
            masts.append(Mast(xy, float(rng.integers(24, 31)), (net,), f"{town}镇区{n + 1}", town, False))
    c = INDUSTRY.centroid
    for n, (dx, dy, net) in enumerate(((-450.0, 180.0, "移动/n41"), (-150.0, -260.0, "电信、联通/n78"))):
        masts.append(Mast((c.x + dx, c.y + dy), 32.0, (net,), f"产业园{n + 1}", "河湾镇", False))
    return masts


def build_masts(city: City) -> list[Mast]:
    """About 70 masts: dense in the seats, thin in the valleys, with honest gaps."""
    rng = stage_rng(20)
    masts = _urban_masts(city, rng) + _town_masts(rng)
    seats = {v.name: v for v in city.villages}
    for name, net in RURAL:
        village = seats[name]
        spots = np.asarray(village.seat) + rng.uniform(-330.0, 330.0, (40, 2))
        spots = spots[np.hypot(*(spots - village.seat).T) > 150.0]
        best = spots[int(np.argsort(city.ground.at(spots), kind="stable")[len(spots) // 2])]
        masts.append(Mast((float(best[0]), float(best[1])), float(rng.integers(28, 39)), (net,),
                          f"{village.town}{name}", village.town, False))
    return masts


def _sector_rows(number: int, mast: Mast, net: str, rng: np.random.Generator) -> list[dict[str, object]]:
    operators, band = net.split("/")
    freq, rat, _, _ = BANDS[band]
    omni = number in (61, 67)
    azimuths = [None] if omni else (list(range(0, 360, 120)) if number % 17 else [30, 210])
    turn = int(rng.integers(0, 8)) * 10
    watts = {"n41": (200, 240, 320), "n78": (200, 240), "n28": (160, 240), "B3": (80,), "B8": (80,)}[band]
    power: object = int(rng.choice(watts))
    ll = lonlat(np.array([mast.xy]))[0]
    rows: list[dict[str, object]] = []
    for k, azimuth in enumerate(azimuths):
        rows.append({"小区编号": f"XK{number:03d}-{band}-{k + 1}", "站址编号": f"XK{number:03d}", "基站名称": mast.name,
                     "服务运营商": operators, "制式": rat, "频段": band, "中心频率(MHz)": freq,
                     "经度": round(float(ll[0]), 6), "纬度": round(float(ll[1]), 6), "挂高(m)": mast.height,
                     "方位角": None if azimuth is None else (azimuth + turn + int(rng.integers(-10, 11))) % 360,
                     "机械下倾角": int(rng.integers(2, 7) if mast.roof else rng.integers(0, 4)),
                     "电子下倾角": int(rng.choice([3, 6] if mast.roof else [0, 2, 3])),
                     "发射功率(W)": power if rng.random() > 0.05 else None, "站型": "宏站",
                     "权属单位": "铁塔溪口分公司" if (number % 5 or not mast.roof) else f"{operators[:2]}溪口分公司",
                     "所属镇街": mast.town, "备注": "楼面站" if mast.roof else "落地塔"})
    return rows


def station_table(masts: list[Mast]) -> pd.DataFrame:
    """The cell parameter table: one row per sector."""
    rng = stage_rng(21)
    rows = [row for n, mast in enumerate(masts) for net in mast.nets for row in _sector_rows(n + 1, mast, net, rng)]
    return pd.DataFrame(rows).astype({"方位角": object, "发射功率(W)": object, "挂高(m)": object})


def predict(city: City, stations: pd.DataFrame, masts: list[Mast], xy: Array, bands: tuple[str, ...],
            ) -> tuple[Array, np.ndarray]:
    """Best RSRP (n,) in dBm and the row number of its sector over some bands, plain log-distance law."""
    best = np.full(len(xy), -140.0)
    server = np.full(len(xy), -1)
    ground = city.ground
    low = ground.at(xy) + 1.5
    for row, sector in enumerate(stations.itertuples(index=False)):
        band = sector[5]
        if band not in bands:
            continue
        mast = masts[int(str(sector[1])[2:]) - 1]
        freq, _, epre, gain = BANDS[band]
        d = np.maximum(np.hypot(*(xy - mast.xy).T), 20.0)
        near = np.flatnonzero(d < 4500.0)
        if not len(near):
            continue
        top = float(ground.at(np.array([mast.xy]))[0]) + mast.height
        t = np.linspace(0.05, 0.95, 24)
        way = xy[near][:, None, :] * t[None, :, None] + np.asarray(mast.xy)[None, None, :] * (1 - t)[None, :, None]
        under = ground.at(way.reshape(-1, 2)).reshape(len(near), -1)
        ray = top + (low[near] - top)[:, None] * t
        block = np.clip((under - ray).max(axis=1), 0.0, 60.0) * 0.45
        bearing = np.degrees(np.arctan2(*(xy[near] - mast.xy).T))
        azimuth = sector[10]
        omni = azimuth is None or azimuth != azimuth
        off = 0.0 if omni else (bearing - float(str(azimuth)) + 180.0) % 360.0 - 180.0
        loss = 28.0 + 20.0 * np.log10(freq / 1000.0) + 35.0 * np.log10(d[near]) - 6.0
        level = epre + gain - np.minimum(12.0 * (off / 65.0) ** 2, 28.0) - loss - block
        win = level > best[near]
        best[near[win]] = level[win]
        server[near[win]] = row
    return best, server


def drive_test(city: City, stations: pd.DataFrame, masts: list[Mast]) -> pd.DataFrame:
    """About 5,000 labelled-synthetic samples along roads, two networks, correlated shadow fading."""
    rng = stage_rng(22)
    routes = [road for k, road in enumerate(city.roads)
              if road.road_class in ("主干路", "县道") or (road.road_class in ("次干路", "村道") and k % 4 == 0)]
    xy = np.vstack([points_along(road.line, 55.0, 10.0) for road in routes])[:2600]
    ll = np.round(lonlat(xy + rng.normal(0.0, 2.0, xy.shape)), 6)
    frames = []
    for name, bands in (("移动", ("n41", "n28")), ("电信、联通", ("n78",))):
        level, server = predict(city, stations, masts, xy, bands)
        shadow = np.zeros(len(xy))
        draws = rng.normal(0.0, 6.5, len(xy))
        for k in range(1, len(xy)):
            r = np.exp(-np.hypot(*(xy[k] - xy[k - 1])) / 60.0)
            shadow[k] = r * shadow[k - 1] + np.sqrt(1 - r * r) * draws[k]
        rsrp = np.round(level + shadow, 1)
        keep = (server >= 0) & (rsrp > -128.0)
        frames.append(pd.DataFrame({"经度": ll[keep, 0], "纬度": ll[keep, 1], "运营商": name, "制式": "5G",
                                    "小区编号": stations["小区编号"].to_numpy()[server[keep]], "RSRP": rsrp[keep]}))
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "采样编号", [f"M{k + 1:05d}" for k in range(len(table))])
    table["备注"] = "合成数据"
    return table


def complaint_table(city: City, stations: pd.DataFrame, masts: list[Mast]) -> pd.DataFrame:
    """150 complaints, mostly where people live and the signal is weak; GCJ-02 coordinates."""
    rng = stage_rng(23)
    xy, people, _ = people_grid(city)
    level, _ = predict(city, stations, masts, xy, ("n41", "n78", "n28"))
    weight = np.sqrt(people) * np.where(level < -104.0, 9.0, np.where(level < -97.0, 4.0, 0.35))
    pick = np.sort(rng.choice(len(xy), 150, replace=False, p=weight / weight.sum()))
    ll = np.round(gcj02(lonlat(xy[pick] + rng.uniform(-45.0, 45.0, (150, 2)))), 6)
    dates = np.sort(np.datetime64("2023-07-01") + rng.integers(0, 365, 150))
    seats = np.array([v.seat for v in city.villages])
    near = [city.villages[int(np.argmin(np.hypot(*(seats - xy[k]).T)))].name for k in pick]
    said = ("手机信号弱，通话经常中断", "5G信号时有时无，上网很慢", "家中无信号，要到路边才能打电话",
            "进村后没有网络，无法扫码", "晚上视频卡顿，信号只有一格")
    text = [f"{place}附近{said[int(k)]}" for place, k in zip(near, rng.integers(0, len(said), 150), strict=True)]
    return pd.DataFrame({"工单编号": [f"RX{str(d)[:7].replace('-', '')}{k + 1:04d}" for k, d in enumerate(dates)],
                         "受理日期": [str(d) for d in dates],
                         "来源": rng.choice(["12345热线", "市长信箱", "人民网留言"], 150, p=[0.82, 0.1, 0.08]),
                         "运营商": rng.choice(["移动", "电信", "联通", ""], 150, p=[0.5, 0.22, 0.18, 0.1]),
                         "诉求内容": text, "经度": ll[:, 0], "纬度": ll[:, 1]})
