"""Settings of a study as frozen models: unknown keys are errors, every field has a unit and bounds."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from siteplan.params._base import Settings as Settings
from siteplan.params._deliver import DeliverParams as DeliverParams
from siteplan.params._deliver import MapParams as MapParams
from siteplan.params._deliver import TitleParams as TitleParams
from siteplan.params._register import RegisterParams as RegisterParams

LAYER_NAMES = (
    "boundary", "buildings", "heights", "ground", "clutter", "poles", "facilities", "villages", "village_points",
    "zones", "zone_points", "stations", "population", "towns", "counties", "roads", "rail", "water", "complaints",
    "measurements", "works", "planned_buildings", "units", "parcels", "restricted", "power", "fibre", "demands",
    "decisions", "secrecy",
)
REQUIRED_PAIRS = (("ground", "heights"), ("villages", "zones"))
"""One layer of each pair must be there."""
RASTER_LAYERS = ("heights", "ground", "clutter")
"""Layers that are rasters; ``population`` may be points, polygons or a raster."""


MacroModel = Literal["uma", "rma", "cost231", "p2108", "free_space"]
"""Path-loss models of macro sectors, names of ``radio.MODELS``."""
SectorModel = Literal[MacroModel, "umi"]
"""Path-loss models of any sector that radiates outdoors."""


class LayerSource(Settings):
    """Where one layer comes from (one ``[layers.NAME]`` table)."""

    path: str | list[str] = Field(min_length=1, description="file, or list of files, relative to the study file")
    crs: str | None = Field(None, description="CRS of the file where it has none or a wrong one, e.g. 'EPSG:4547'")
    datum: Literal["wgs84", "cgcs2000", "gcj02", "bd09"] | None = Field(None, description="datum of lon/lat values")
    encoding: str | None = Field(None, description="text encoding, e.g. 'GBK'; detected when absent")
    towgs84: list[float] | None = Field(
        None, min_length=3, max_length=7,
        description="3 or 7 parameters from the file's datum to WGS 84: dX, dY, dZ (m), rX, rY, rZ (arc seconds, "
                    "position vector), scale (ppm); needed for Beijing 1954 and Xian 1980")
    shift_m: list[float] | None = Field(
        None, min_length=2, max_length=2,
        description="east and north, m, by which the layer is moved: the planner's word on a shift that was found")
    member: str | None = Field(None, description="file inside a .zip, e.g. 'sub/villages.shp'; * stands for any text")
    layer: str | None = Field(None, description="layer or sheet inside the file; several separated by commas")
    where: str | None = Field(None, description="attribute filter (OGR SQL WHERE clause)")
    nodata: float | None = Field(None, description="raster value that means no data, where the file does not say")
    unit: Literal["m", "ft", "dm", "cm"] = Field("m", description="unit of raster values")
    columns: dict[str, str] = Field(default_factory=dict, description="field = column name in the file")


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


LayerSources = Annotated[list[LayerSource], BeforeValidator(_as_list), Field(min_length=1)]
"""``[layers.NAME]``, or several ``[[layers.NAME]]`` where files of one layer need different settings."""


class StudyInfo(Settings):
    """The ``[study]`` table."""

    name: str = Field(min_length=1, max_length=120, description="name of the study, shown on maps and tables")
    crs: str | None = Field(None, description="projected metric CRS; CGCS2000 3-degree zone of the data when absent")
    resolution_m: float = Field(10.0, ge=1.0, le=200.0, description="pixel size of the study grid, m")
    margin_m: float = Field(500.0, ge=0, le=20000, description="the grid reaches this far beyond the boundary, m")
    as_of: dt.date | None = Field(None, description="day on which targets and filings are judged")
    synthetic: StrictBool = Field(False, description="the data are invented: every output says so")
    notices: list[str] = Field(default_factory=list, description="sentences every output carries (licence, stand-ins)")
    stand_in_5g: StrictBool = Field(False, description="4G cells stand in for 5G ones; every output says so")
    map_approval_no: str = Field("", description="审图号 shown on the map")


class CoverageParams(Settings):
    """The ``[coverage]`` table: how signal is predicted."""

    threshold_dbm: float = Field(-105.0, ge=-140, le=-40, description="SS-RSRP that counts as covered, dBm")
    receiver_height_m: float = Field(1.5, ge=0.5, le=50, description="receiver above ground, m")
    max_range_m: float = Field(5000.0, ge=100, le=20000, description="macro sectors are computed so far, m")
    micro_range_m: float = Field(600.0, ge=50, le=5000, description="micro sectors are computed to this distance, m")
    model_macro: Literal["auto", MacroModel] = Field(
        "auto", description="auto: uma where built up, else rma (both TR 38.901); cost231: COST 231-Hata; p2108: free "
                            "space, and the clutter of ITU-R P.2108 without sight; free_space")
    built_share_uma: float = Field(0.05, ge=0, le=1, description="share of built pixels within 500 m that makes uma")
    building_weight: float = Field(
        0.25, ge=0, le=1, description="trust in line of sight over buildings: 1 = LOS or NLOS as the surface says, 0 = "
                                     "their mean by the LOS probability of TR 38.901 everywhere")
    diffraction_weight: float = Field(0.0, ge=0, le=1, description="share of the roofs' knife-edge loss that is added")
    diffraction_cap_db: float = Field(30.0, ge=0, le=80, description="greatest knife-edge loss of roofs, dB")
    terrain_diffraction: Literal["bullington", "knife_edge"] = Field(
        "bullington", description="loss over the ground: Bullington (P.526) or its greatest single knife edge")
    sight: Literal["sweep", "exact"] = Field("sweep", description="radial sweep, or an exact profile to every pixel")
    pattern_depth_db: float = Field(30.0, ge=0, le=40, description="greatest attenuation of the sector pattern, dB")
    pattern_scale: float = Field(0.5, ge=0, le=1, description="antenna attenuation times this (1 = as drawn)")
    body_loss_db: float = Field(0.0, ge=0, le=20, description="loss by the user's body, dB; 0 = drive test")
    load_share: float = Field(0.5, ge=0, le=1, description="share of resource elements that interfering sectors send")
    noise_figure_db: float = Field(7.0, ge=0, le=20, description="noise figure of the receiver, dB")
    indoor: StrictBool = Field(True, description="signal inside buildings is predicted as well")
    wall: Literal["low", "high"] = Field("low", description="wall loss of TR 38.901: plain or coated glass")
    indoor_threshold_dbm: float | None = Field(
        None, ge=-140, le=-40, description="SS-RSRP inside that counts as covered, dBm; threshold_dbm when absent")
    calibration: str | None = Field(None, min_length=1, description="file of a model fitted to measurements (TOML)")
    model_sigma_db: float = Field(12.0, ge=0, le=20, description="error of the model beyond shadow fading, dB (rms)")
    raise_above_roofs: StrictBool = Field(
        True, description="macro antennas inside a building are put 3 m above its roof")
    tile_px: int = Field(1024, ge=64, le=8192, description="tile edge, pixels")


class GapParams(Settings):
    """The ``[gaps]`` table: which rule judges what."""

    village_rule: str = Field("area_share_95", description="id of the rule for villages")
    zone_rule: str = Field("area_share_95", description="id of the rule for key zones")
    zone_rules: dict[str, str] = Field(
        default_factory=dict, description="type of zones = id of their rule, where it is not zone_rule")
    line_rule: str = Field("line_share_95", description="id of the rule for roads, rail and rivers")
    compare_rules: list[str] = Field(
        default_factory=lambda: ["area_share_95", "village_miit_2025", "village_4g_2018"],
        description="villages are judged by these as well, beside village_rule, for comparison")
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="rules of the study by id: fields of tables/rules.toml, like = another rule")
    gap_probability: float = Field(0.75, gt=0.0, lt=1.0, description="a pixel below this probability is a gap")
    min_gap_area_m2: float = Field(5000.0, ge=0, description="smaller gap polygons are not listed, m2")
    cluster_cell_m: float = Field(50.0, ge=5, le=1000, description="cell on which gap pixels are clustered, m")
    cluster_distance_m: float = Field(150.0, ge=10, le=10000, description="gap cells so near form one gap area, m")
    cluster_people: float = Field(
        50.0, ge=0, le=1e6, description="least weight (people) within that distance that starts a gap area")
    people: Literal["resident", "day", "greater"] = Field(
        "resident", description="people that count as demand: by night, by day, or the greater of both")
    complaint_people: float = Field(20.0, ge=0, le=1e5, description="weight of one complaint, people")
    complaints_since: dt.date | None = Field(None, description="complaints before this day do not count")
    hot_spot_m: float = Field(200.0, ge=10, le=10000, description="complaints so near belong to one hot spot, m")
    hot_spot_count: int = Field(4, ge=2, le=1000, description="least complaints within that distance of a hot spot")
    fibre_within_m: float = Field(
        500.0, ge=0, le=20000, description="a fibre so near means that a place has fibre, where nothing is reported, m")
    fibre_complete: StrictBool = Field(False, description="the fibre layer holds all fibre: none near means no fibre")
    ranking: str = Field("coverage", description="id of the ranking of counties and towns (tables/targets.toml)")


CandidateKind = Literal["facility", "ground", "pole", "building", "station", "sharing", "planned", "works",
                        "greenfield", "demand"]
CANDIDATE_KINDS: tuple[CandidateKind, ...] = get_args(CandidateKind)
"""Where candidates come from: ``[candidates] kinds``."""


class CandidateParams(Settings):
    """The ``[candidates]`` table: where sites may be proposed."""

    kinds: list[CandidateKind] = Field(
        list(CANDIDATE_KINDS), min_length=1, description="kinds of candidates that are offered")
    pole_spacing_m: float = Field(100.0, ge=0, le=2000, description="poles are thinned to this spacing, m")
    pole_merge_m: float = Field(8.0, ge=0, le=100, description="poles so near are one pole to be merged, m")
    pole_min_height_m: float = Field(5.0, ge=0, le=60, description="lowest pole that takes equipment, m")
    pole_equipment_kg: float = Field(25.0, ge=0, le=1000, description="weight that a pole has to carry, kg")
    lease_unused_days: int = Field(
        180, ge=0, le=10000, description="a lease without equipment for longer counts as unused, days")
    lessee_share: float = Field(
        0.5, gt=0, le=1, description="a lessee of more than this share of a street's or town's poles is told")
    lessee_least_poles: int = Field(
        10, ge=1, le=100000, description="streets and towns of fewer poles are not judged for their lessees")
    venue_min_roof_m: float = Field(6.0, ge=0, le=200, description="lowest venue roof that takes a mast, m")
    roof_spacing_m: float = Field(250.0, ge=0, le=5000, description="roofs of private buildings are thinned so, m")
    roof_min_height_m: float = Field(12.0, ge=0, le=200, description="lowest roof that takes a macro site, m")
    roof_min_area_m2: float = Field(60.0, ge=0, le=1e5, description="smallest roof that takes a macro site, m2")
    gap_radius_macro_m: float = Field(1500.0, ge=0, le=20000, description="a macro candidate has a gap this near, m")
    gap_radius_micro_m: float = Field(200.0, ge=0, le=5000, description="a micro candidate has a gap this near, m")
    min_distance_existing_m: float | None = Field(
        None, ge=0, le=5000, description="no macro candidate nearer to an existing one, m; by scene when absent")
    max_slope_deg: float = Field(25.0, gt=0, le=90, description="steepest ground for a tower on land, degrees")
    greenfield_spacing_m: float = Field(500.0, ge=50, le=10000, description="spacing of sites on open land, m")
    demand_merge_m: float = Field(100.0, ge=0, le=2000, description="requests of operators so near are one site, m")
    station_operators: int = Field(3, ge=1, le=10, description="operators that a mast takes where nothing is known")
    cost_years: float = Field(5.0, ge=0, le=30, description="years of rent and power in the cost of a site")
    serves: list[str] = Field(default_factory=lambda: ["*"], description="networks a new site serves; * = all")
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="rules of place of the study by id: fields of tables/site_rules.toml")
    scenes: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="scenes of the study by id: fields of tables/scenes.toml")
    costs: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="cost models of the study by id: fields of tables/costs.toml")


class VenueParams(Settings):
    """The ``[venues]`` table: what must open, and who answers for it."""

    profile: str = Field("national", description="id of the profile of duties (tables/venue_profiles.toml)")
    classes: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="venue classes by id: fields of tables/venues.toml, like = another class")
    tiers: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="tiers by number: fields of tables/venues.toml")
    departments: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="departments by id: fields of tables/venues.toml")


class OpeningParams(Settings):
    """The ``[opening]`` table: letters and lists that ask for the opening of venues."""

    office: str = Field("通信建设管理办公室", min_length=1, max_length=60, description="who signs the letters")
    reply_days: int = Field(15, ge=1, le=365, description="days after the letter by which a reply is asked for")
    letter_template: str | None = Field(None, min_length=1, description="letter template of the city (.docx)")


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_SITE_KINDS = {"宏站": "macro", "微站": "micro"}


class QuotaParams(Settings):
    """One ``[[selection.quotas]]`` table: how many sites, stations or yuan some candidates may come to."""

    @model_validator(mode="before")
    @classmethod
    def _kind_in_chinese(cls, given: Any) -> Any:
        """``kind`` may be written 宏站 or 微站."""
        if not isinstance(given, dict) or given.get("of") != "kind" or not isinstance(given.get("value"), str):
            return given
        return {**given, "value": _SITE_KINDS.get(given["value"].strip(), given["value"])}

    zh: str = Field("", max_length=120, description="the quota in words; made of the other keys when absent")
    of: Literal["all", "county", "town", "department", "operator", "requested_by", "kind", "tier", "source",
                "owner"] = Field(
        "all", description="all candidates, or those whose column has the value; operator: sites that serve it; "
                           "requested_by: sites that it asked for")
    value: Annotated[str, BeforeValidator(_as_text)] = Field("", description="value of that column, e.g. a county")
    free: StrictBool = Field(False, description="only sites at venues that have to be free")
    unit: Literal["站址", "基站", "元"] = Field(
        "站址", description="what is counted: sites, base stations (one network's radio at a site), or yuan")
    count: Literal["new", "on_air"] = Field(
        "new", description="what is built, or that and what is on air already")
    year: int | None = Field(None, ge=2000, le=2100, description="year of selection.phases; the whole plan when absent")
    least: float | None = Field(None, ge=0, le=1e12, description="at least so many")
    most: float | None = Field(None, ge=0, le=1e12, description="at most so many")


class PhaseParams(Settings):
    """The ``[selection.phases]`` table: years in which the plan is built."""

    years: list[int] = Field(default_factory=list, max_length=20, description="years, rising; none = all at once")
    worth: list[float] = Field(
        default_factory=list, description="what coverage at the end of each year counts; the same for all when absent")


class ShareParams(Settings):
    """One ``[[selection.shares]]`` table: least covered share of villages or key zones."""

    layer: Literal["villages", "zones"] = Field(description="areas that it is about")
    names: list[str] = Field(default_factory=list, description="ids or names of the areas; every one when absent")
    least_share: float = Field(gt=0, le=1, description="least share of the area that is covered after the plan")
    measure: Literal["people", "area", "points"] = Field("people", description="what the share is of")


class PassingParams(Settings):
    """The ``[selection.passing]`` table: how many areas have to pass under their own rule after the plan."""

    villages: int | None = Field(None, ge=0, description="least number of villages that pass")
    zones: int | None = Field(None, ge=0, description="least number of key zones that pass")


class SelectionParams(Settings):
    """The ``[selection]`` table: how many sites, and what is favoured."""

    objective: Literal["coverage", "least_cost"] = Field(
        "coverage", description="most weighted demand within the limits, or least cost for required_share of it")
    required_share: float | None = Field(
        None, gt=0, le=1, description="share of the weighted demand of the gaps that least_cost has to cover")
    max_sites: int = Field(60, ge=0, le=100000, description="greatest number of new sites")
    budget_yuan: float | None = Field(None, ge=0, description="greatest total cost, yuan; no limit when absent")
    max_yuan_per_gain: float = Field(3000.0, gt=0, le=1e9, description="no site dearer per newly served person, yuan")
    min_gain: float = Field(50.0, ge=0, le=1e6, description="no site for less newly served weighted demand, people")
    spacing_m: float = Field(100.0, ge=0, le=5000, description="least distance between two new sites, m")
    demand_cell_m: float = Field(50.0, ge=5, le=1000, description="cell that demand is gathered on, m")
    floor_area_per_person_m2: float = Field(30.0, gt=0, le=1000, description="floor area standing for one person, m2")
    zone_priority: float = Field(2.0, ge=1, le=100, description="weight of demand inside key zones")
    area_people_per_km2: float = Field(100.0, ge=0, le=1e5, description="weight of empty land, people per km2")
    point_people: float = Field(200.0, ge=0, le=1e5, description="weight of a village point in a gap, people")
    preference_mode: Literal["factor", "cost", "lexicographic", "floor", "none"] = Field(
        "factor", description="how tiers count: factor on the service; price per site; most coverage first, then "
                              "fewest private sites, then least cost; only free_share_least; not at all")
    tier_price_people: dict[str, float] = Field(
        default_factory=dict, description="price of a site in people by number or name of its tier (cost)")
    lexicographic_slack: float = Field(
        0.005, ge=0, le=0.5, description="share of the coverage given up for fewer private sites (lexicographic)")
    free_share_least: float | None = Field(
        None, ge=0, le=1, description="least share of the new sites at venues that have to be free")
    give_way_m: float = Field(
        1000.0, ge=0, le=20000, description="a private site gives way to a public rival so near, m; 0 = never")
    give_way_share: float = Field(
        0.8, gt=0, le=1, description="share of what it newly serves that the public rival has to serve")
    backup_share: float = Field(0.0, ge=0, lt=1, description="worth of a second server, as a share of the demand")
    probability_weighted: StrictBool = Field(
        False, description="demand counts by the probability of its coverage, in steps of probability_levels")
    probability_levels: list[float] = Field(
        [0.5, 0.75, 0.9], min_length=1, max_length=16, description="probabilities at which service counts, rising")
    method: Literal["auto", "greedy", "swap", "anneal", "exact"] = Field("auto", description="how the choice is made")
    seed: int = Field(0, ge=0, le=10**9, description="seed of all that is random in the choice")
    seconds: float | None = Field(
        None, gt=0, le=1e6, description="greatest wall time of the choice, s; what it cuts short is told")
    quotas: Annotated[list[QuotaParams], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="quotas, all at once")
    shares: Annotated[list[ShareParams], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="least covered shares of areas")
    phases: PhaseParams = Field(PhaseParams(), description="years in which the plan is built")
    passing: PassingParams = Field(PassingParams(), description="least numbers of areas that pass")


class EquipmentParams(Settings):
    """The ``[equipment]`` table: entries added to the package's table, or single keys of its entries changed."""

    bands: dict[str, dict[str, Any]] = Field(default_factory=dict, description="carriers by name")
    antennas: dict[str, dict[str, Any]] = Field(default_factory=dict, description="antennas by name")
    site_types: dict[str, dict[str, Any]] = Field(default_factory=dict, description="what a new site carries, by kind")


