"""What every kind of candidate is made from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Equipment
from siteplan.coverage._sensitive import ExposureRules, load_exposure
from siteplan.decisions import Decisions
from siteplan.input_ledger import InputLedger
from siteplan.params import CandidateParams
from siteplan.surface import Surface
from siteplan.tables import read_table
from siteplan.venues import VenueCatalogue


@dataclass(frozen=True)
class Mount:
    """One way a site stands; see the head of ``tables/mounts.toml`` for the fields."""

    zh: str
    raise_m: float
    min_antenna_m: float
    cost_yuan: float


@cache
def load_mounts() -> Mapping[str, Mount]:
    """Mounts by id.

    >>> load_mounts()["roof_pole"].zh
    '楼面抱杆'
    """
    return {name: Mount(**entry) for name, entry in read_table("mounts")["mounts"].items()}


@dataclass(frozen=True)
class CandidateContext:
    """Tables, grid and catalogues for proposing candidates.

    Attributes
    ----------
    tables : mapping of str to GeoDataFrame
        ``facilities, poles, buildings, stations, restricted, water, towns, counties, units, parcels, power, fibre,
        works, planned_buildings, demands, secrecy, roads, zones`` are used; every layer is there, absent ones empty.
    boundary : GeoDataFrame
    surface : Surface
    gap : ndarray of bool, shape (rows, cols)
        Pixels that are not covered today.
    venues : VenueCatalogue
        Classes, tiers, departments.
    equipment : Equipment
        What a new macro or micro site carries and costs.
    params : CandidateParams
    ledger : InputLedger
        Takes a line for what is assumed or noted of candidates.
    as_of : date, optional
        Day on which leases and works are judged; not judged by the clock.
    exposure : ExposureRules
        What the screening near schools and hospitals goes by.
    decisions : Decisions
        What owners and meetings said: a refused or banned site is no candidate.
    """

    tables: Mapping[str, gpd.GeoDataFrame]
    boundary: gpd.GeoDataFrame
    surface: Surface
    gap: np.ndarray
    venues: VenueCatalogue
    equipment: Equipment
    params: CandidateParams
    ledger: InputLedger = field(default_factory=InputLedger)
    as_of: dt.date | None = None
    exposure: ExposureRules = field(default_factory=load_exposure)
    decisions: Decisions = field(default_factory=Decisions)

    def roof_mounts(self, roof_m: pd.Series) -> pd.DataFrame:
        """Mount and antenna height of a macro site on roofs: a pole where the roof is high enough, else a tower.

        ``roof_m`` NaN means no usable roof: a ground tower on the land of the venue.
        """
        mounts = load_mounts()
        pole = roof_m + mounts["roof_pole"].raise_m >= mounts["roof_pole"].min_antenna_m
        name = np.where(roof_m.isna(), "ground_tower", np.where(pole, "roof_pole", "roof_tower"))
        base = roof_m.fillna(0.0)
        raised = base + pd.Series(name, index=roof_m.index).map({key: entry.raise_m for key, entry in mounts.items()})
        least = pd.Series(name, index=roof_m.index).map({key: entry.min_antenna_m for key, entry in mounts.items()})
        return pd.DataFrame({"mount": name, "antenna_height_m": np.maximum(raised, least)}, index=roof_m.index)

    def class_columns(self, classes: pd.Series) -> pd.DataFrame:
        """Columns that follow from the venue class: tier, duties, cost model, mount, roof height, department.

        A sites table takes those that it has; ``class_mount, class_roof_m, class_department`` are for the kinds.
        """
        known = {name: self.venues.classes[name] for name in sorted(set(classes))}
        tiers = {name: self.venues.tiers[entry.tier] for name, entry in known.items()}
        return pd.DataFrame({
            "venue_class": classes, "tier": classes.map({n: e.tier for n, e in known.items()}),
            "tier_name": classes.map({n: t.zh for n, t in tiers.items()}),
            "preference": classes.map({n: t.preference for n, t in tiers.items()}),
            "class_name": classes.map({n: e.zh for n, e in known.items()}),
            "must_open": classes.map({n: e.must_open for n, e in known.items()}),
            "must_be_free": classes.map({n: e.must_be_free for n, e in known.items()}),
            "cost_model": classes.map({n: e.cost_model for n, e in known.items()}),
            "class_mount": classes.map({n: e.mount for n, e in known.items()}),
            "class_roof_m": classes.map({n: e.default_roof_height_m for n, e in known.items()}).astype("float64"),
            "class_department": classes.map(
                {name: self.venues.department_name(name) for name in known}),
        }, index=classes.index)
