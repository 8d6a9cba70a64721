"""Service in part: sub-cells weigh what the best chosen candidate serves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.selection.levels import TOLERANCE, Levels, levelled, service_of
from siteplan.selection.model.count import value_of
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix

GRADES = (0.0, 0.0, 0.25, 0.5, 0.55, 0.9, 1.0)


@st.composite
def towns(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Service (cells x candidates), weights, what was there, a choice."""
    cells, candidates = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    grade = st.sampled_from(GRADES)
    service = np.array(draw(st.lists(st.lists(grade, min_size=candidates, max_size=candidates),
                                     min_size=cells, max_size=cells)))
    weight = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0]), min_size=cells, max_size=cells)))
    already = np.array(draw(st.lists(grade, min_size=cells, max_size=cells)))
    chosen = sorted(draw(st.sets(st.integers(0, candidates - 1))))
    return service, weight, already, chosen


def served(split: Levels, chosen: list[int]) -> float:
    return value_of(cover_problem(split.reach, split.weight), np.array(chosen, dtype=np.int64))


@given(towns())
def test_served_sub_cells_weigh_the_best_service(town: tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]) -> None:
    service, weight, already, chosen = town
    best = service[:, chosen].max(axis=1, initial=0.0)
    plain, above = (levelled(sp.csc_matrix(service), weight, before) for before in (None, already))
    assert served(plain, chosen) == pytest.approx(float(weight @ best))
    assert served(above, chosen) == pytest.approx(float(weight @ np.maximum(best - already, 0.0)))
    assert plain.plain(plain.weight)[weight > 0].sum() == pytest.approx(max(plain.levels) * weight.sum())


@given(towns())
def test_intervals_are_those_of_the_matrix_of_sub_cells(
        town: tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]) -> None:
    """Intervals neither meet nor overlap, over the edge between two levels too."""
    service, weight, _, _ = town
    split = levelled(sp.csc_matrix(service), weight)
    stacked = reach_of_matrix(sp.csc_matrix(np.vstack([service >= level for level in split.levels]).astype(float)))
    for own, other in ((split.reach.first, stacked.first), (split.reach.end, stacked.end),
                       (split.reach.indptr, stacked.indptr)):
        np.testing.assert_array_equal(own, other)
    assert split.reach.cells == len(split.levels) * len(weight)


def test_whole_service_is_the_plain_problem() -> None:
    reach = sp.csc_matrix(np.array([[1, 0], [1, 1], [0, 1]]))
    split = levelled(reach, [3.0, 2.0, 1.0])
    assert (split.levels, split.weight.tolist()) == ((1.0,), [3.0, 2.0, 1.0])
    assert split.reach.end.tolist() == reach_of_matrix(reach).end.tolist()


def test_nearly_equal_levels_are_one_and_service_is_never_rounded_up() -> None:
    service = np.array([[0.8, 0.8 + 1.5 * TOLERANCE, 0.8 + 3 * TOLERANCE, 0.9]])
    split = levelled(sp.csc_matrix(service), [1.0])
    assert split.levels == (0.8, 0.8 + 3 * TOLERANCE, 0.9)
    assert split.service.toarray().tolist() == [[0.8, 0.8, 0.8 + 3 * TOLERANCE, 0.9]]
    assert (split.service.toarray() <= service).all()


@pytest.mark.parametrize("preference", [[1.0, 0.95, 0.55], [0.3, 0.7, 0.1]])
def test_a_recount_from_the_stored_service_finds_the_same_servers(preference: list[float]) -> None:
    """Service is stored as float32 and compared with the tolerance of the certificate."""
    heard = sp.csc_matrix(np.array([[0.5, 0.76, 0.99], [0.9, 0.2, 0.75]]))
    split = levelled(service_of(heard, preference, (0.5, 0.75, 0.9)), [4.0, 6.0])
    stored = split.service.astype(np.float32).toarray().astype(float)
    for level, p in enumerate(split.levels):
        for candidate in range(3):
            cells = split.reach.cells_of(candidate) - 2 * level
            own = cells[(cells >= 0) & (cells < 2)]
            assert own.tolist() == np.flatnonzero(stored[:, candidate] >= p - TOLERANCE).tolist()


