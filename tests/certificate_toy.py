"""A toy town whose certificate is made by hand: every kind of limit, brute force for the best plan, its own bound."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplan.export._certificate import write_certificate
from siteplan.export._detailed_plan import site_fields, write_shapefile
from siteplan.selection.certificate import Certificate, venue_groups
from siteplan.selection.model import Answer, Floor, Multipliers, Problem, Row, Stage, Wanted
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import relaxed
from siteplan.selection.model.reach import reach_of_matrix

STUDY = {"name": "玩具镇", "sha256": "a" * 64}
SIDE = 6
HEADER = "certificate/certificate.json"


@dataclass
class Toy:
    """What is to be chosen from; ``service`` dense, cells x candidates."""

    table: pd.DataFrame
    service: np.ndarray
    weight: np.ndarray
    already: np.ndarray
    objective: dict[str, Any]
    limits: list[dict[str, Any]] = field(default_factory=list)
    floors: list[dict[str, Any]] = field(default_factory=list)
    floor_cells: list[np.ndarray] = field(default_factory=list)
    wanted: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    spacing_m: float = 0.0

    @property
    def near(self) -> np.ndarray:
        xy, own = self.table[["x", "y"]].to_numpy(), self.table["spacing_m"].to_numpy()
        pairs = [(i, k) for i in range(len(own)) for k in range(i + 1, len(own))
                 if np.hypot(*(xy[i] - xy[k])) < max(self.spacing_m, min(own[i], own[k]))]
        return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def limit(name: str, of: str = "all", value: str = "", unit: str = "站址", **more: Any) -> dict[str, Any]:
    return {"name": name, "zh": name, "of": of, "value": value, "unit": unit, "count": "new", "year": None,
            "least": None, "most": None, "already": 0, "share": None, "free": False, **more}


def toy(seed: int = 3, count: int = 8, phases: bool = False, kind: str = "coverage", backup: float = 0.3) -> Toy:
    """Eight candidates around 36 cells, every kind of limit."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, SIDE, (count, 2))
    cell = np.stack(np.divmod(np.arange(SIDE * SIDE), SIDE), axis=1) + 0.5
    apart = np.hypot(*(cell[:, None] - place[None]).transpose(2, 0, 1))
    service = np.where(apart < 1.0, 1.0, np.where(apart < 2.2, 0.6, 0.0))
    pick = rng.integers
    table = pd.DataFrame({
        "site_id": [f"S-{number:02d}" for number in range(count)], "x": 437_000 + 100 * place[:, 0],
        "y": 2_491_000 + 100 * place[:, 1], "preference": 1.0, "price": np.round(rng.uniform(0, 2, count), 2),
        "cost_yuan": 1000.0 * pick(5, 20, count), "stations": pick(1, 4, count), "spacing_m": 60.0 * pick(1, 3, count),
        "venue": ["V1", "", "V2", "V1", "", "V2", "", ""][:count], "county": np.resize(["东县", "西县"], count),
        "town": np.resize(["甲镇", "乙镇", "丙镇"], count), "department": np.resize(["教育局", "", "交通局"], count),
        "operators": np.resize(["电信|联通", "移动", "移动|电信"], count),
        "networks": np.resize(["移动|电信&联通", "移动", "电信&联通", "*"], count),
        "kind": np.resize(["macro", "macro", "micro"], count),
        "tier": np.resize([1, 3, 4, 0], count), "source": np.resize(["facility", "pole"], count),
        "owner": np.resize(["城投", "", "校方"], count), "must_be_free": np.resize([1, 0, 0], count), "state": "free",
        "fixed_year": 0})
    if kind == "least_cost":
        table["price"] = table["cost_yuan"]
    table.loc[4, "state"], table.loc[count - 1, "state"] = "locked", "barred"
    limits = [limit("max_sites", most=4), limit("budget_yuan", unit="元", most=60_000.0),
              limit("东县", "county", "东县", least=1, most=3), limit("甲镇", "town", "甲镇", most=2),
              limit("教育局", "department", "教育局", most=2), limit("移动", "operator", "移动", "基站", most=3),
              limit("联通需求", "requested_by", "联通", "基站", most=8), limit("东县免费", "county", "东县", most=2, free=True),
              limit("宏站", "kind", "macro", most=3), limit("三级", "tier", "3", most=2),
              limit("杆", "source", "pole", most=3), limit("城投", "owner", "城投", most=2),
              limit("免费", "free", share=0.2), limit("在用", unit="基站", count="on_air", already=40, most=52)]
    floors = [{"name": "甲村", "zh": "甲村", "required": True, "least": 2.0, "kind": "village", "share": 0.5},
              {"name": "乙村", "zh": "乙村", "required": False, "least": 3.0, "kind": "village", "share": 0.5},
              {"name": "丙村", "zh": "丙村", "required": False, "least": 5.0, "kind": "village", "share": 0.5}]
    stages: list[dict[str, Any]] = []
    if phases:
        stages = [{"year": 2026, "worth": 0.7}, {"year": 2027, "worth": 0.3}]
        limits += [limit("每年", year=2026, most=2), limit("每年", year=2027, most=2),
                   limit("年末", unit="基站", year=2026, count="on_air", already=40, most=46),
                   limit("首年东县", "county", "东县", year=2026, least=1)]
        table.loc[4, "fixed_year"] = 2027
    return Toy(table, service, np.round(rng.uniform(1, 9, SIDE * SIDE), 2),
               np.where(rng.random(SIDE * SIDE) < 0.1, 0.6, 0.0).astype(np.float32),
               {"kind": kind, "backup": backup, "levels": [0.6, 1.0]}, limits, floors,
               [np.arange(0, 9), np.arange(9, 20), np.arange(20, 36)],
               [{"name": "两村", "zh": "至少1村", "floors": [1, 2], "least": 1}], stages, 30.0)


