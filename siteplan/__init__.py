"""siteplan: where a city's 5G base stations go, and which public venues open free of charge for them.

    >>> import siteplan as sp
    >>> sp.max_cover.__name__
    'max_cover'

Names are imported on first use, so that ``import siteplan`` and ``siteplan --help`` stay quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "study": ("Study", "Scene", "build_scene", "check_layers", "read_layers", "run", "cover_existing", "assess_state",
              "propose_candidates", "select_proposed", "cover_with_proposed", "build_plan", "write_deliverables",
              "write_layer_check"),
    "layers": ("Layers", "file_verdicts", "inspect_layers", "layer_verdicts", "read_list", "shift_plot"),
    "plan": ("Plan",), "surface": ("Surface", "build_surface"), "grid": ("study_geobox",),
    "coverage": ("Coverage", "predict_coverage", "merge_coverage", "sectors_of_stations", "sectors_of_sites",
                 "visible", "predict_tiles", "prepare_situation", "what_if", "measurement_samples", "fit_calibration",
                 "cross_validate", "screen_exposure"),
    "gaps": ("assess_areas", "build_demand", "covered_share", "find_gap_areas", "gap_mask", "rule_named", "rules_of",
             "share_band", "shortfall"),
    "candidates": ("propose_sites",), "selection": ("max_cover", "select_sites"),
    "export": ("write_plan", "write_shapefile"), "export.register_record": ("record_of",),
    "maps": ("write_review_map", "plot_coverage", "plot_comparison", "plot_gaps"),
    "register": ("Register", "Stamp", "create_register", "open_register", "read_rows"),
    "register.list_kinds": ("import_list",), "register.sync": ("sync_plan",), "report.pack": ("write_report",),
    "errors": ("SiteplanError", "StudyError", "LayerError", "RegisterError"),
}
_WHERE = {name: room for room, names in _HOMES.items() for name in names}
__all__ = sorted(_WHERE)  # noqa: PLE0605  (a sorted list of the names above)
_ROOMS = frozenset({*_HOMES, "crs", "params", "radio", "report", "schema", "venues"})


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"siteplan.{_WHERE[name]}"), name)
    if name in _ROOMS:
        return import_module(f"siteplan.{name}")
    raise AttributeError(f"module 'siteplan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
