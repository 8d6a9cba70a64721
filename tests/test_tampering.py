"""Tampering with a folder of deliverables: the check that notices, and no changed number that makes a better plan."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from certificate_toy import (
    HEADER,
    change_arrays,
    change_json,
    change_layer,
    change_shapefile,
    change_table,
    copied,
    solved,
    table_of,
    toy,
    write_folder,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.verify import CertificateError, Check, verify
from siteplan.verify._problem import case_of
from siteplan.verify._read import read_papers
from siteplan.verify._tables import read_deliverables, table_checks


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = toy(phases=True)
    return write_folder(made, solved(made), tmp_path_factory.mktemp("honest"))


@pytest.fixture
def folder(honest: Path, tmp_path: Path) -> Path:
    return copied(honest, tmp_path / "out")


def forged_table(name: str, pick: int, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Changes one cell of candidates.csv: of the first chosen site (pick 1), or the first one that is not (0)."""
    def forge(folder: Path) -> None:
        def edit(table: pd.DataFrame) -> None:
            row = table.index[table["chosen"] == pick][0]
            table.loc[row, name] = change(table.loc[row, name])
        change_table(folder, edit)
    return forge


def dropped(folder: Path) -> None:
    def edit(table: pd.DataFrame) -> None:
        row = table.index[table["rank_no"] == table["rank_no"].max()]
        table.loc[row, ["chosen", "year", "rank_no"]] = 0
    change_table(folder, edit)


def added(folder: Path) -> None:
    def edit(table: pd.DataFrame) -> None:
        row = table.index[(table["chosen"] == 0) & (table["state"] == "free")][0]
        table.loc[row, ["chosen", "year", "rank_no"]] = [1, 2027, table["rank_no"].max() + 1]
    change_table(folder, edit)


def swapped(folder: Path) -> None:
    def edit(table: pd.DataFrame) -> None:
        one, other = table.index[table["chosen"] == 1][0], table.index[table["chosen"] == 0][0]
        table.loc[[one, other], "site_id"] = table.loc[[other, one], "site_id"].to_numpy()
    change_table(folder, edit)


def without_candidate(folder: Path) -> None:
    """The last candidate taken out of table and reach alike; it was open, so the bound is not about all of them."""
    change_layer(folder, "candidates.gpkg", lambda table: table.assign(
        status=table["status"].where(table["site_id"] != "S-07", "candidate")))
    change_table(folder, lambda table: table.drop(index=7))

    def cut(arrays: dict[str, np.ndarray]) -> None:
        end = arrays["indptr"][-2]
        arrays.update(indptr=arrays["indptr"][:-1], indices=arrays["indices"][:end], service=arrays["service"][:end])
    change_arrays(folder, "reach.npz", cut)


