"""What a probability of coverage depends on, kept together so that others can recompute single pairs."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment
from siteplan.coverage._sectors import complete_sectors
from siteplan.params import CoverageParams
from siteplan.surface import Surface


@dataclass(frozen=True, eq=False)
class SpotFacts:
    """Everything that :func:`reach_probability` used.

    Attributes
    ----------
    surface : Surface
    sectors : DataFrame
        Sectors of every candidate, complete, with ``site_id``.
    params : CoverageParams
    equipment : Equipment
    calibration : Calibration or None
    served_probability : float
        Least probability of a pair that counts as served.
    """

    surface: Surface
    sectors: pd.DataFrame
    params: CoverageParams
    equipment: Equipment
    calibration: Calibration | None
    served_probability: float


def gather_spot_facts(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, equipment: Equipment,
                      calibration: Calibration | None, served_probability: float) -> SpotFacts:
    """Facts of a reach; the arguments are those of :func:`reach_probability`.

    Returns
    -------
    SpotFacts
        With every column of the sectors filled.
    """
    return SpotFacts(surface, complete_sectors(sectors, equipment), params, equipment, calibration,
                     served_probability)
