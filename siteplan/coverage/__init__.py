"""Coverage: predicted signal of sectors on the study grid, and what new sites would reach."""

from siteplan.coverage._antennas import Antenna, AntennaPattern, SsbBeam, pattern_tables, ssb_envelope
from siteplan.coverage._assemble import crop_coverage, merge_coverage
from siteplan.coverage._calibration import (
    Calibration,
    Curve,
    Provenance,
    calibration_from_toml,
    calibration_to_toml,
    predict_samples,
    sigma_of_samples,
)
from siteplan.coverage._calibration_fit import FitSettings, fit_calibration
from siteplan.coverage._calibration_report import (
    CalibrationReport,
    ScoreSettings,
    cross_validate,
    mean_scores,
    report_text,
)
from siteplan.coverage._equipment import Band, Equipment, SiteType, equipment_of, load_equipment
from siteplan.coverage._exposure import Exposure, describe_exposure, screen_exposure, site_exposure
from siteplan.coverage._features import draw_measurements, measurement_samples
from siteplan.coverage._footprinting import footprint_parts, footprints
from siteplan.coverage._footprints import (
    Footprints,
    demand_of,
    join_footprints,
    pick_footprints,
    to_csc,
)
from siteplan.coverage._link import BudgetLine, LinkProfile, link_profile
from siteplan.coverage._models import MODEL_NAMES, models_of
from siteplan.coverage._nouns import Coverage, Layer, Network
from siteplan.coverage._path_profile import PathEdge
from siteplan.coverage._predict import predict_coverage, predict_tiles
from siteplan.coverage._reach import Reach, reach_probability
from siteplan.coverage._sectors import (
    SECTOR_COLUMNS,
    antenna_names,
    below_roof,
    complete_sectors,
    on_grid,
    planned_tilt_deg,
    sectors_of_sites,
    sectors_of_stations,
)
from siteplan.coverage._sensitive import ExposureRules, exposure_of, load_exposure
from siteplan.coverage._spectrum import Carrier, Spectrum
from siteplan.coverage._surroundings import surroundings
from siteplan.coverage._visible import visible
from siteplan.coverage._whatif import Change, Situation, prepare_situation, what_if

__all__ = [
    "MODEL_NAMES", "SECTOR_COLUMNS", "Antenna", "AntennaPattern", "Band", "BudgetLine", "Calibration",
    "CalibrationReport", "Carrier", "Change", "Coverage", "Curve", "Equipment", "Exposure", "ExposureRules",
    "FitSettings", "Footprints", "Layer", "LinkProfile", "Network", "PathEdge", "Provenance", "Reach", "ScoreSettings",
    "SiteType", "Situation", "Spectrum", "SsbBeam", "antenna_names", "below_roof", "calibration_from_toml",
    "calibration_to_toml", "complete_sectors", "crop_coverage", "cross_validate", "demand_of", "describe_exposure",
    "draw_measurements", "equipment_of", "exposure_of", "fit_calibration", "footprint_parts", "footprints",
    "join_footprints", "link_profile", "load_equipment", "load_exposure", "mean_scores", "measurement_samples",
    "merge_coverage", "models_of", "on_grid", "pattern_tables", "pick_footprints", "planned_tilt_deg",
    "predict_coverage", "predict_samples", "predict_tiles", "prepare_situation", "reach_probability", "report_text",
    "screen_exposure", "sectors_of_sites", "sectors_of_stations", "sigma_of_samples", "site_exposure", "ssb_envelope",
    "surroundings", "to_csc", "visible", "what_if",
]
