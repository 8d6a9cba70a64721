"""The price of preference: the plan with free public venues favoured beside the plan without any preference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siteplan.errors import ModelError
from siteplan.selection.choose import Selection, finished
from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Effort
from siteplan.selection.serving import new_weights
from siteplan.selection.task import is_public, task_of

STRENGTHS = (0.0, 0.5, 1.0, 2.0)
"""Powers the preference of the tiers is taken to: 0 none, 1 as the study says."""
BASIS_ZH = {"same_limits": "同样的限制", "same_sites": "同样站数", "same_cost": "同样投资"}
PREFERENCE_COLUMNS = {
    "basis": "", "plan": "", "sites": 0, "free_sites": 0, "public_sites": 0, "private_sites": 0, "capex_yuan": np.nan,
    "yearly_yuan": np.nan, "cost_yuan": 0.0, "served_weight": 0.0, "served_demand": 0.0, "gap_share": 0.0}
"""Columns of :attr:`PreferencePrice.table`."""


@dataclass(frozen=True)
class PreferencePrice:
    """Two plans beside each other, and the way to them for several strengths of preference.

    Neither need be the best of its kind; each has a gap of its own.

    Attributes
    ----------
    table : DataFrame
        Six rows: ``basis`` (``same_limits``: both whole; ``same_sites``: the first choices of each, as many as the
        smaller plan has; ``same_cost``: the first choices of each, as far as the cost of the cheaper plan goes) by
        ``plan`` (``favoured``, ``none``), and ``sites``, of these ``free_sites`` (must be free), ``public_sites``
        (other public ones) and ``private_sites``; ``capex_yuan``, ``yearly_yuan`` (NaN where the candidates do not
        tell), ``cost_yuan``; ``served_weight``, ``served_demand``, ``gap_share`` (of the weight of the whole gap).
    curve : DataFrame
        For every strength (power of the preference) a row for each number of sites from 0: ``strength, step, site_id,
        cost_yuan, served_weight, served_demand, gap_share``, all but ``site_id`` summed up to there.
    """

    table: pd.DataFrame
    curve: pd.DataFrame

    def difference(self) -> pd.DataFrame:
        """The favoured plan less the one without preference, one row for each basis.

        Returns
        -------
        DataFrame
            Index ``basis``; the number columns of ``table``.
        """
        whole = self.table.set_index(["plan", "basis"])
        return whole.loc["favoured"] - whole.loc["none"]


def _curve(plan: Selection, demand: np.ndarray, strength: float) -> pd.DataFrame:
    """What the first 0, 1, 2, ... choices cost and serve."""
    cost = plan.task.cost[plan.chosen]
    total = float(plan.weight.sum())
    served = np.r_[0.0, np.cumsum(plan.gains)]
    levels = plan.task.levels
    people = new_weights(levels.service, demand, plan.chosen, levels.already)
    return pd.DataFrame({
        "strength": strength, "step": np.arange(len(plan.site_ids) + 1), "site_id": ["", *plan.site_ids],
        "cost_yuan": np.r_[0.0, np.cumsum(cost)], "served_weight": served,
        "served_demand": np.r_[0.0, np.cumsum(people)],
        "gap_share": served / total if total > 0 else 0.0 * served})


def _row(basis: str, plan: str, steps: int, made: Selection, curve: pd.DataFrame) -> dict[str, object]:
    """One row of the table: the first ``steps`` choices of a plan."""
    chosen = made.task.candidates.iloc[made.chosen[:steps]]
    private = ~is_public(chosen)
    free = chosen["must_be_free"].to_numpy(dtype=bool) & ~private
    money = {name: float(chosen[name].sum()) if name in chosen else np.nan for name in ("capex_yuan", "yearly_yuan")}
    sums = curve.iloc[steps]
    return {"basis": basis, "plan": plan, "sites": steps, "free_sites": int(free.sum()),
            "public_sites": int((~free & ~private).sum()), "private_sites": int(private.sum()), **money,
            **{name: float(sums[name]) for name in ("cost_yuan", "served_weight", "served_demand", "gap_share")}}


def compare_preference(selection: Selection, demand: np.ndarray, strengths: Sequence[float] = STRENGTHS,
                       ) -> PreferencePrice | None:
    """Choose again with other strengths of the preference for free public venues, within the same limits.

    Parameters
    ----------
    selection : Selection
        The plan with the preference as it is; its candidates have ``must_be_free`` and ``must_open`` or ``tier``;
        ``capex_yuan`` and ``yearly_yuan`` are summed where they are there. Yuan.
    demand : ndarray, shape (demand cells,)
        Plain demand per cell.
    strengths : sequence of float
        Powers the preference is taken to (a price of the tiers is multiplied), >= 0; 0 and 1 are always among them. The
        plan without preference is made as the selection was (with years by swaps), those between by swaps alone.

    Returns
    -------
    PreferencePrice or None
        None where no plan without preference was found; a strength for which none was found has no curve.

    Raises
    ------
    ModelError
        Missing columns, a negative strength, or a demand of another shape.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.params import SelectionParams
    >>> from siteplan.selection.choose import select_sites
    >>> sites = pd.DataFrame({"cost_yuan": [20.0, 10.0], "preference": [0.5, 1.0], "x": [0.0, 2000.0], "y": 0.0,
    ...                       "tier": [4, 1], "must_be_free": [False, True]}, index=["roof", "school"])
    >>> reach = sp.csc_matrix(np.array([[1, 0], [0, 1]]))
    >>> plan = select_sites(sites, reach, np.array([5.0, 4.0]), SelectionParams(max_sites=1, min_gain=2))
    >>> price = compare_preference(plan, np.array([5.0, 4.0]))
    >>> price.difference().loc["same_limits", ["cost_yuan", "served_weight"]].tolist()
    [-10.0, -1.0]
    """
    candidates = selection.task.candidates
    needed = {"must_be_free", "must_open" if "must_open" in candidates else "tier"}
    missing = sorted(needed - set(candidates))
    if missing:
        raise ModelError(f"candidates lack the columns {', '.join(missing)}")
    if any(not value >= 0 for value in strengths):
        raise ModelError(f"strengths of preference must be >= 0: {list(strengths)}")
    if np.shape(demand) != selection.weight.shape:
        raise ModelError(f"demand has shape {np.shape(demand)}, weight {selection.weight.shape}: one number per cell")
    made = {strength: selection if strength == 1 else _again(selection, strength)
            for strength in sorted({0.0, 1.0, *map(float, strengths)})}
    if made[0.0] is None:
        return None
    plans = {strength: plan for strength, plan in made.items() if plan is not None}
    curves = {strength: _curve(plan, np.asarray(demand), strength) for strength, plan in plans.items()}
    ends = {"favoured": 1.0, "none": 0.0}
    number = min(len(curves[strength]) for strength in ends.values()) - 1
    purse = min(float(curves[strength]["cost_yuan"].iloc[-1]) for strength in ends.values()) * (1 + 1e-12)
    rows = []
    for basis in BASIS_ZH:
        for name, strength in ends.items():
            curve = curves[strength]
            steps = {"same_limits": len(curve) - 1, "same_sites": number,
                     "same_cost": int(np.searchsorted(curve["cost_yuan"].to_numpy(), purse, side="right")) - 1}[basis]
            rows.append(_row(basis, name, steps, plans[strength], curve))
    return PreferencePrice(pd.DataFrame(rows, columns=list(PREFERENCE_COLUMNS)),
                           pd.concat(list(curves.values()), ignore_index=True))


def _again(selection: Selection, strength: float) -> Selection | None:
    """The plan with another strength of the preference, None where none was found; without any, nobody gives way."""
    task = selection.task
    params = task.params if strength > 0 else task.params.model_copy(update={"give_way_m": 0.0})
    other = task_of(task.candidates, task.given, task.weight, params, task.wishes, strength)
    whole = strength == 0 and not task.problem.stages  # with years every further plan is a long search
    method, effort = params.method if whole else "swap", Effort(seed=params.seed, seconds=params.seconds)
    # swaps do not look at the bound, and nobody asks for that of a plan to compare with
    answer = solve(other.problem, method, replace(effort, passes=1) if method == "swap" else effort)
    if answer.status not in ("optimal", "feasible"):
        answer = solve(other.problem, "auto", effort)
    if answer.status not in ("optimal", "feasible"):
        return None
    return finished(other, answer)


def _compared(what: str, value: float, unit: str, digits: int = 0) -> str:
    """A difference in words; what rounds to nothing is told as none."""
    size = round(abs(float(value)), digits)
    return f"{what}{'少' if value < 0 else '多'}{size:,.{digits}f}{unit}" if size > 0 else f"{what}相同"


def price_sentences(price: PreferencePrice, unit: str = "人", years: float | None = None) -> list[str]:
    """What the preference costs or saves, one sentence for each basis, and how far to trust it.

    Parameters
    ----------
    price : PreferencePrice
    unit : str
        Unit of the plain demand.
    years : float, optional
        Years of rent and power in the cost (``candidates.cost_years``), told where they are given.
    """
    lines = []
    for basis, row in price.difference().iterrows():
        lines.append(f"{BASIS_ZH[str(basis)]}时,优先免费公共场所比不设优先:"
                     f"{_compared('站数', row['sites'], '处')},{_compared('投资估算', row['cost_yuan'] / 1e4, '万元', 1)},"
                     f"{_compared('服务需求', row['served_demand'], unit)},"
                     f"{_compared('非公共站址', row['private_sites'], '处')}。")
    if years is not None:
        lines.append(f"投资估算 = 建设投资 + {years:g}年租金和电费。")
    return [*lines, "两个方案都不一定是最优;差额小于各自与上界的距离时不足为凭。"]