def problem_of(made: Toy) -> Problem:
    """The same as the problem that methods work on."""
    levels, table = np.array(made.objective["levels"]), made.table
    share = np.diff(levels, prepend=0.0)
    weight = np.concatenate([made.weight * part * (made.already < level - 1e-6)
                             for level, part in zip(levels, share, strict=True)])
    dense = np.vstack([made.service >= level - 1e-6 for level in levels]).astype(float)
    cheap = made.objective["kind"] == "least_cost"
    years = [stage["year"] for stage in made.stages]
    stages = tuple(Stage(stage["year"], stage["worth"],
                         tuple(row_of(table, one) for one in made.limits
                               if one["year"] == stage["year"] and one["count"] == "on_air"),
                         tuple(row_of(table, one) for one in made.limits
                               if one["year"] == stage["year"] and one["count"] == "new")) for stage in made.stages)
    return Problem(
        reach_of_matrix(sp.csc_matrix(dense)), weight * (not cheap),
        -table["price"].to_numpy(), (table["state"] == "locked").to_numpy(),
        (table["state"] == "barred").to_numpy(), made.objective["backup"],
        tuple(row_of(table, one) for one in made.limits if one["year"] is None),
        tuple(Floor(floor["name"], cells, np.ones(len(cells)), floor["least"], floor["required"])
              for floor, cells in zip(made.floors, made.floor_cells, strict=True)),
        tuple(Wanted(wish["name"], tuple(wish["floors"]), wish["least"]) for wish in made.wanted),
        venue_groups(table["venue"]), made.near, stages,
        np.array([years.index(year) if year in years else -1 for year in table["fixed_year"]], dtype=np.int32))


def row_of(table: pd.DataFrame, one: Mapping[str, Any]) -> Row:
    amount = {"站址": np.ones(len(table)), "基站": table["stations"].to_numpy(float),
              "元": table["cost_yuan"].to_numpy(float)}[one["unit"]]
    if one["of"] == "free":
        return Row(one["name"], np.arange(len(table)), table["must_be_free"].to_numpy() - one["share"], least=0.0)
    if one["of"] == "all":
        members = np.arange(len(table))
    elif one["of"] == "operator":
        members = np.flatnonzero([one["value"] in words.replace("&", "|").split("|") or words == "*"
                                  for words in table["networks"]])
        amount = np.ones(len(table))
    elif one["of"] == "requested_by":
        members = np.flatnonzero([one["value"] in words.split("|") for words in table["operators"]])
    else:
        members = np.flatnonzero(table[one["of"]].astype(str) == one["value"])
    members = members[(table["must_be_free"].to_numpy()[members] == 1) | (not one["free"])]
    return Row(one["name"], members, amount[members], -np.inf if one["least"] is None else one["least"],
               np.inf if one["most"] is None else one["most"], one["already"])


