"""What a profile may take its values from: master layers and their columns."""

from __future__ import annotations

from functools import cache

from siteplan.tables import read_table

LAYERS = ("sites", "all_sites", "gaps", "gaps_before", "indoor_gaps", "stretches", "complaints", "hot_spots",
          "indoor_buildings", "boundary", "villages", "zones", "units", "towns", "counties", "roads", "rail", "water",
          "restricted", "works", "planned_buildings", "fibre_links", "venues")
"""Master layers, by the names of ``PlanLayers.layers``."""
PLACE_COLUMNS = ("x_north_m", "y_east_m", "lon", "lat")
"""Columns that every layer has besides its own: made from its shapes where the master does not have them."""
_SECTIONS = {"gaps_before": ("gaps",), "indoor_gaps": ("gaps",), "all_sites": ("all_sites", "sites")}
"""Sections of the list of columns that a master layer has, where it is not the one of its own name."""


@cache
def master_columns(layer: str) -> tuple[str, ...]:
    """Columns of a master layer that ``tables/export_fields.toml`` lists, with those of its place.

    Empty for layers without a list there: their columns are those of the input, known only when a plan is exported.

    >>> "site_id" in master_columns("sites"), master_columns("roads")
    (True, ())
    """
    listed, sections = read_table("export_fields"), _SECTIONS.get(layer, (layer,))
    columns = [column for section in sections if isinstance(listed.get(section), dict) for column in listed[section]]
    return tuple(dict.fromkeys((*columns, *PLACE_COLUMNS))) if columns else ()
