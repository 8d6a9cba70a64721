"""Verifying: an honest certificate passes, whatever is tampered with is found, and named for what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from certificate_toy import (
    HEADER,
    Toy,
    bound_of,
    brute_force,
    certificate_of,
    change_arrays,
    change_json,
    change_layer,
    change_shapefile,
    change_table,
    copied,
    drawn_prices,
    problem_of,
    solved,
    toy,
    write_folder,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

import siteplan.verify._verdict as verdict_module
from siteplan.export._certificate import write_certificate
from siteplan.selection.model import Answer
from siteplan.selection.model.count import value_of
from siteplan.selection.model.problem import relaxed
from siteplan.verify import Verdict, verify
from siteplan.verify._bound import bound_of as recounted_bound
from siteplan.verify._problem import Case, case_of, single
from siteplan.verify._read import candidate_blocks, read_papers
from siteplan.verify._search import Search, search

KINDS: dict[str, dict[str, Any]] = {
    "all limits": {}, "phases": {"phases": True}, "least cost": {"kind": "least_cost", "backup": 0.0}}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind, with its best plan and a bound from simple multipliers."""
    return {name: write_folder(made, solved(made), tmp_path_factory.mktemp("honest"))
            for name, made in ((name, toy(**kind)) for name, kind in KINDS.items())}


@pytest.fixture
def folder(honest: dict[str, Path], tmp_path: Path) -> Path:
    return copied(honest["all limits"], tmp_path / "out")


def case_in(made: Toy, answer: Answer, place: Path) -> Case:
    write_certificate(certificate_of(made, answer), place)
    return case_of(read_papers(place))


def no_plan(status: str, **more: Any) -> Answer:
    nothing = np.zeros(0, dtype=np.int64)
    return Answer(status, nothing, nothing.astype(np.int32), 0.0, **more)


def claim(folder: Path, **claims: Any) -> None:
    """The same claims in the certificate and in plan.json."""
    change_json(folder, HEADER, lambda facts: facts.update(claims))
    names = {"value": "value", "bound": "upper_bound", "gap": "optimality_gap", "status": "status"}
    change_json(folder, "plan.json", lambda facts: facts["bound"].update(
        {names[key]: value for key, value in claims.items() if key in names}))


def facts_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / HEADER).read_text("utf-8")))


def chosen_of(folder: Path) -> list[int]:
    table = pd.read_csv(folder / "certificate" / "candidates.csv", encoding="utf-8-sig")
    return list(table.index[table["chosen"] == 1])


# ---- honest plans


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_plan_passes(honest: dict[str, Path], kind: str) -> None:
    """Value and bound as the toy counts them itself; only the spot check has no files to look at."""
    found, facts = verify(honest[kind]), facts_of(honest[kind])
    assert found.failed() == ()
    assert found.ok
    assert found.value == pytest.approx(facts["value"], rel=1e-12)
    assert found.bound == pytest.approx(facts["bound"], rel=1e-12)
    assert {check.name for check in found.checks if check.ok is None} == {"spot_files"}
    names = [check.name for check in found.checks]
    assert len(names) == len(set(names))
    assert sum(name.startswith("limit:") for name in names) == len(facts["limits"])


def test_every_check_tells_figures(honest: dict[str, Path]) -> None:
    found = verify(honest["phases"])
    assert all(check.zh for check in found.checks)
    assert all(check.found or check.told for check in found.checks)
    assert f"通过 {len(found.checks) - 1},未通过 0,未核 1" in found.sentences[0]
    assert json.loads(json.dumps(found.facts(), allow_nan=False))["status"] == "feasible"