class ExposureAntennaParams(Settings):
    """One ``[exposure.antennas.NAME]`` table: how an antenna radiates when exposure is asked for."""

    factor: float | None = Field(None, gt=0, le=1, description="share of the total power: TDD share x power reduction")
    gain_dbi: float | None = Field(None, ge=-10, le=40, description="gain of the traffic beam, dBi")
    horizontal_deg: float | None = Field(None, gt=0, le=360, description="half-power width of the beam, degrees")
    vertical_deg: float | None = Field(None, gt=0, le=180, description="half-power width of the beam, degrees")
    steer_horizontal_deg: float | None = Field(
        None, ge=0, le=180, description="the beam points this far off the axis, degrees")
    steer_vertical_deg: float | None = Field(None, ge=0, le=90, description="the same in the vertical plane, degrees")
    element_deg: float | None = Field(None, gt=0, le=180, description="half-power width of an element, degrees")


class ExposureParams(Settings):
    """The ``[exposure]`` table: what the exposure screening takes instead of ``tables/exposure.toml``."""

    management_share: float | None = Field(None, gt=0, le=1, description="share of the limit that one site may use")
    least_radius_m: float | None = Field(None, gt=0, le=1000, description="buildings are looked for this far, m")
    taller_radius_m: float | None = Field(
        None, ge=0, le=1000, description="no higher sensitive building within this distance, m")
    storey_m: float | None = Field(None, ge=2, le=10, description="height of a storey, m")
    roof_loss_db: float | None = Field(None, ge=0, le=60, description="roof slab below an antenna on a roof, dB")
    antennas: dict[str, ExposureAntennaParams] = Field(
        default_factory=dict, description="antennas by name: single keys of the package's entries, or new entries")


with warnings.catch_warnings():  # ABCMeta.register is of the class; instances have the field
    warnings.filterwarnings("ignore", message='Field name "register"', category=UserWarning)

    class StudyParams(Settings):
        """A whole study file."""

        study: StudyInfo
        layers: dict[str, LayerSources]
        coverage: CoverageParams = CoverageParams()
        gaps: GapParams = GapParams()
        candidates: CandidateParams = CandidateParams()
        venues: VenueParams = VenueParams()
        selection: SelectionParams = SelectionParams()
        targets: dict[str, dict[str, Any]] = Field(
            default_factory=dict,
            description="targets by id: fields of tables/targets.toml, like = a target given there")
        rankings: dict[str, dict[str, Any]] = Field(
            default_factory=dict,
            description="rankings by id: fields of tables/targets.toml, like = a ranking given there")
        equipment: EquipmentParams = EquipmentParams()
        exposure: ExposureParams = ExposureParams()
        opening: OpeningParams = OpeningParams()
        register: RegisterParams = RegisterParams()
        deliver: DeliverParams = DeliverParams()
