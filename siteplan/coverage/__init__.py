"""Coverage: predicted signal of sectors on the study grid, and what new sites would reach."""

from siteplan.coverage._equipment import Antenna, Band, Equipment, SiteType, load_equipment
from siteplan.coverage._nouns import Coverage, Network, merge_coverage
from siteplan.coverage._predict import predict_coverage
from siteplan.coverage._reach import Reach, reach_probability
from siteplan.coverage._sectors import (
    SECTOR_COLUMNS,
    below_roof,
    on_grid,
    planned_tilt_deg,
    sectors_of_sites,
    sectors_of_stations,
)
from siteplan.coverage._visible import visible

__all__ = [
    "SECTOR_COLUMNS", "Antenna", "Band", "Coverage", "Equipment", "Network", "Reach", "SiteType", "below_roof",
    "load_equipment", "merge_coverage", "on_grid", "planned_tilt_deg", "predict_coverage", "reach_probability",
    "sectors_of_sites", "sectors_of_stations", "visible",
]
