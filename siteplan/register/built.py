"""What is built: sites on air as rows of the layer stations, so that the next plan counts on them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.candidates.traits.base_stations import sharing_groups
from siteplan.coverage import Equipment, load_equipment, sectors_of_sites
from siteplan.coverage._azimuths import OMNI
from siteplan.coverage._equipment import Band
from siteplan.input_ledger import InputLedger
from siteplan.schema import normalise_word
from siteplan.tables import read_table

LAYER = "stations"
STATION_COLUMNS = ("source_site", "name", "operators", "technology", "freq_mhz", "bandwidth_mhz", "scs_khz",
                   "antenna_height_m", "azimuth_deg", "tilt_mechanical_deg", "tilt_electrical_deg", "epre_dbm",
                   "feeder_db", "antenna", "kind", "status", "owner", "built_on", "site_id", "band_given")
"""Columns of :func:`built_stations`: fields of the layer, ``site_id`` (id in the register) and ``band_given`` (whether
the register names the band)."""
_EVERY, _SHARED = "*", "&"
_OF_SECTORS = ("freq_mhz", "bandwidth_mhz", "scs_khz", "antenna_height_m", "azimuth_deg", "tilt_mechanical_deg",
               "tilt_electrical_deg", "epre_dbm", "feeder_db", "antenna", "kind")
_SAME_NAME_TIMES = 10.0
"""Sites of one name are one site so many times farther apart than others; an editable default, unverified."""
_SPLIT = re.compile(r"[|/、,，;；\s]+")


def built_stations(sites: gpd.GeoDataFrame, as_of: dt.date | None = None, equipment: Equipment | None = None, *,
                   serves: Sequence[str] = (), shared: Iterable[str] = (), ledger: InputLedger | None = None,
                   file: str = "") -> gpd.GeoDataFrame:
    """Sectors of the sites that are on air, by what the equipment table gives a new site of their kind.

    Parameters
    ----------
    sites : GeoDataFrame
        Table ``sites`` of the register.
    as_of : date, optional
        Sites that went on air after that day do not count.
    equipment : Equipment, optional
        What a site of each kind carries; the package's table when absent.
    serves : sequence of str
        Networks of a site that names none, or ``*``.
    shared : iterable of str
        Radio networks there are; operators that share one, joined by ``&``, share it at these sites too.
    ledger : InputLedger, optional
        Takes a line for each site that cannot be placed, or of which something had to be assumed.
    file : str
        What the ledger calls the register.

    Returns
    -------
    GeoDataFrame
        Index ``sector_id`` (``ZZ000001-移动-1``), columns :data:`STATION_COLUMNS`, one row for each network, band and
        azimuth, in the CRS of the register; indoor sites have one row for each network, without power: reading assumes
        it. Of several bands a network takes those that its operators hold, all where they hold none of them.

    Examples
    --------
    >>> site = {"name": "甲", "state": "on_air", "on_air_on": pd.Timestamp("2026-05-01"), "kind": "micro",
    ...         "networks": "移动|电信", "bands": None, "azimuths": None, "antenna_height_m": 8.0, "owner": None}
    >>> sites = gpd.GeoDataFrame([site], geometry=gpd.points_from_xy([5.0], [5.0]), crs=4547, index=["ZZ000001"])
    >>> rows = built_stations(sites, dt.date(2026, 6, 30))
    >>> rows["freq_mhz"].to_dict(), rows["azimuth_deg"].isna().tolist()
    ({'ZZ000001-电信-1': 3500.0, 'ZZ000001-移动-1': 3500.0}, [True, True])
    """
    table, told = equipment or load_equipment(), InputLedger() if ledger is None else ledger
    there = sites["state"] == "on_air"
    if as_of is not None:
        there &= ~(sites["on_air_on"] > pd.Timestamp(as_of))
    here = _placed(sites[there.to_numpy(dtype=bool)], told, file)
    carriers = _carriers(here, table, serves, sharing_groups(shared), told, file)
    parts = [_sectors(rows, str(kind), str(band), table)
             for (kind, band), rows in carriers.groupby(["kind", "band"], sort=True)]
    if not parts:
        return gpd.GeoDataFrame({name: [] for name in STATION_COLUMNS}, geometry=[], crs=sites.crs,
                                index=pd.Index([], dtype="str", name="sector_id"))
    out = pd.concat(parts).sort_index(kind="stable")
    own = here.loc[out["site_id"]]
    columns = {"source_site": out["site_id"], "status": "in_service", "name": own["name"].to_numpy(object),
               "owner": own["owner"].to_numpy(object), "built_on": own["on_air_on"].to_numpy()}
    return gpd.GeoDataFrame(out.assign(**columns)[list(STATION_COLUMNS)], geometry=own.geometry.to_numpy(),
                            crs=sites.crs, index=pd.Index(out.index.astype("str"), name="sector_id"))


def _placed(sites: gpd.GeoDataFrame, ledger: InputLedger, file: str) -> gpd.GeoDataFrame:
    """Sites with a place; the others are told and left out."""
    lost = shapely.is_missing(sites.geometry.to_numpy())
    for row_id, name in sites.loc[lost, "name"].items():
        ledger.add(LAYER, file, row_id, "geometry", name, "refused", "储备库的已开通站址没有位置，不计入现有基站", "在储备库补填位置")
    return sites[~lost]


def _carriers(sites: gpd.GeoDataFrame, equipment: Equipment, serves: Sequence[str], groups: dict[str, str],
              ledger: InputLedger, file: str) -> gpd.GeoDataFrame:
    """One row for each site, network and band: index = id of the carrier."""
    rows, points = list[dict[str, Any]](), list[Any]()
    for row_id, site, point in zip(sites.index, sites.to_dict("records"), sites.geometry, strict=True):
        kind = site["kind"] if isinstance(site["kind"], str) else "macro"
        if kind != site["kind"]:
            ledger.add(LAYER, file, row_id, "kind", "", "assumed", "储备库没有登记站址类型，按宏站", "在储备库补填站址类型")
        azimuths, note = azimuth_words(_text(site["azimuths"]))
        if note:
            ledger.add(LAYER, file, row_id, "azimuths", site["azimuths"], "assumed", note, "写 0|120|240 或 omni")
        given = [word for word in _SPLIT.split(_text(site["bands"])) if word]
        known = [word for word in (band_named(text, equipment) for text in given) if word]
        if len(known) < len(given):
            ledger.add(LAYER, file, row_id, "bands", site["bands"], "assumed", "频段不在设备表中，按新站设备", "写设备表的频段名，如 n41")
        usual = equipment.site_types[kind if kind in equipment.site_types else "macro"].band
        for network in networks_of(_text(site["networks"]), serves, groups):
            for band in _held(network, known) or [usual]:
                name = f"{row_id}-{network}" if len(known) < 2 else f"{row_id}-{network}-{band}"
                rows.append({"carrier": name, "site_id": row_id, "kind": kind, "band": band, "networks": network,
                             "azimuths": azimuths, "antenna_height_m": site["antenna_height_m"],
                             "band_given": bool(known)})
                points.append(point)
    columns = ["carrier", "site_id", "kind", "band", "networks", "azimuths", "antenna_height_m", "band_given"]
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry=points, crs=sites.crs).set_index("carrier")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def azimuth_words(text: str) -> tuple[str, str]:
    """Azimuths as the equipment reads them, and what was assumed (Chinese, empty when nothing was).

    >>> azimuth_words("0/120/240"), azimuth_words("全向"), azimuth_words("东南")
    (('0|120|240', ''), ('omni', ''), ('', '方位角读不出来，按新站设备的方位角'))
    """
    if normalise_word(text) in (OMNI, "全向"):
        return OMNI, ""
    parts = [part.rstrip("°度") for part in _SPLIT.split(text) if part]
    if all(re.fullmatch(r"\d{1,3}(?:\.\d+)?", part) and float(part) <= 360.0 for part in parts):
        return "|".join(parts), ""
    return "", "方位角读不出来，按新站设备的方位角"


def band_named(text: str, equipment: Equipment) -> str:
    """The band of the equipment that a text names, by its own name or as cell tables spell it; empty where none.

    >>> band_named("N41", load_equipment()), band_named("3.5GHz", load_equipment()), band_named("?", load_equipment())
    ('n41', 'n78', '')
    """
    word = normalise_word(text).replace("ghz", "g")
    spelled = {normalise_word(name): name for name in equipment.bands}
    words = {name: entry["words"] for name, entry in read_table("band_words")["bands"].items()}
    spelled |= {normalise_word(one).replace("ghz", "g"): name for name, known in words.items() for one in known
                if name in equipment.bands}
    return spelled.get(word, "")


def networks_of(text: str, serves: Sequence[str], groups: dict[str, str]) -> list[str]:
    """Radio networks of a site: operators that share one are one network.

    >>> networks_of("移动|联通|电信", (), {"电信": "电信&联通", "联通": "电信&联通"}), networks_of("*", ("移动",), {})
    (['移动', '电信&联通'], ['移动'])
    """
    named = [part.strip().removesuffix(" 5G").strip() for part in text.split("|") if part.strip()]
    every = serves if _EVERY in named or not named else ()
    names = [*every, *(name for name in named if name != _EVERY)]
    return list(dict.fromkeys(groups.get(name, _SHARED.join(sorted(name.split(_SHARED)))) for name in names)) or [""]


def _held(network: str, bands: Sequence[str]) -> list[str]:
    """Of several bands those that an operator of the network holds, or that nobody holds alone; all where none is."""
    holders = {name: set(entry["network"].split(_SHARED)) - {""}
               for name, entry in read_table("band_words")["bands"].items()}
    mine = [band for band in bands if not holders.get(band) or holders[band] & set(network.split(_SHARED))]
    return mine or list(bands)


def _sectors(carriers: gpd.GeoDataFrame, kind: str, band: str, equipment: Equipment) -> pd.DataFrame:
    """Sectors of carriers of one kind in one band."""
    if kind not in equipment.site_types:  # indoor: the sheet of what a new site carries does not know it
        out = pd.DataFrame(dict.fromkeys(_OF_SECTORS, np.nan), index=[f"{name}-1" for name in carriers.index])
        out = out.assign(kind=kind, antenna=None, technology=equipment.bands[band].technology,
                         freq_mhz=equipment.bands[band].freq_mhz, _carrier=carriers.index)
    else:
        usual = equipment.site_types[kind]
        changed = equipment.model_copy(update={"site_types": {
            **equipment.site_types, kind: usual.model_copy(update={"band": band})}})
        out = sectors_of_sites(carriers, changed, None)
        out = out.rename(columns={"site_id": "_carrier"})
        if band != usual.band:
            out = out.assign(antenna=None)  # the antenna of another band: the usual one of this band is taken
    own = carriers.loc[out["_carrier"]]
    return out.assign(operators=own["networks"].to_numpy(object), site_id=own["site_id"].to_numpy(object),
                      band_given=own["band_given"].to_numpy(bool))[[
                          *_OF_SECTORS, "technology", "operators", "site_id", "band_given"]]


def without_doubles(built: gpd.GeoDataFrame, stations: gpd.GeoDataFrame, same_site_m: float,
                    equipment: Equipment | None = None, *, ledger: InputLedger, file: str = "") -> gpd.GeoDataFrame:
    """Built sectors that the layer of stations does not have, so that nothing counts twice.

    A built site is the same as one of the layer within ``same_site_m``, or of the same name within ten times as much.
    There the layer speaks for each operator that it has in the same technology (and band, where the register names
    one), indoors and outdoors apart: its cells were surveyed, those of the register are as planned. Networks that the
    layer lacks are added, under the number that the site has in the layer, so that it stays one site.

    Parameters
    ----------
    built : GeoDataFrame
        Of :func:`built_stations`, in the CRS of the stations.
    stations : GeoDataFrame
        Layer ``stations``.
    same_site_m : float
    equipment : Equipment, optional
        Tells which frequencies are one band.
    ledger : InputLedger
        Takes a note for each site that the layer has.
    file : str
        What the ledger calls the register.
    """
    if not len(built) or not len(stations):
        return built
    table, cells = equipment or load_equipment(), _Cells.of(stations, equipment or load_equipment())
    keep, numbers = np.ones(len(built), dtype=bool), built["source_site"].to_numpy(object, copy=True)
    places = built.groupby("site_id", sort=False).indices
    columns = [built[name].to_numpy(object) for name in ("operators", "freq_mhz", "technology", "kind", "band_given")]
    for row_id, (found, metres) in _near_sectors(built, stations, same_site_m).items():
        rows = places[row_id]
        double = np.array([cells.serve(found, _Sector(*(column[row] for column in columns)), table) for row in rows],
                          dtype=bool)
        keep[rows[double]] = False
        numbers[rows] = first = cells.sites[found[0]]
        _tell(built.iloc[rows], double, f"工参站址 {first}（相距 {metres:.0f} 米）", ledger, file)
    return built.assign(source_site=numbers)[keep]


class _Sector(NamedTuple):
    """What is asked of a built sector."""

    operators: str
    freq_mhz: float
    technology: str
    kind: str
    band_given: bool


@dataclass(frozen=True)
class _Cells:
    """Sectors of the layer: number of the site, operators, technology, band, whether indoors."""

    sites: Sequence[str]
    operators: Sequence[frozenset[str]]
    technology: Sequence[str]
    bands: Sequence[Band | None]
    indoor: Sequence[bool]

    @classmethod
    def of(cls, stations: gpd.GeoDataFrame, equipment: Equipment) -> _Cells:
        """From the layer."""
        known = {band.technology for band in equipment.bands.values()}
        pairs = list(zip(stations["freq_mhz"].astype(float), stations["technology"].astype(str), strict=True))
        bands = {pair: equipment.band_of(*pair) if pair[1] in known and pair[0] == pair[0] else None
                 for pair in set(pairs)}
        return cls(stations["source_site"].astype(str).tolist(),
                   [frozenset(text.split(_SHARED)) for text in stations["network"].astype(str)],
                   [technology for _, technology in pairs], [bands[pair] for pair in pairs],
                   (stations["kind"] == "indoor").tolist())

    def serve(self, found: Sequence[int], sector: _Sector, equipment: Equipment) -> bool:
        """Whether some serve every operator of a built sector in its technology, and band where that is known."""
        band = equipment.band_of(sector.freq_mhz, sector.technology) if sector.band_given else None
        there = [self.operators[cell] for cell in found
                 if self.technology[cell] == sector.technology and self.indoor[cell] == (sector.kind == "indoor")
                 and (band is None or self.bands[cell] == band)]
        return bool(there) and set(sector.operators.split(_SHARED)) - {""} <= frozenset().union(*there)


def _near_sectors(built: gpd.GeoDataFrame, stations: gpd.GeoDataFrame, same_site_m: float,
                  ) -> dict[str, tuple[list[int], float]]:
    """Id of a built site -> positions of the sectors of the layer that stand there, nearest first; how near, m."""
    sites = built.drop_duplicates("site_id")
    points = stations.geometry.to_numpy()
    names = np.array([normalise_word(text) if isinstance(text, str) else "" for text in stations["name"]], dtype=object)
    pairs = shapely.STRtree(points).query(sites.geometry.to_numpy(), predicate="dwithin",
                                          distance=_SAME_NAME_TIMES * same_site_m)
    metres = shapely.distance(sites.geometry.to_numpy()[pairs[0]], points[pairs[1]])
    own = np.array([normalise_word(str(text)) for text in sites["name"]], dtype=object)
    same = (metres <= same_site_m) | ((names[pairs[1]] == own[pairs[0]]) & (own[pairs[0]] != ""))
    ids = sites["site_id"].tolist()
    out: dict[str, tuple[list[int], float]] = {}
    for pair in np.lexsort((pairs[1], metres, pairs[0])):
        if same[pair]:
            out.setdefault(ids[pairs[0][pair]], ([], float(metres[pair])))[0].append(int(pairs[1][pair]))
    return out


def _tell(rows: gpd.GeoDataFrame, double: np.ndarray[Any, Any], where: str, ledger: InputLedger, file: str) -> None:
    """What became of the networks of one built site that the layer has."""
    row_id, name = rows["site_id"].iloc[0], rows["name"].iloc[0]
    for mine, said in ((double, "储备库的已开通站址与{}是同一处，该运营商按工参计，不重复计算"),
                       (~double, "储备库的已开通站址与{}是同一处，工参没有该运营商的这一频段，按储备库补入")):
        if mine.any():
            networks = "、".join(dict.fromkeys(text or "未注明" for text in rows.loc[mine, "operators"]))
            ledger.add(LAYER, file, row_id, "operators", f"{name}：{networks}", "note", said.format(where),
                       "不是同一处时改正名称或位置，或调小 register.same_site_m")
