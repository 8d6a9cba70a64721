"""A certificate read and recounted in plain loops: no code of the package, none of ``siteplan verify``."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Papers:
    """The files of ``certificate/`` of a plan without phases, of one level of service."""

    facts: dict[str, Any]
    rows: list[dict[str, str]]
    cells: list[np.ndarray]
    weight: np.ndarray
    prices: dict[str, np.ndarray]

    def numbers(self, name: str) -> list[float]:
        """A column of the table of candidates."""
        return [float(row[name]) for row in self.rows]

    @property
    def ranked(self) -> list[int]:
        """Numbers of the chosen candidates in the order of rank."""
        chosen = [number for number, row in enumerate(self.rows) if row["chosen"] == "1"]
        return sorted(chosen, key=lambda number: int(self.rows[number]["rank_no"]))


def read_certificate(out: Path) -> Papers:
    folder = out / "certificate"
    facts = json.loads((folder / "certificate.json").read_text("utf-8"))
    with (folder / "candidates.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with np.load(folder / "reach.npz") as saved:
        start, indices, weight = saved["indptr"], saved["indices"], saved["weight"]
    with np.load(folder / "multipliers.npz") as saved:
        prices = {name.removesuffix("_0"): saved[name] for name in saved.files}
    cells = [indices[start[number]:start[number + 1]] for number in range(len(rows))]
    return Papers(facts, rows, cells, weight, prices)


def gains_of(papers: Papers) -> list[float]:
    """Weight that each chosen site is the first to serve, in the order of rank."""
    left, found = papers.weight.copy(), []
    for number in papers.ranked:
        found.append(float(left[papers.cells[number]].sum()))
        left[papers.cells[number]] = 0.0
    return found


def apart_m(papers: Papers, one: int, other: int) -> float:
    """Distance of two candidates."""
    here, there = papers.rows[one], papers.rows[other]
    return math.dist((float(here["x"]), float(here["y"])), (float(there["x"]), float(there["y"])))


def too_near(papers: Papers, one: int, other: int) -> bool:
    """Whether two candidates may not both be built: nearer than the smaller spacing of both, or of one venue."""
    here, there = papers.rows[one], papers.rows[other]
    least = max(min(float(here["spacing_m"]), float(there["spacing_m"])), float(papers.facts["spacing_m"]))
    return apart_m(papers, one, other) < least or (here["venue"] != "" and here["venue"] == there["venue"])


def counted(papers: Papers, limit: dict[str, Any]) -> list[float]:
    """What each candidate counts under a limit on everything that is chosen."""
    assert limit["of"] in ("all", "county", "town", "department", "kind", "tier", "source", "owner")
    assert limit["year"] is None
    each = {"站址": [1.0] * len(papers.rows), "基站": papers.numbers("stations"), "元": papers.numbers("cost_yuan")}
    mine = [limit["of"] == "all" or row[limit["of"]] == limit["value"] for row in papers.rows]
    return [amount if member else 0.0 for amount, member in zip(each[limit["unit"]], mine, strict=True)]


def bound_of(papers: Papers) -> float:
    """What no plan exceeds, from the multipliers of cells, limits, venues and cliques."""
    lam = np.clip(papers.prices["cells"].ravel(), 0.0, papers.weight)
    total = float((papers.weight - lam).sum())
    profit = [float(lam[cells].sum()) - price
              for cells, price in zip(papers.cells, papers.numbers("price"), strict=True)]
    for number, limit in enumerate(papers.facts["limits"]):
        most = papers.prices["rows_most"][number] if limit["most"] is not None else 0.0
        least = papers.prices["rows_least"][number] if limit["least"] is not None else 0.0
        total += most * ((limit["most"] or 0.0) - limit["already"])
        total -= least * ((limit["least"] or 0.0) - limit["already"])
        for candidate, amount in enumerate(counted(papers, limit)):
            profit[candidate] -= (most - least) * amount
    venues = list(dict.fromkeys(row["venue"] for row in papers.rows if row["venue"]))
    total += float(papers.prices["groups"].sum())
    for candidate, row in enumerate(papers.rows):
        if row["venue"]:
            profit[candidate] -= papers.prices["groups"][venues.index(row["venue"])]
    start, members = papers.prices["clique_indptr"], papers.prices["clique_members"]
    for number, price in enumerate(papers.prices["cliques"]):
        clique = members[start[number]:start[number + 1]].tolist()
        assert price >= 0
        assert all(too_near(papers, one, other) for place, one in enumerate(clique) for other in clique[:place])
        total += price
        for candidate in clique:
            profit[candidate] -= price
    states = [row["state"] for row in papers.rows]
    return total + sum(worth if state == "locked" else max(worth, 0.0)
                       for worth, state in zip(profit, states, strict=True) if state != "barred")
