"""The instances of the benchmarks are those of their recipes: small checks; sizes are checked when they are made."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import selection_instances as made

from siteplan.selection.model.count import breaches, value_of


def test_clustered_instance_of_the_recipe() -> None:
    """Incidences, radius and weight are held against the recipe inside; numbers along the curve make long intervals."""
    problem, most = made.instance("S")
    assert (len(problem), problem.reach.cells, most) == (1000, 10_000, 50)
    assert problem.reach.counts.sum() == 150_445
    assert len(problem.reach.first) < 150_445 / 10


def test_another_instance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = (*made.CLUSTERED["S"][:2], 2, *made.CLUSTERED["S"][3:])  # another seed
    monkeypatch.setitem(made.CLUSTERED, "S", changed)
    with pytest.raises(made.WrongInstanceError, match="radius"):
        made.instance("S")


def test_reach_of_points_equals_distances() -> None:
    random = np.random.default_rng(3)
    points, sites = random.random((300, 2)), random.random((40, 2))
    points = points[made.along_curve(points)]
    found = made.reach_of_points(points, sites, 0.2).matrix().toarray() > 0
    assert (found == (np.linalg.norm(points[:, None] - sites, axis=2) <= 0.2)).all()


def test_hilbert_curve_steps_to_a_neighbour() -> None:
    """Sixteen cells of a square, visited once each, side by side."""
    cells = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2)
    order = np.argsort(made.hilbert((cells + 0.5) / 4, bits=2))
    assert sorted(made.hilbert((cells + 0.5) / 4, bits=2).tolist()) == list(range(16))
    assert (np.abs(np.diff(cells[order], axis=0)).sum(axis=1) == 1).all()


def test_discs_are_clipped_to_the_raster() -> None:
    row, col = np.array([100, 0, made.SIDE - 1]), np.array([200, 0, 17])
    reach = made.discs(row, col)
    for candidate in range(3):
        at, across = np.divmod(reach.cells_of(candidate), made.SIDE)
        grid = np.mgrid[max(row[candidate] - 30, 0):min(row[candidate] + 31, made.SIDE),
                        max(col[candidate] - 30, 0):min(col[candidate] + 31, made.SIDE)].reshape(2, -1)
        offset = grid - np.array([[row[candidate]], [col[candidate]]])
        inside = grid[:, np.abs(offset[1]) <= np.sqrt(900 - offset[0] ** 2).astype(int)]
        assert (np.stack([at, across]) == inside[:, np.lexsort((inside[1], inside[0]))]).all()


def test_near_pairs_are_those_nearer_than_a_hundred_metres() -> None:
    random = np.random.default_rng(4)
    row, col = random.integers(0, 60, (2, 80))
    expected = [(i, k) for i, k in combinations(range(80), 2) if (row[i] - row[k]) ** 2 + (col[i] - col[k]) ** 2 < 100]
    assert [tuple(pair) for pair in made.near_pairs(row, col).tolist()] == expected


def test_years_add_up_to_the_aim() -> None:
    """7,400 stand; 2,600 in three years make the 10,000 that the last year asks for, and no fewer do."""
    stages = made.phases(3000)
    assert sum(stage.new[0].most for stage in stages) == made.CITY_SITES
    assert stages[-1].on_air[0].least == stages[-1].on_air[0].already + made.CITY_SITES
    assert sum(stage.worth for stage in stages) == pytest.approx(1)


def test_known_optima_are_reached_by_their_sites() -> None:
    if not made.CHECKS.exists():
        pytest.skip("../shared/checks is absent")
    import json

    known = json.loads((made.CHECKS / "maxcover" / "optima.json").read_text(encoding="utf-8"))
    for number, one in enumerate(known):
        problem, most, optimum = made.maxcover(number)
        chosen = np.array(one["opt_sites"])
        assert len(chosen) <= most
        assert value_of(problem, chosen) == optimum
        assert not breaches(problem, chosen)


def test_best_single_site_of_sjc() -> None:
    if not made.CHECKS.exists():
        pytest.skip("../shared/checks is absent")
    table = made.sjc_optima()
    assert len(table) == 36
    for case in table[table["p"] == 1].itertuples():
        problem = made.sjc(case.instance, case.R_m, 1)
        assert problem.reach.sums(problem.weight).max() == case.optimum
