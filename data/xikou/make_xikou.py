"""Write the synthetic sample city 溪口市: ``python data/xikou/make_xikou.py [--out DIR]``.

Everything is invented and drawn from one seed; running it again gives the same data.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import faults, layers, opening, people, places, progress, radio_layers, writers
from generator.city import build_city

GENERATED = (
    "boundary.geojson", "buildings_xixi.gpkg", "buildings_xidong.gpkg", "ground.tif", "poles.csv", "facilities.csv", "villages.shp", "villages.shx",
    "villages.dbf", "villages.prj", "village_points.csv", "zones.gpkg", "zone_points.csv", "stations.xlsx", "population.csv",
    "basemap.gpkg", "planning.gpkg", "complaints.csv", "measurements.csv", "demands.csv", "decisions.csv", "secrecy.csv",
    "planted_faults.csv",
)


def write_city(folder: Path) -> None:
    """Build the city and write every file of ``GENERATED`` and ``manifest.csv`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in GENERATED:
        (folder / name).unlink(missing_ok=True)
    writers.fix_dates()
    city, venues = places.choose_facilities(build_city())
    city, venues, points = places.village_places(city, venues)
    masts = radio_layers.build_masts(city)
    stations = radio_layers.station_table(masts)
    buildings, found = faults.building_table(city)
    spoiled_stations, more = faults.spoil_stations(opening.free_positions(progress.dated_stations(stations)))
    tables, rest = faults.spoil_csv_tables(
        people.pole_table(city), places.facility_table(city, venues), people.population_table(city),
        radio_layers.drive_test(city, stations, masts), radio_layers.complaint_table(city, stations, masts), points)
    poles, facilities, population, tests, complaints, points = tables
    decisions, awkward = opening.decision_table(facilities)
    secret = opening.secrecy_table(facilities)
    poles, wet = opening.pole_rows(city, poles)
    facilities, odd = opening.facility_rows(facilities)
    demands, unasked = opening.demand_table(city)
    rest = [*rest, *wet, *odd, *unasked, *awkward]

    layers.boundary_layer(city).to_file(folder / "boundary.geojson", driver="GeoJSON", engine="pyogrio",
                                        COORDINATE_PRECISION=7)
    west = faults.in_west_county(buildings, layers.base_layers(city)["counties"])
    writers.write_gpkg(buildings[west], folder / "buildings_xixi.gpkg", "建筑物")
    writers.write_gpkg(buildings[~west], folder / "buildings_xidong.gpkg", "建筑物")
    writers.write_ground(city.ground, folder / "ground.tif")
    writers.write_csv(poles, folder / "poles.csv", "gbk")
    writers.write_csv(facilities, folder / "facilities.csv", "utf-8-sig")
    writers.write_gbk_shapefile(layers.village_layer(city), folder / "villages.shp")
    writers.write_csv(points, folder / "village_points.csv", "utf-8-sig")
    writers.write_gpkg(layers.zone_layer(city), folder / "zones.gpkg", "重点区域")
    writers.write_csv(progress.zone_point_table(city), folder / "zone_points.csv", "utf-8-sig")
    writers.write_xlsx(spoiled_stations, folder / "stations.xlsx", "工参表",
                       ["合成数据：站址、运营商分工、参数均为虚构。", "经度、纬度为 WGS 84；挂高为天线挂高；功率为机顶总功率。"])
    writers.write_csv(population, folder / "population.csv", "utf-8-sig")
    for name, table in layers.base_layers(city).items():
        writers.write_gpkg(table, folder / "basemap.gpkg", name)
    writers.write_gpkg(opening.power_layer(city), folder / "basemap.gpkg", "power")
    for name, table in layers.planning_layers(city).items():
        writers.write_gpkg(table, folder / "planning.gpkg", name)
    writers.write_csv(complaints, folder / "complaints.csv", "utf-8-sig")
    writers.write_csv(tests, folder / "measurements.csv", "utf-8-sig")
    writers.write_csv(demands, folder / "demands.csv", "utf-8-sig")
    writers.write_csv(decisions, folder / "decisions.csv", "utf-8-sig")
    writers.write_csv(secret, folder / "secrecy.csv", "utf-8-sig")
    listed = pd.DataFrame([*found, *more, *rest], columns=["layer", "key", "field", "fault"])
    listed.to_csv(folder / "planted_faults.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    writers.write_manifest(folder, list(GENERATED))


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to")
    start = time.perf_counter()
    folder = parser.parse_args().out
    write_city(folder)
    size = sum((folder / name).stat().st_size for name in GENERATED) / 1e6
    print(f"{len(GENERATED)} files, {size:.1f} MB, {time.perf_counter() - start:.1f} s -> {folder}")


if __name__ == "__main__":
    main()