def first_entries(folder: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Which entries of the reach are those of the site that was chosen first."""
    first = int(table_of(folder)["rank_no"].eq(1).idxmax())
    return np.repeat(np.arange(len(arrays["indptr"]) - 1), np.diff(arrays["indptr"])) == first


def less_service(folder: Path) -> None:
    change_arrays(folder, "reach.npz", lambda arrays: arrays.update(
        service=np.where(first_entries(folder, arrays), np.float32(0.01), arrays["service"])))


def less_reach(folder: Path) -> None:
    def cut(arrays: dict[str, np.ndarray]) -> None:
        mine = first_entries(folder, arrays)
        at = int(np.flatnonzero(mine)[0])
        arrays.update(indices=np.delete(arrays["indices"], at), service=np.delete(arrays["service"], at),
                      indptr=arrays["indptr"] - (arrays["indptr"] > at))
    change_arrays(folder, "reach.npz", cut)


def of_json(name: str, *path: Any, to: Callable[[Any], Any]) -> Callable[[Path], None]:
    def change(facts: Any) -> None:
        for key in path[:-1]:
            facts = facts[key]
        facts[path[-1]] = to(facts[path[-1]])
    return lambda folder: change_json(folder, name, change)


FORGERIES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a chosen site dropped": (dropped, "sites_plan"),
    "a site added": (added, "sites_layer"),
    "ids swapped": (swapped, "sites_plan"),
    "a candidate removed": (without_candidate, "candidates_layer"),
    "a site moved": (forged_table("x", 1, lambda x: x + 1.0), "sites_layer"),
    "a cost changed": (forged_table("cost_yuan", 1, lambda cost: cost - 1000), "sites_plan"),
    "a cost of another changed": (forged_table("cost_yuan", 0, lambda cost: cost + 1000), "candidate_facts"),
    "a county changed": (forged_table("county", 0, lambda _: "北县"), "candidate_facts"),
    "a year changed": (forged_table("year", 1, lambda year: 4053 - year), "sites_plan"),
    "a price changed": (forged_table("price", 1, lambda price: price + 1), "value"),
    "value raised": (of_json(HEADER, "value", to=lambda value: value * 1.01), "value"),
    "value raised in the plan": (of_json("plan.json", "bound", "value", to=lambda value: value * 1.01), "claims"),
    "served raised": (of_json(HEADER, "served_weight", to=lambda value: value + 1), "served_weight"),
    "bound lowered": (of_json(HEADER, "bound", to=lambda bound: bound * 0.99), "bound"),
    "gap changed": (of_json(HEADER, "gap", to=lambda gap: gap / 2), "gap"),
    "gap changed in the plan": (of_json("plan.json", "bound", "optimality_gap", to=lambda gap: gap / 2), "claims"),
    "called optimal": (of_json(HEADER, "status", to=lambda _: "optimal"), "status"),
    "a gain raised": (of_json("plan.json", "sites", 0, "gain", to=lambda gain: gain + 1), "gains"),
    "cost in the plan": (of_json("plan.json", "sites", 0, "cost_yuan", to=lambda cost: cost - 10), "sites_plan"),
    "cost in the indicators": (of_json("plan.json", "indicators", "after", "sites", "proposed_cost_yuan",
                                       to=lambda cost: cost - 1000), "counts"),
    "another study": (of_json("plan.json", "study", "sha256", to=lambda _: "b" * 64), "study"),
    "a quota left out": (of_json(HEADER, "limits", 2, "most", to=lambda _: 5), "parameters"),
    "another objective": (of_json("plan.json", "parameters", "selection", "objective", to=lambda _: "least_cost"),
                          "parameters"),
    "spacing relaxed": (of_json(HEADER, "spacing_m", to=lambda _: 1.0), "parameters"),
    "a stage worth more": (of_json(HEADER, "stages", 0, "worth", to=lambda worth: worth + 0.2), "value"),
    "level lowered": (of_json(HEADER, "objective", "levels", 0, to=lambda _: 0.3), "value"),
    "a weight changed": (lambda folder: change_arrays(folder, "reach.npz", lambda arrays: arrays["weight"].__setitem__(
        int(arrays["indices"][arrays["indptr"][table_of(folder)["rank_no"].idxmax()]]), 50.0)), "gains"),
    "reach of a chosen site": (less_reach, "gains"),
    "service of a chosen site": (less_service, "value"),
    "sums not mended": (lambda folder: (folder / "certificate" / "floors.npz").write_bytes(
        (folder / "certificate" / "floors.npz").read_bytes() + b"\0"), "files"),
    "a sector of no site": (lambda folder: (folder / "servers.csv").write_text(
        (folder / "servers.csv").read_text("utf-8") + "99,S-99-1,规划\n", "utf-8"), "servers"),
}


def of_layer(name: str, column: str, value: Any) -> Callable[[Path], None]:
    """Another value for the site of rank 1 in a layer."""
    return lambda folder: change_layer(folder, name, lambda table: table.assign(
        **{column: table[column].where(table["rank_no"] != 1, value)}))


def of_shapefile(column: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: change_shapefile(folder, lambda table: table.assign(
        **{column: table[column].where(table["XH"] != 1, value)}))


def checks_of(folder: Path) -> dict[str, Check]:
    """The checks of the tables, without the rest of the work."""
    return {check.name: check for check in table_checks(case_of(read_papers(folder)), read_deliverables(folder))}


def all_of(*forgeries: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: [forge(folder) for forge in forgeries].clear()


SITE_WORDS = {"county": ("北县", "所属县区"), "networks": ("铁通", "共享网络"), "town": ("丁镇", "所属镇街"),
              "department": ("体育局", "主管部门"), "owner": ("某公司", "权属单位"), "gain": (999.0, "新增加权需求"),
              "station_count": (9, "基站数"), "build_year": (2029, "建设年度"), "must_be_free": ("免", "免费开放")}
READ_BY_PLANNERS: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "sites.gpkg": (all_of(*(of_layer("sites.gpkg", name, value) for name, (value, _) in SITE_WORDS.items())),
                   "sites_certified", tuple(f"{word}不一致:S-" for _, word in SITE_WORDS.values())),
    "a field of sites.gpkg lost": (lambda folder: change_layer(folder, "sites.gpkg", lambda table: table.drop(
        columns="county")), "sites_certified", ("缺少字段“所属县区”",)),
    "plan.json": (all_of(of_json("plan.json", "sites", 0, "station_count", to=lambda count: count + 1),
                         of_json("plan.json", "sites", 0, "name", to=lambda _: "别处"),
                         of_json("plan.json", "sites", 0, "reason", to=lambda _: "无"),
                         of_json("plan.json", "sites", 0, "must_be_free", to=lambda free: not free)),
                  "sites_facts", tuple(f"{word}不一致:S-" for word in ("基站数", "站址名称", "入选理由", "免费开放"))),
    "candidates.gpkg": (of_layer("candidates.gpkg", "station_count", 9), "candidate_facts", ("基站数不一致:S-",)),
    "a reason in candidates.gpkg": (of_layer("candidates.gpkg", "reason", "无"), "sites_in_layer", ("入选理由不一致",)),
    "no Shapefile": (lambda folder: (folder / "shp" / "sites.shp").unlink(), "shapefile", ("不在",)),
    "a Shapefile without its table": (lambda folder: (folder / "shp" / "sites.dbf").unlink(), "shapefile", ("ZZBH",)),
    "Shapefile": (all_of(of_shapefile("QSDW", "某公司"), of_shapefile("TZ", 1.0)), "shapefile",
                  ("权属单位不一致", "投资估算不一致")),
    "an id in the Shapefile": (of_shapefile("ZZBH", "S-99"), "shapefile", ("多 S-99",)),
}


@pytest.mark.parametrize("what", READ_BY_PLANNERS)
def test_what_planners_read_is_checked(folder: Path, what: str) -> None:
    forge, name, words = READ_BY_PLANNERS[what]
    forge(folder)
    found = checks_of(folder)
    assert found[name].ok is False
    assert [word for word in words if word not in found[name].told] == []


def test_a_text_may_be_shortened_to_its_field_only(folder: Path) -> None:
    """A long reason is cut at 254 bytes with a mark; a short one with a mark is another reason."""
    reason = "理" * 100
    of_json("plan.json", "sites", 0, "reason", to=lambda _: reason)(folder)
    for text, good in (("理" * 83 + "…", True), ("理" * 20 + "…", False)):
        of_layer("sites.gpkg", "reason", text)(folder)
        assert checks_of(folder)["sites_facts"].ok is good


def test_a_lowered_price_is_named(tmp_path: Path) -> None:
    """A site has to bring the least gain, or its cost by the yuan that a unit of gain may cost, by its preference."""
    made = toy()
    made.table["preference"] = np.resize([1.0, 0.5], len(made.table))
    made.table["price"] = np.maximum(0.5, made.table["cost_yuan"] / 10_000) / made.table["preference"]
    place = write_folder(made, solved(made), tmp_path)
    change_json(place, "plan.json", lambda facts: facts["parameters"]["selection"].update(
        min_gain=0.5, max_yuan_per_gain=10_000.0, preference_mode="factor"))
    assert verify(place).failed() == ()
    forged_table("price", 0, lambda price: price * 0.9)(place)
    assert "prices" in verify(place).failed()


def test_a_lowered_threshold_is_named(folder: Path) -> None:
    """Single reaches are recomputed with the threshold of the study, and no lower one."""
    change_json(folder, "plan.json", lambda facts: facts["parameters"].update(
        coverage={"threshold_dbm": -105.0}, gaps={"gap_probability": 0.75}))
    radio = folder / "certificate" / "radio.json"
    for threshold, chance, good in ((-105.0, 0.75, True), (-110.0, 0.75, False), (-105.0, 0.7, False)):
        radio.write_text(json.dumps({"settings": {"threshold_dbm": threshold}, "served_probability": chance}), "utf-8")
        assert checks_of(folder)["radio"].ok is good


def test_prices_are_costs_where_the_cost_counts(tmp_path: Path) -> None:
    """A surcharge puts some sites behind all others only when it is greater than all costs together."""
    made = toy(kind="least_cost", backup=0.0)
    dear = made.table["must_be_free"] == 0
    for surcharge, good in ((0.0, True), (1e4, False), (1e6, True)):
        made.table["price"] = made.table["cost_yuan"] + surcharge * dear
        found = verify(write_folder(made, solved(made), tmp_path / f"{surcharge}"))
        assert found.ok is good
        assert found.failed() == (() if good else ("prices",))


@pytest.mark.parametrize("what", FORGERIES)
def test_tampering_is_named(folder: Path, what: str) -> None:
    forge, name = FORGERIES[what]
    forge(folder)
    found = verify(folder)
    assert name in found.failed(), found.failed()
    assert (found.ok, found.word) == (False, "未通过")


def numbers_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of the numbers in a JSON value."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, entry in items for found in numbers_in(entry, (*path, key))]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def tamper(folder: Path, name: str, rng: random.Random) -> None:
    """One random number of a file changed, and the sums of the files mended."""
    def other(value: Any) -> Any:
        changed = rng.choice([value * rng.uniform(0.5, 1.5), value + rng.choice([-1, 1]), value * (1 + 1e-4), -value])
        return int(changed) if isinstance(value, int | np.integer) else float(changed)

    if name.endswith(".json"):
        path = rng.choice(numbers_in(json.loads((folder / name).read_text("utf-8"))))
        of_json(name, *path, to=other)(folder)
    elif name.endswith(".npz"):
        def edit(arrays: dict[str, np.ndarray]) -> None:
            key = rng.choice(sorted(key for key, values in arrays.items() if values.size))
            values = arrays[key].ravel()
            at = rng.randrange(values.size)
            values[at] = other(values[at])
            arrays[key] = values.reshape(arrays[key].shape)
        change_arrays(folder, Path(name).name, edit)
    else:
        def pick(table: Any) -> Any:
            column = rng.choice([key for key in table.columns if pd.api.types.is_numeric_dtype(table[key])])
            row = rng.randrange(len(table))
            values = table[column].tolist()
            values[row] = other(values[row])
            return table.assign(**{column: values})
        change_table(folder, pick) if name.endswith(".csv") else change_layer(folder, name, pick)


@settings(max_examples=16)
@given(seed=st.integers(0, 10**6), name=st.sampled_from([
    HEADER, HEADER, "plan.json", "plan.json", "certificate/candidates.csv", "certificate/reach.npz",
    "certificate/multipliers.npz", "certificate/floors.npz", "sites.gpkg", "candidates.gpkg"]))
def test_no_changed_number_makes_a_better_plan(honest: Path, tmp_path_factory: pytest.TempPathFactory, seed: int,
                                               name: str) -> None:
    """Whatever number is changed: either it is noticed, or what is claimed is no better than the truth."""
    place = copied(honest, tmp_path_factory.mktemp("tampered"))
    truth = json.loads((honest / HEADER).read_text("utf-8"))
    tamper(place, name, random.Random(seed))
    try:
        found = verify(place)
    except CertificateError:
        return
    if not found.ok:
        return
    facts, plan = (json.loads((place / file).read_text("utf-8")) for file in (HEADER, "plan.json"))
    for claimed, names in ((facts, ("value", "served_weight", "bound", "gap")),
                           (plan["bound"], ("value", "covered", "upper_bound", "optimality_gap"))):
        value, served, bound, gap = (claimed[key] for key in names)
        assert value <= truth["value"] * (1 + 3e-6)
        assert served <= truth["served_weight"] * (1 + 3e-6)
        assert bound >= truth["bound"] * (1 - 3e-6)
        assert gap >= truth["gap"] - 3e-6
