"""What a candidate costs: once and per year, by the cost model of its venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.entries import completed
from siteplan.errors import ModelError
from siteplan.params import Settings
from siteplan.tables import read_table

Extra = Mapping[str, Mapping[str, Any]]
Floats = NDArray[np.float64]
EXISTING = "existing"
"""Sites of this status cost nothing."""


class CostModel(Settings):
    """What a site costs beside radio and civil works; see the head of ``tables/costs.toml`` for the fields."""

    zh: str = Field(min_length=1)
    fixed_yuan: float = Field(ge=0, le=1e8)
    rent_yuan_per_year: float = Field(ge=0, le=1e8)
    power_yuan_per_kwh: float = Field(ge=0, le=100)
    macro_w: float = Field(ge=0, le=1e5)
    micro_w: float = Field(ge=0, le=1e5)
    hours_per_year: float = Field(ge=0, le=8784)
    power_line_yuan_per_m: float = Field(ge=0, le=1e5)
    fibre_yuan_per_m: float = Field(ge=0, le=1e5)
    included_m: float = Field(ge=0, le=1e5)
    most_m: float = Field(ge=0, le=1e6)
    civil_mount: str | None = Field(None, min_length=1)
    source: str = Field(min_length=1)


def cost_model_named(name: str, extra: Extra) -> CostModel:
    """One cost model of the package's table with what a study changes or adds.

    Parameters
    ----------
    name : str
    extra : mapping
        ``CandidateParams.costs``: entries by id, ``like`` = another one. What an entry does not say is that of
        ``[usual]``.

    Raises
    ------
    ModelError
        There is no such cost model, or its ``like`` leads nowhere.

    Examples
    --------
    >>> mine = {"village_hall": {"like": "free_public", "zh": "村委会", "fixed_yuan": 1000}}
    >>> model = cost_model_named("village_hall", mine)
    >>> model.fixed_yuan, model.rent_yuan_per_year, model.included_m
    (1000.0, 0.0, 100.0)
    """
    data = read_table("costs")
    return CostModel(**{"source": "研究文件", **data["usual"], **completed(name, data["costs"], extra)})


def cost_models_of(extra: Extra) -> dict[str, CostModel]:
    """Every cost model by id, those of the package first.

    Raises
    ------
    ModelError
        A ``like`` leads nowhere.

    Examples
    --------
    >>> list(cost_models_of({}))[:3]
    ['free_public', 'public_pole', 'public_other']
    """
    return {name: cost_model_named(name, extra) for name in dict.fromkeys([*read_table("costs")["costs"], *extra])}


def line_yuan(distance_m: Floats, yuan_per_m: Floats, included_m: Floats, most_m: Floats) -> Floats:
    """What a line to the nearest feature costs, yuan.

    Parameters
    ----------
    distance_m : ndarray of float64
        Distance, m; NaN = not known, which costs nothing.
    yuan_per_m, included_m, most_m : ndarray of float64
        Price of a metre, metres that cost nothing, metres beyond which the price stays.

    Returns
    -------
    ndarray of float64
        ``yuan_per_m * (min(distance, most) - included)``, at least 0; never NaN.

    Examples
    --------
    >>> place = np.array([80.0, 300.0, 9000.0, np.nan])
    >>> line_yuan(place, np.full(4, 30.0), np.full(4, 100.0), np.full(4, 2000.0)).tolist()
    [0.0, 6000.0, 57000.0, 0.0]
    """
    return yuan_per_m * np.maximum(np.minimum(np.nan_to_num(distance_m, nan=0.0), most_m) - included_m, 0.0)


def with_costs(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """The sites table with ``capex_yuan``, ``yearly_yuan`` and ``cost_yuan`` filled in.

    Parameters
    ----------
    sites : GeoDataFrame
        With ``kind, status, mount, must_be_free, cost_model, power_m, fibre_m``.
    context : CandidateContext
        ``equipment`` (radio of each kind), ``params.costs`` and ``params.cost_years``.

    Returns
    -------
    GeoDataFrame
        A new table, no NaN in the three columns; existing sites cost nothing.

    Raises
    ------
    ModelError
        A candidate's cost model, mount or kind is unknown.

    Notes
    -----
    capex = radio + civil works of the mount + ``fixed_yuan`` + lines for power and fibre; yearly = rent + electricity;
    cost = capex + ``cost_years`` x yearly. A venue that must be free pays no rent whatever its cost model says: rent
    and fees are banned there. An empty mount has no civil works.
    """
    models, mounts = cost_models_of(context.params.costs), load_mounts()
    radio = {name: entry.cost_yuan for name, entry in context.equipment.site_types.items()}
    paid = (sites["status"] != EXISTING).to_numpy(bool)
    part = sites[paid]
    model = _known(part["cost_model"], models, "cost models")
    kind = _known(part["kind"], radio, "kinds of sites")
    mount = _known(part["mount"], {"": None, **mounts}, "mounts")
    own_mount = _known(model.map({name: entry.civil_mount or "" for name, entry in models.items()}),
                       {"": None, **mounts}, "mounts (civil_mount)")
    civil = own_mount.where(own_mount != "", mount).map({"": 0.0} | {n: entry.cost_yuan for n, entry in mounts.items()})
    number = pd.Index(models).get_indexer(model)

    def of_model(field: str) -> Floats:
        return np.array([getattr(entry, field) for entry in models.values()], np.float64)[number]

    once = kind.map(radio).to_numpy(np.float64) + civil.to_numpy(np.float64) + of_model("fixed_yuan")
    for distance, price in (("power_m", "power_line_yuan_per_m"), ("fibre_m", "fibre_yuan_per_m")):
        once += line_yuan(part[distance].to_numpy(np.float64), of_model(price), of_model("included_m"),
                          of_model("most_m"))
    draw_w = np.where((kind == "micro").to_numpy(bool), of_model("micro_w"), of_model("macro_w"))
    energy = draw_w / 1000.0 * of_model("hours_per_year") * of_model("power_yuan_per_kwh")
    yearly = energy + np.where(part["must_be_free"].to_numpy(bool), 0.0, of_model("rent_yuan_per_year"))
    amounts = {"capex_yuan": once, "yearly_yuan": yearly, "cost_yuan": once + context.params.cost_years * yearly}
    return sites.assign(**{name: _spread(np.round(values, 0), paid) for name, values in amounts.items()})


def _known(column: pd.Series, known: Mapping[str, object], noun: str) -> pd.Series:
    """The column, when every value of it is known."""
    unknown = sorted(set(column.astype(str)) - set(known))
    if unknown:
        ids = column.index[column.astype(str).isin(unknown).to_numpy()]
        raise ModelError(f"unknown {noun}: {', '.join(map(repr, unknown))} of {_some(list(ids))}; "
                         f"known: {', '.join(name for name in known if name)}")
    return column.astype(str)


def _some(ids: Sequence[object]) -> str:
    return ", ".join(map(str, ids[:5])) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _spread(values: Floats, where: NDArray[np.bool_]) -> Floats:
    out = np.zeros(len(where))
    out[where] = values
    return out