def brute_force(problem: Problem) -> tuple[float, np.ndarray, np.ndarray] | None:
    """The best of all plans: value, chosen, stage of each; None where there is none."""
    best = None
    steps = range(-1, max(len(problem.stages), 1))
    for plan in itertools.product(steps, repeat=len(problem)):
        when = np.array(plan)
        chosen = np.flatnonzero(when >= 0)
        stage = when[chosen] if problem.stages else None
        if (when[problem.locked] < 0).any() or (when[problem.barred] >= 0).any() or breaches(problem, chosen, stage):
            continue
        value = value_of(problem, chosen, stage)
        if best is None or value > best[0] + 1e-9:
            best = (value, chosen, when[chosen])
    return best


def dual(problem: Problem, prices: Multipliers) -> float:
    """The bound of one stage, cell by cell and candidate by candidate, as the format of the certificate states it."""
    worth = problem.weight.copy()
    for floor, mu in zip(problem.floors, prices.floors, strict=False):
        worth[floor.cells] += mu * floor.weights
    paid = np.minimum(prices.cells, worth)
    total = sum(max(0.0, w - p) + max(0.0, problem.backup * b - p)
                for w, p, b in zip(worth, paid, problem.weight, strict=True))
    for row, low, high in zip(problem.rows, prices.rows_least, prices.rows_most, strict=True):
        total += (high * (row.most - row.already) if high else 0) - (low * (row.least - row.already) if low else 0)
    total += prices.groups.sum() + prices.cliques.sum()
    for wish, kappa in zip(problem.wanted, prices.wanted, strict=False):
        total += sum(max(0.0, kappa - prices.floors[z] * problem.floors[z].least) for z in wish.floors)
        total -= kappa * wish.least
    total -= sum(mu * floor.least for floor, mu in zip(problem.floors, prices.floors, strict=False) if floor.required)
    cliques = np.split(prices.clique_members, prices.clique_indptr[1:-1]) if len(prices.cliques) else []
    for number in range(len(problem)):
        profit = problem.bonus[number] + paid[problem.reach.cells_of(number)].sum()
        for row, low, high in zip(problem.rows, prices.rows_least, prices.rows_most, strict=True):
            profit -= (high - low) * row.amounts[row.candidates == number].sum()
        profit -= prices.groups[problem.group[number]] if problem.group[number] >= 0 else 0.0
        profit -= sum(price for price, clique in zip(prices.cliques, cliques, strict=True) if number in clique)
        total += profit if problem.locked[number] else 0.0 if problem.barred[number] else max(0.0, profit)
    return float(total)


def drawn_prices(problem: Problem, rng: np.random.Generator) -> Multipliers:
    """Some multipliers; those of sides that are no limit are 0."""
    scale = float(problem.weight.sum() or -problem.bonus.sum()) / 20

    def some(count: int) -> np.ndarray:
        return rng.uniform(0, 1, count) * scale * (rng.random(count) < 0.3)

    least, most = (np.array([np.isfinite(getattr(row, side)) for row in problem.rows]) for side in ("least", "most"))
    worth = problem.weight.copy()
    mu, kappa = some(len(problem.floors)) / 20, some(len(problem.wanted)) / 4
    for floor, one in zip(problem.floors, mu, strict=True):
        worth[floor.cells] += one * floor.weights
    size = np.abs([max(row.amounts.max(initial=1), 1) for row in problem.rows])
    return Multipliers(rng.uniform(0.2, 1) * worth, some(len(problem.rows)) * least / size / 4,
                       some(len(problem.rows)) * most / size, some(int(problem.group.max()) + 1),
                       some(len(problem.near)), mu, kappa, np.arange(0, 2 * len(problem.near) + 1, 2),
                       problem.near.ravel().astype(np.int32))


