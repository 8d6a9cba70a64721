"""Radio physics: path loss, sight, diffraction, clutter, penetration, antennas, link budget, exposure.

Arrays in, arrays out: every function broadcasts its arguments as NumPy does and returns float64 (those on a profile
take one profile and return a float). Losses are positive dB. Outside the validity of a model the number of its formula
is returned all the same, for planning needs heights other than 25 m; :func:`validity` tells where. NaN in any argument
(a flag of sight too) gives NaN, never "no loss".
"""

from siteplan.radio._antenna import antenna_angles, column_gain_db, element_gain_dbi, pattern_loss_db
from siteplan.radio._arrays import NEAREST_M
from siteplan.radio._budget import (
    area_probability,
    coverage_probability,
    epre_dbm,
    noise_dbm,
    overlap_share,
    rsrp_dbm,
    shadow_margin_db,
    sinr_db,
    subcarrier_scale,
)
from siteplan.radio._clutter import (
    add_clutter_db,
    clutter_applies,
    environment_loss_db,
    height_gain_db,
    statistical_clutter_db,
    statistical_clutter_sigma_db,
)
from siteplan.radio._diffraction import (
    bullington_loss_db,
    bullington_nu,
    deygout_loss_db,
    edge_correction_db,
    edge_loss_db,
    edge_nu,
    fresnel_radius_m,
    knife_edge_loss_db,
    knife_edge_nu,
)
from siteplan.radio._empirical import (
    StandardModel,
    cost231_hata_db,
    okumura_hata_db,
    standard_model_db,
    standard_model_terms,
)
from siteplan.radio._exposure import compliance_distance_m, field_strength_v_m, power_density_w_m2
from siteplan.radio._penetration import (
    CAR_DB,
    CAR_METALLISED_DB,
    CAR_SIGMA_DB,
    INDOOR_SHADOW_DB,
    LEGACY_DEPTH_M,
    LEGACY_WALL_DB,
    depth_loss_db,
    indoor_sigma_db,
    material_loss_db,
    mean_depth_m,
    penetration_loss_db,
    wall_loss_db,
    wall_sigma_db,
)
from siteplan.radio._sight import (
    fading_sigma_db,
    los_probability,
    mixture_db,
    shadow_correlation,
    shadow_correlation_m,
    shadow_sigma_db,
    sight_loss_db,
    sight_sigma_db,
)
from siteplan.radio._spherical import delta_bullington_loss_db, spherical_earth_loss_db
from siteplan.radio._terrestrial import (
    MODELS,
    RMA_BUILDING_M,
    RMA_STREET_M,
    PathLoss,
    breakpoint_m,
    free_space_loss_db,
    optional_nlos_db,
    optional_nlos_sigma_db,
    path_loss_db,
    slope_distance_m,
)
from siteplan.radio._validity import MODEL_WORDS, VALIDITY_WORDS, Validity, validity, validity_words

__all__ = [
    "CAR_DB", "CAR_METALLISED_DB", "CAR_SIGMA_DB", "INDOOR_SHADOW_DB", "LEGACY_DEPTH_M", "LEGACY_WALL_DB", "MODELS",
    "MODEL_WORDS", "NEAREST_M", "RMA_BUILDING_M", "RMA_STREET_M", "VALIDITY_WORDS", "PathLoss", "StandardModel",
    "Validity", "add_clutter_db", "antenna_angles", "area_probability", "breakpoint_m", "bullington_loss_db",
    "bullington_nu", "clutter_applies", "column_gain_db", "compliance_distance_m", "cost231_hata_db",
    "coverage_probability", "delta_bullington_loss_db", "depth_loss_db", "deygout_loss_db", "edge_correction_db",
    "edge_loss_db", "edge_nu", "element_gain_dbi", "environment_loss_db", "epre_dbm", "fading_sigma_db",
    "field_strength_v_m", "free_space_loss_db", "fresnel_radius_m", "height_gain_db", "indoor_sigma_db",
    "knife_edge_loss_db", "knife_edge_nu", "los_probability", "material_loss_db", "mean_depth_m", "mixture_db",
    "noise_dbm", "okumura_hata_db", "optional_nlos_db", "optional_nlos_sigma_db", "overlap_share", "path_loss_db",
    "pattern_loss_db", "penetration_loss_db", "power_density_w_m2", "rsrp_dbm", "shadow_correlation",
    "shadow_correlation_m", "shadow_margin_db", "shadow_sigma_db", "sight_loss_db", "sight_sigma_db", "sinr_db",
    "slope_distance_m", "spherical_earth_loss_db", "standard_model_db", "standard_model_terms",
    "statistical_clutter_db", "statistical_clutter_sigma_db", "subcarrier_scale", "validity", "validity_words",
    "wall_loss_db", "wall_sigma_db",
]