def test_disjoint_reaches_are_proved_optimal(tmp_path: Path) -> None:
    """Three sites serve cells of their own worth 5, 4, 1; two may be built: lambda = w and a price of 4 prove 9."""
    made = toy(count=8, backup=0.0)
    made.limits, made.floors, made.floor_cells, made.wanted = made.limits[:1], [], [], []
    made.limits[0]["most"] = 2
    made.table = made.table.assign(price=0.0, spacing_m=0.0, venue="", state="free")
    made.spacing_m, made.already = 30.0, np.zeros_like(made.already)
    made.service = np.zeros_like(made.service)
    made.weight = np.zeros_like(made.weight)
    for number, weight in enumerate((5.0, 4.0, 1.0)):
        made.service[number, number], made.weight[number] = 1.0, weight
    problem = problem_of(made)
    prices = drawn_prices(problem, np.random.default_rng(0))
    zero = {name: np.zeros_like(getattr(prices, name))
            for name in ("groups", "cliques", "floors", "wanted", "rows_least")}
    proof = type(prices)(problem.weight, rows_most=np.array([4.0]), clique_indptr=prices.clique_indptr,
                         clique_members=prices.clique_members, **zero)
    answer = solved(made, multipliers=(proof,), bound=9.0, status="optimal")
    assert answer.value == 9.0
    found = verify(write_folder(made, answer, tmp_path))
    assert found.ok
    assert (found.value, found.bound, found.gap) == (9.0, 9.0, 0.0)


# ---- the bound


@settings(max_examples=15)
@given(seed=st.integers(0, 400), phases=st.booleans(), kind=st.sampled_from(["coverage", "least_cost"]))
def test_any_multipliers_bound_every_plan(tmp_path_factory: pytest.TempPathFactory, seed: int, phases: bool,
                                          kind: str) -> None:
    """Whatever they are: the recount is the toy's own, and no plan of brute force is worth more."""
    made = toy(seed, 6, phases, kind, 0.0 if kind == "least_cost" else 0.3)
    problem, rng = problem_of(made), np.random.default_rng(seed)
    prices = tuple(drawn_prices(relaxed(problem, stage), rng) for stage in range(len(made.stages) or 1))
    case = case_in(made, no_plan("unknown", multipliers=prices), tmp_path_factory.mktemp("bound"))
    found = recounted_bound(case)
    assert found.remarks == ()
    assert found.value == pytest.approx(bound_of(problem, prices), rel=1e-9, abs=1e-9)
    best = brute_force(problem)
    assert best is None or best[0] <= found.value + 1e-9


def test_order_of_rows_is_that_of_the_methods(tmp_path: Path) -> None:
    made = toy(phases=True)
    case = case_in(made, no_plan("unknown"), tmp_path)
    for stage in range(2):
        rows = relaxed(problem_of(made), stage).rows
        assert [(one.name, one.least, one.most, one.already) for one in single(case, stage).sums] == [
            (row.name.rsplit("#", 1)[0], row.least, row.most, row.already) for row in rows]


def test_blocks_cover_every_candidate_once() -> None:
    indptr = np.cumsum([0, 5, 0, 0, 9, 1, 0])
    for most in (1, 4, 7, 100):
        blocks = list(candidate_blocks(indptr, most))
        assert [number for first, end in blocks for number in range(first, end)] == list(range(6))


def test_cliques_that_are_none_are_not_paid_for(folder: Path) -> None:
    """A clique of sites that may stand together, and one that names a site twice, would make the bound too low."""
    near = {tuple(pair) for pair in toy().near.tolist()}
    far = next([one, other] for one in range(8) for other in range(one + 1, 8) if (one, other) not in near)

    def replaced(price: float, members: list[int]) -> Verdict:
        change_arrays(folder, "multipliers.npz", lambda arrays: arrays.update(
            cliques_0=np.array([price]), clique_indptr_0=np.array([0, 2]),
            clique_members_0=np.array(members, dtype=np.int32)))
        return verify(folder)

    without = replaced(0.0, far)
    for members in (far, [0, 0]):
        found = replaced(500.0, members)
        assert "1 个互斥组" in next(check.told for check in found.checks if check.name == "bound")
        assert found.bound == pytest.approx(without.bound)
    assert "互斥组" not in next(check.told for check in replaced(1.0, list(min(near))).checks if check.name == "bound")


