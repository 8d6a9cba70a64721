"""Works and planned buildings of a study's layers as rows of a works list."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.register.works.rates import works_kind

_NUMBERS = ("work_id", "project_id")
_WORKS = {"start_date": "start_on", "end_date": "end_on"}
_BUILDINGS = {"completed_on": "end_on", "floor_area_m2": "floor_area_m2", "use": "use", "storeys": "storeys",
              "seats": "seats", "filing": "filing"}


def works_of_layers(works: gpd.GeoDataFrame | None, planned_buildings: gpd.GeoDataFrame | None = None,
                    ) -> list[dict[str, Any]]:
    """Rows of a works list from the layers ``works`` and ``planned_buildings`` of a study or of a finished plan.

    Parameters
    ----------
    works, planned_buildings : GeoDataFrame or None
        In the register's CRS; the number of each is its column ``work_id`` or ``project_id`` where it has one (a
        finished plan), else the index.

    Returns
    -------
    list of dict
        For :func:`~siteplan.register.works.import_works`. The kind of works is kept as it was written (the import takes
        it by its words and names what no word fits); where it is empty the name decides. Planned buildings are of the
        kind ``building`` and end on the day of their completion. What has no name is called after its number.

    Examples
    --------
    >>> import shapely
    >>> dig = gpd.GeoDataFrame({"name": ["滨河路"], "kind": ["路面大修"], "start_date": ["2026-09-01"]}, index=["G1"],
    ...                        geometry=[shapely.LineString([(0, 0), (9, 0)])], crs="EPSG:4547")
    >>> row, = works_of_layers(dig)
    >>> row["work_no"], row["kind"], row["start_on"], row["end_on"]
    ('G1', '路面大修', '2026-09-01', None)
    """
    out: list[dict[str, Any]] = []
    layers: tuple[tuple[Any, dict[str, str]], ...] = ((works, _WORKS), (planned_buildings, _BUILDINGS))
    for layer, taken in layers:
        if layer is None:
            continue
        number = next((column for column in _NUMBERS if column in layer), None)
        for at, row in zip(layer.index.astype("str"), layer.to_dict("records"), strict=True):
            told = at if number is None else _cell(row[number])
            key = str(told).strip() if told is not None else ""
            values = {name: _cell(row.get(source)) for source, name in taken.items()}
            name = _cell(row.get("name"))
            if layer is works:
                kind = _cell(row.get("kind")) or works_kind("", str(name or "")) or None
                what = "工程"
            else:
                kind, what = "building", "建设项目"
            out.append({"work_no": key or None, "name": name or f"{what} {key or at}", "kind": kind, **values,
                        "geometry": row[layer.geometry.name],
                        **{origin: row[origin] for origin in ("source_file", "source_row") if _cell(row.get(origin))}})
    return out


def _cell(value: Any) -> Any:
    return None if value is None or value is pd.NaT or value is pd.NA or value != value else value