def test_grades_round_down_and_entries_without_service_are_gone() -> None:
    heard = sp.csc_matrix(np.array([[0.49, 0.5, 0.89, 0.9]]))
    graded = service_of(heard, np.ones(4), (0.5, 0.75, 0.9))
    assert graded.toarray().tolist() == [[0.0, 0.5, 0.75, 0.9]]
    assert graded.nnz == 3


def test_without_grades_a_served_cell_counts_whole() -> None:
    heard = sp.csc_matrix(np.array([[0.3, 0.75, 1.0]]))
    assert service_of(heard, [1.0, 0.5, 0.5], least=0.75).toarray().tolist() == [[0.0, 0.5, 0.5]]
    assert service_of(heard, [1.0, 0.5, 0.5]).toarray().tolist() == [[1.0, 0.5, 0.5]]
    assert service_of(heard, np.ones(3), (0.1, 0.9), least=0.75).toarray().tolist() == [[0.0, 0.1, 0.9]]


def test_nothing_served_is_a_problem_too() -> None:
    split = levelled(sp.csc_matrix((3, 2)), [1.0, 2.0, 3.0])
    assert (split.levels, split.weight.tolist(), split.reach.counts.tolist()) == ((1.0,), [1.0, 2.0, 3.0], [0, 0])
    assert levelled(sp.csc_matrix((0, 2)), []).reach.cells == 0


@pytest.mark.parametrize(("service", "weight", "already", "said"), [
    (np.ones((1, 1)), [1.0], None, "sparse"),
    (sp.csc_matrix([[1.5]]), [1.0], None, r"service must lie in \(0, 1\]"),
    (sp.csc_matrix([[-0.5]]), [1.0], None, r"service must lie in \(0, 1\]"),
    (sp.csc_matrix([[np.nan]]), [1.0], None, r"service must lie in \(0, 1\]"),
    (sp.csc_matrix([[1.0]]), [-1.0], None, "weights must be finite"),
    (sp.csc_matrix([[1.0]]), [np.nan], None, "weights must be finite"),
    (sp.csc_matrix([[1.0]]), [1.0, 2.0], None, "service of 1 cells, 2 weights"),
    (sp.csc_matrix([[1.0]]), [1.0], [2.0], "already"),
    (sp.csc_matrix([[1.0]]), [1.0], [np.nan], "already"),
])
def test_bad_service_is_named(service: object, weight: list[float], already: list[float] | None, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        levelled(service, weight, already)


@pytest.mark.parametrize(("preference", "grades", "said"), [
    ([1.0], None, "1 preferences for 2 candidates"), ([1.0, 0.0], None, "preferences must lie"),
    ([1.0, 1.2], None, "preferences must lie"), ([1.0, np.nan], None, "preferences must lie"),
    ([1.0, 1.0], (0.9, 0.5), "grades must rise"), ([1.0, 1.0], (), "grades must rise"),
    ([1.0, 1.0], (0.0, 0.5), "grades must rise"), ([1.0, 1.0], (0.5, 1.5), "grades must rise")])
def test_bad_preferences_and_grades_are_named(preference: list[float], grades: tuple[float, ...] | None,
                                              said: str) -> None:
    with pytest.raises(ModelError, match=said):
        service_of(sp.csc_matrix(np.ones((1, 2))), preference, grades)


@pytest.mark.parametrize("heard", [1.2, -0.1, np.nan])
def test_what_is_no_probability_is_refused(heard: float) -> None:
    with pytest.raises(ModelError, match="probabilities must lie"):
        service_of(sp.csc_matrix([[heard]]), [1.0])
