"""What changed at the sites between two cut-offs."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from siteplan.register.snapshots import compare_sites, difference_counts


def changed_rows(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> pd.DataFrame:
    """Every change of a site: new, dropped, another state, year, place or sum of money."""
    return compare_sites(before, after)


def changed_counts(changes: pd.DataFrame) -> dict[str, int]:
    """How many changes of each kind there are."""
    return {f"changes_{name}": number for name, number in difference_counts(changes).items()}