def good_prices(problem: Problem, seed: int = 0, draws: int = 60) -> tuple[Multipliers, ...]:
    """The best of some draws, for each stage."""
    rng = np.random.default_rng(seed)
    singles = [relaxed(problem, stage) for stage in range(max(len(problem.stages), 1))]
    return tuple(min((drawn_prices(single, rng) for _ in range(draws)),
                     key=lambda one, single=single: dual(single, one)) for single in singles)


def bound_of(problem: Problem, prices: tuple[Multipliers, ...]) -> float:
    return sum(dual(relaxed(problem, stage), one) for stage, one in enumerate(prices))


def served(made: Toy, chosen: np.ndarray) -> float:
    """Weight that is served beyond what was there; where only the cost is the aim, of the cells served at all."""
    best = made.service[:, chosen].max(axis=1, initial=0.0)
    share = (best > 0) if made.objective["kind"] == "least_cost" else np.maximum(best - made.already, 0.0)
    return float((made.weight * share).sum())


def certificate_of(made: Toy, answer: Answer) -> Certificate:
    ranked = answer.chosen[np.lexsort((-answer.chosen, answer.stage))]
    cells = np.arange(SIDE * SIDE)
    return Certificate(
        STUDY["name"], STUDY["sha256"], made.table, sp.csc_matrix(made.service.astype(np.float32)), made.weight,
        made.weight, cells // SIDE, cells % SIDE, made.already, made.objective, answer, ranked,
        served(made, answer.chosen), tuple(made.limits), tuple(made.floors), tuple(made.floor_cells),
        tuple(np.ones(len(part)) for part in made.floor_cells), tuple(made.wanted), tuple(made.stages), made.spacing_m,
        {"siteplan": "0"}, {})


def write_folder(made: Toy, answer: Answer, folder: Path) -> Path:
    """An output folder: the certificate, and the tables beside it as a plan writes them."""
    facts = certificate_of(made, answer)
    write_certificate(facts, folder)
    years = [stage["year"] for stage in made.stages]
    when = {int(number): int(stage) for number, stage in zip(answer.chosen, answer.stage, strict=True)}
    table, sites, before = made.table, [], 0.0
    for rank, number in enumerate(facts.ranked.tolist(), 1):
        row, so_far = table.loc[number], served(made, np.sort(facts.ranked[:rank]))
        sites.append({"site_id": row["site_id"], "rank_no": rank, "x": row["x"], "y": row["y"],
                      "cost_yuan": row["cost_yuan"], "gain": round(so_far - before, 3),
                      "build_year": years[when[number]] if years else None, "station_count": int(row["stations"]),
                      "name": f"站{number}", "reason": f"第{rank}位:新增服务最多", "department": row["department"],
                      "must_be_free": bool(row["must_be_free"])})
        before = so_far
    chosen = table.loc[facts.ranked]
    bound = {"status": answer.status, "value": answer.value, "upper_bound": none(answer.bound),
             "optimality_gap": none(answer.gap), "covered": facts.served_weight,
             "total_weight": float(made.weight.sum())}
    after = {"proposed": len(chosen), "proposed_cost_yuan": float(chosen["cost_yuan"].sum())}
    plan = {"study": STUDY, "sites": sites, "bound": bound, "indicators": {"after": {"sites": after}},
            "parameters": {"selection": {
                "objective": made.objective["kind"], "max_sites": 4, "budget_yuan": None, "spacing_m": 30.0,
                "backup_share": made.objective["backup"], "phases": {"years": years}, "free_share_least": None,
                "quotas": [{key: one[key] for key in ("of", "value", "unit", "count", "year", "least", "most", "free")}
                           for one in made.limits if one["of"] != "free"]}}}
    (folder / "plan.json").write_text(json.dumps(plan, ensure_ascii=False), "utf-8")
    layer = master_table(table, sites)
    layer.to_file(folder / "candidates.gpkg", layer="sites", driver="GPKG")
    master = layer.drop(columns=["status", "source", "spacing_m"]).loc[facts.ranked]
    master.to_file(folder / "sites.gpkg", layer="sites", driver="GPKG")
    (folder / "shp").mkdir(exist_ok=True)
    write_shapefile(master, folder / "shp" / "sites.shp")
    sectors = [("E001-1", "现有"), *((f"{name}-{sector}", "规划") for name in chosen["site_id"] for sector in (1, 2))]
    pd.DataFrame(sectors, columns=["sector_id", "status"]).rename_axis("server").to_csv(
        folder / "servers.csv", encoding="utf-8-sig")
    return folder