def test_changed_multipliers_give_another_valid_bound(folder: Path) -> None:
    """Better ones are no fault and are told; worse ones do not prove what is claimed."""
    best = brute_force(problem_of(toy()))
    claimed = facts_of(folder)["bound"]
    assert best is not None
    change_arrays(folder, "multipliers.npz", lambda arrays: arrays.update(cells_0=arrays["cells_0"] * 0.0))
    found = verify(folder)
    assert "bound" in found.failed()
    assert found.bound > claimed >= best[0]
    claim(folder, bound=found.bound * 1.5, gap=(found.bound * 1.5 - found.value) / found.value)
    found = verify(folder)
    assert found.failed() == ()
    assert "更紧" in next(check.told for check in found.checks if check.name == "bound")
    change_arrays(folder, "multipliers.npz", lambda arrays: arrays.update(cells_0=arrays["cells_0"] - 1.0))
    assert any("负数" in check.told for check in verify(folder).checks)


# ---- the status word


@settings(max_examples=12)
@given(seed=st.integers(0, 400), phases=st.booleans(), kind=st.sampled_from(["coverage", "least_cost"]))
def test_search_equals_brute_force(tmp_path_factory: pytest.TempPathFactory, seed: int, phases: bool,
                                   kind: str) -> None:
    made = toy(seed, 6, phases, kind, 0.0 if kind == "least_cost" else 0.3)
    best = brute_force(problem_of(made))
    found = search(case_in(made, no_plan("unknown"), tmp_path_factory.mktemp("search")))
    assert found.word == ("infeasible" if best is None else "optimal")
    if best is not None:
        assert found.value == pytest.approx(best[0], rel=1e-6, abs=1e-6)


