"""What the register adds to the layers of a study: decisions, stations that were built, venues that have agreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Equipment
from siteplan.crs import transform_geometry
from siteplan.input_ledger import InputLedger
from siteplan.layers import GivenTable, Layers, join_tables
from siteplan.params import StudyParams
from siteplan.study._networks import wanted_networks
from siteplan.study._register import RegisterState
from siteplan.venues import VenueCatalogue

_DONE = ("keep", "year", "move")
"""What was decided of a site that is on air by now is carried out."""


def with_register(layers: Layers, state: RegisterState | None, params: StudyParams, equipment: Equipment,
                  context_m: float, venues: VenueCatalogue) -> Layers:
    """Layers with what the register says; as they are where the study has no register.

    Parameters
    ----------
    layers : Layers
        What was read from files, without decisions.
    state : RegisterState or None
    params : StudyParams
    equipment : Equipment
        What the stations that were built carry.
    context_m : float
    venues : VenueCatalogue

    Returns
    -------
    Layers
        With a ledger of its own. The layer ``decisions`` is that of the register: what was said, and what the states of
        sites commit to. Its sites on air are stations, those apart that the layer has already. Facilities are open as
        far as the register says so.
    """
    if state is None:
        return layers
    asked, ledger = params.register, InputLedger(layers.ledger)
    day = "登记的最新状态" if state.as_of is None else f"{state.as_of.isoformat()} 的状态"
    ledger.add("study", state.shown, "", "register", state.last_event, "note",
               f"决定、拒绝、收费和已建站址取自储备库，按{day}（最后一条变更 {state.last_event}）", "无需处理")
    layers = replace(layers, ledger=ledger)
    given = [_decisions(state, asked.use_built, asked.use_commitments, ledger)]
    if asked.use_built:
        given.append(_built(layers, state, params, equipment, ledger))
    return _with_agreements(join_tables(layers, given, context_m, venues), state)


def _decisions(state: RegisterState, use_built: bool, use_commitments: bool, ledger: InputLedger) -> GivenTable:
    """The layer ``decisions``."""
    from siteplan.register.commitments import commitments
    from siteplan.register.opinions import bare_id

    rows = state.opinions
    if use_built:
        there = state.sites.loc[(state.sites["state"] == "on_air").to_numpy(dtype=bool), "study_id"].dropna()
        ids = {*there, *map(bare_id, there)}
        done = (rows["action"].isin(_DONE) & rows["id"].isin(ids)).to_numpy(dtype=bool)
        for number, row in rows[done].iterrows():
            ledger.add("decisions", state.shown, number, "id", row["id"], "note", "该站址已开通，决定已经落实，不再用于选址", "无需处理")
        rows = rows[~done]
    if use_commitments:
        rows = pd.concat([rows, commitments(state.sites, state.as_of)])
    frame = rows.drop(columns=["source_file", "source_row"]).assign(date=_days(rows["date"]))
    return GivenTable("decisions", state.shown, frame.reset_index(), [str(number) for number in rows.index])


def _days(days: pd.Series) -> pd.Series:
    """Days as a file writes them."""
    return pd.to_datetime(days).dt.strftime("%Y-%m-%d").astype("object")


def _built(layers: Layers, state: RegisterState, params: StudyParams, equipment: Equipment, ledger: InputLedger,
           ) -> GivenTable:
    """Sectors of the sites on air that the layer of stations does not have."""
    from siteplan.register.built import built_stations, without_doubles

    stations = layers.table("stations")
    five = stations if params.study.stand_in_5g else stations[(stations["technology"] == "5G").to_numpy(dtype=bool)]
    shared = sorted(five["network"].dropna().astype(str).unique())
    serves = wanted_networks(params.candidates.serves, _names(shared))
    built = built_stations(state.sites, state.as_of, equipment, serves=serves, shared=shared, ledger=ledger,
                           file=state.shown)
    points = transform_geometry(built.geometry.to_numpy(), state.crs, layers.crs)
    built = gpd.GeoDataFrame(built.drop(columns="geometry"), geometry=points, crs=layers.crs)
    own = without_doubles(built, stations, params.register.same_site_m, equipment, ledger=ledger, file=state.shown)
    if len(built):
        places = own["site_id"].nunique()
        ledger.add("stations", state.shown, "", "", f"{built['site_id'].nunique()} 处", "assumed",
                   f"储备库已开通站址 {built['site_id'].nunique()} 处，其中 {places} 处 {len(own)} 个小区补入现有基站；"
                   "没有登记的频段、天线、功率、下倾角按新站设备", "工参表更新后以工参为准")
    frame = pd.DataFrame(own.drop(columns=["geometry", "site_id", "band_given"]))
    frame = frame.assign(built_on=_days(own["built_on"]))
    return GivenTable("stations", state.shown, frame.reset_index(), [str(name) for name in own.index],
                      own.geometry.to_numpy(), layers.crs)


def _names(networks: Sequence[str]) -> list[str]:
    """Operators of networks, sorted."""
    return sorted({name for text in networks for name in text.split("&")})


def _with_agreements(layers: Layers, state: RegisterState) -> Layers:
    """Facilities that are open as far as the register says so; each that the layer says otherwise of is told."""
    from siteplan.register.opinions import bare_id

    facilities, venues = layers.table("facilities"), state.venues
    agreed = venues["agreed_on"].notna() | venues["opened"].notna()
    if state.as_of is not None:
        agreed &= ~(venues["agreed_on"] > pd.Timestamp(state.as_of))
    venues = venues[agreed.to_numpy(dtype=bool)]
    keys = [bare_id(text) if isinstance(text, str) else "" for text in venues["study_id"]]
    there = np.isin(np.array(keys, dtype=object), facilities.index.to_numpy(dtype=object))
    if not there.all():
        layers.ledger.add("facilities", state.shown, "", "", f"{int((~there).sum())} 处", "note",
                          "储备库有协议的场所不在公共设施图层，没有用上", "核对场所编号，或在研究范围之外")
    table = facilities.copy()
    for key, opened, day, row_id in zip(keys, venues["opened"], venues["agreed_on"], venues.index, strict=True):
        if key not in table.index:
            continue
        for column, value in (("opens", opened), ("agreed_on", day)):
            old = table.at[key, column]
            if pd.isna(value) or (not pd.isna(old) and old == value):
                continue
            table.loc[key, column] = value
            layers.ledger.add("facilities", state.shown, row_id, column, _said(old), "repaired",
                              f"设施 {key} 按储备库的登记改为 {_said(value)}", "两处不一致时改正公共设施图层")
    return replace(layers, tables=MappingProxyType({**layers.tables, "facilities": table})) if len(table) else layers


def _said(value: object) -> str:
    return "" if pd.isna(value) else value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)