def master_table(table: pd.DataFrame, sites: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """All sites in the columns and words of the site layer; what the toy knows nothing of is empty."""
    empty = {"text": "", "int": 0, "float": 0.0}
    words = table.assign(
        status=np.where(table["state"] == "barred", "refused", "candidate"), station_count=table["stations"],
        must_be_free=table["must_be_free"].map({1: "是", 0: "否"}),
        kind=table["kind"].map({"macro": "宏站", "micro": "微站"}))
    known = [name for name in (*site_fields(), "status", "source", "spacing_m") if name in words]
    layer = pd.DataFrame({name: empty[field["type"]] for name, field in site_fields().items()}, index=table.index)
    layer = layer.assign(**{name: words[name] for name in known}).set_index(table["site_id"], drop=False)
    layer["build_year"] = np.nan  # of a site that is not built, or of a plan without phases
    for site in sites:
        layer.loc[site["site_id"], "status"] = "proposed"
        for name in ("rank_no", "build_year", "gain", "name", "reason"):
            layer.loc[site["site_id"], name] = site[name]
    return gpd.GeoDataFrame(layer.set_index(table.index), crs="EPSG:4547",
                            geometry=gpd.points_from_xy(table["x"], table["y"]))


def none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def solved(made: Toy, **claims: Any) -> Answer:
    """The best plan with the bound of simple multipliers."""
    problem = problem_of(made)
    best = brute_force(problem)
    if best is None:
        raise ValueError("no plan")
    prices = good_prices(problem)
    facts = {"status": "feasible", "chosen": best[1], "stage": best[2].astype(np.int32), "value": best[0],
             "bound": bound_of(problem, prices), "multipliers": prices, "proof": "multipliers", "method": "toy"}
    return Answer(**{**facts, **claims})


# ---- tampering: each takes a folder and changes one thing in it


def change_json(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    facts = json.loads((folder / name).read_text("utf-8"))
    change(facts)
    (folder / name).write_text(json.dumps(facts, ensure_ascii=False), "utf-8")


def seal(folder: Path) -> None:
    """The sums of the files as they are now: a careful forger does not forget them."""
    place = folder / "certificate"
    change_json(folder, "certificate/certificate.json", lambda facts: facts["files"].update(
        {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in facts["files"]}))


def change_table(folder: Path, change: Callable[[pd.DataFrame], Any]) -> None:
    path = folder / "certificate" / "candidates.csv"
    table = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False)
    found = change(table)
    (table if found is None else found).to_csv(path, index=False, encoding="utf-8-sig")
    seal(folder)


def change_arrays(folder: Path, name: str, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    path = folder / "certificate" / name
    with np.load(path) as saved:
        arrays = {key: saved[key] for key in saved.files}
    change(arrays)
    np.savez(path, **arrays)
    seal(folder)


def change_layer(folder: Path, name: str, change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]) -> None:
    table = change(gpd.read_file(folder / name, layer="sites"))
    (folder / name).unlink()
    table.to_file(folder / name, layer="sites", driver="GPKG")


def change_shapefile(folder: Path, change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]) -> None:
    path = folder / "shp" / "sites.shp"
    change(gpd.read_file(path)).to_file(path, encoding="UTF-8")


def copied(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target, dirs_exist_ok=True))


def table_of(folder: Path) -> pd.DataFrame:
    """candidates.csv of a folder."""
    return pd.read_csv(folder / "certificate" / "candidates.csv", encoding="utf-8-sig")