def test_search_proves_what_multipliers_do_not(honest: dict[str, Path], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimal by an exact search: repeated here. Where that is not possible, what the multipliers leave is told."""
    made = toy()
    answer = solved(made)
    place = write_folder(made, solved(made, status="optimal", proof="search", bound=answer.value), tmp_path)
    found = verify(place)
    assert found.ok
    assert "重做精确搜索,结果一致" in next(check.told for check in found.checks if check.name == "status")
    monkeypatch.setattr(verdict_module, "search", lambda _: Search("too_big"))
    found = verify(place)
    status = next(check for check in found.checks if check.name == "status")
    assert (found.word, status.ok) == ("部分未核", None)
    assert "未重做完精确搜索" in status.told
    assert f"{found.gap:.2%}" in status.told


@pytest.mark.parametrize("proof", ["multipliers", "search"])
def test_a_plan_that_is_not_the_best_is_not_optimal(tmp_path: Path, proof: str) -> None:
    made = toy()
    problem, best = problem_of(made), solved(made)
    worse = next(part for part in (np.delete(best.chosen, number) for number in range(len(best.chosen)))
                 if 4 in part and value_of(problem, part) < best.value)
    value = value_of(problem, worse)
    found = verify(write_folder(made, solved(made, chosen=worse, stage=np.zeros(len(worse), np.int32), value=value,
                                             bound=value, status="optimal", proof=proof), tmp_path))
    assert "status" in found.failed()


def test_infeasible_is_proved_again_or_refuted(tmp_path: Path) -> None:
    made = toy()
    refuted = verify(write_folder(made, no_plan("infeasible"), tmp_path / "refuted"))
    assert "status" in refuted.failed()
    assert "满足全部限制的方案" in next(check.told for check in refuted.checks if check.name == "status")
    made.limits[1]["most"] = 1000.0
    assert brute_force(problem_of(made)) is None
    proved = verify(write_folder(made, no_plan("infeasible"), tmp_path / "proved"))
    assert next(check.ok for check in proved.checks if check.name == "status") is True


def test_unknown_claims_nothing_but_has_no_plan(tmp_path: Path, honest: dict[str, Path]) -> None:
    found = verify(write_folder(toy(), no_plan("unknown"), tmp_path / "none"))
    assert next(check.ok for check in found.checks if check.name == "status") is True
    place = copied(honest["all limits"], tmp_path / "some")
    claim(place, status="unknown")
    assert "status" in verify(place).failed()


# ---- limits: each asked for a little more than the plan has, or allowed a little less


@pytest.mark.parametrize("kind", ["all limits", "phases"])
def test_every_limit_is_recounted(honest: dict[str, Path], tmp_path: Path, kind: str) -> None:
    place = copied(honest[kind], tmp_path / "out")
    before = verify(place)
    limits = facts_of(place)["limits"]
    for number, one in enumerate(limits):
        name = f"limit:{number}:{one['name']}"
        has = float(next(check.found for check in before.checks if check.name == name).split()[0])
        for side, value in (("most", has - 0.5), ("least", has + 0.5)):
            if one["of"] == "free":
                side, value = "share", 1.0
            change = {**one, "least": None, "most": None, side: value}
            change_json(place, HEADER, lambda facts, change=change, number=number: facts["limits"].__setitem__(
                number, change))
            assert name in verify_limits(place), (one, side)
        change_json(place, HEADER, lambda facts, one=one, number=number: facts["limits"].__setitem__(number, one))
    assert verify_limits(place) == ()


def verify_limits(place: Path) -> tuple[str, ...]:
    """Names of the limits that fail, without the rest of the work."""
    from siteplan.verify._limits import limit_checks

    return tuple(check.name for check in limit_checks(case_of(read_papers(place))) if check.ok is False)


def change_candidate(place: Path, number: int, **values: Any) -> None:
    def change(table: pd.DataFrame) -> None:
        for name, value in values.items():
            table.loc[number, name] = value

    change_table(place, change)


def test_states_venues_and_floors(folder: Path) -> None:
    one, other = chosen_of(folder)[:2]
    left = next(number for number in range(8) if number not in chosen_of(folder))
    changes: dict[str, Callable[[], None]] = {
        "locked": lambda: change_candidate(folder, left, state="locked"),
        "barred": lambda: change_candidate(folder, one, state="barred"),
        "venue": lambda: (change_candidate(folder, one, venue="X"), change_candidate(folder, other, venue="X"))[0],
        "floor:0:甲村": lambda: change_json(folder, HEADER, lambda facts: facts["floors"][0].update(least=100.0)),
        "wanted:0:两村": lambda: change_json(folder, HEADER, lambda facts: facts["wanted"][0].update(least=3)),
    }
    for name, change in changes.items():
        change()
        assert name in verify_limits(folder)


def test_fixed_years(honest: dict[str, Path], tmp_path: Path) -> None:
    place = copied(honest["phases"], tmp_path / "out")
    number = chosen_of(place)[0]
    year = pd.read_csv(place / "certificate" / "candidates.csv", encoding="utf-8-sig").loc[number, "year"]
    change_candidate(place, number, fixed_year=2026 + 2027 - int(year))
    assert verify_limits(place) == ("fixed_years",)


def test_two_sites_nearer_than_their_spacing(folder: Path) -> None:
    """Moved in every file alike: only the rule of two sites tells."""
    one, other = chosen_of(folder)[:2]
    table = pd.read_csv(folder / "certificate" / "candidates.csv", encoding="utf-8-sig").set_index("site_id")
    name, to = table.index[one], table.iloc[other]
    dx, dy = to["x"] + 29.0 - table.loc[name, "x"], to["y"] - table.loc[name, "y"]
    change_candidate(folder, one, x=to["x"] + 29.0, y=to["y"])
    change_json(folder, "plan.json", lambda facts: [
        site.update(x=to["x"] + 29.0, y=to["y"]) for site in facts["sites"] if site["site_id"] == name])
    for layer in ("sites.gpkg", "candidates.gpkg"):
        change_layer(folder, layer, lambda found: found.assign(geometry=[
            translate(point, dx, dy) if site == name else point
            for site, point in zip(found["site_id"], found.geometry, strict=True)]))
    change_shapefile(folder, lambda found: found.set_geometry(
        found.geometry.where(found["ZZBH"] != name, found.geometry.translate(dx, dy))))
    found = verify(folder)
    assert set(found.failed()) <= {"spacing", "bound"}
    assert "spacing" in found.failed()


def test_verdict_has_its_words() -> None:
    nothing = Verdict(True, "通过", "optimal", 1.0, float("inf"), float("inf"), (), ())
    assert nothing.facts()["bound"] is None
