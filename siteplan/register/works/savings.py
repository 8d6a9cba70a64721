"""What joint work may save: an estimate of the table's rates, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.register.works.rates import JointWorks, WorksKind

Floats = NDArray[np.float64]
PARTS = {"trench_yuan": "共沟", "foundation_yuan": "基础", "power_yuan": "引电", "positions_yuan": "机房与屋面位置"}
"""Parts of a saving and their words."""


def saving_parts(table: pd.DataFrame, sites: pd.DataFrame, rules: JointWorks) -> pd.DataFrame:
    """Parts of the saving of every match, yuan.

    Parameters
    ----------
    table : DataFrame
        Matches: ``kind`` of the works, ``what`` (site | link), ``shared_m``.
    sites : DataFrame
        Row by row the site of the match: ``mount``, ``build``, ``kind``, ``power_application`` where known.
    rules : JointWorks

    Returns
    -------
    DataFrame
        The columns of `PARTS`. A link saves what its shared trench costs less than one of its own. A site saves the
        foundation (new poles and towers), the share of the power line (unless power is connected or not needed), the
        places in a building (roofs and indoor sites); a site that shares what stands needs no foundation.
    """
    site = (table["what"] == "site").to_numpy()
    rate = {name: _rate(table["kind"], rules, name) for name in WorksKind.model_fields if "yuan" in name}
    mount, build = _texts(sites, "mount"), _texts(sites, "build")
    founded = np.isin(mount, rules.match.founded_mounts) & ~np.isin(build, ["reuse", "share"])
    powered = ~np.isin(_texts(sites, "power_application"), ["connected", "not_needed"])
    inside = np.isin(mount, rules.match.placed_mounts) | (_texts(sites, "kind") == "indoor")
    apart = rate["own_trench_yuan_per_m"] - rate["joint_trench_yuan_per_m"]
    return pd.DataFrame({
        "trench_yuan": np.where(site, 0.0, table["shared_m"].to_numpy(np.float64) * apart),
        "foundation_yuan": np.where(site & founded, rate["foundation_yuan"], 0.0),
        "power_yuan": np.where(site & powered, rate["power_yuan"], 0.0),
        "positions_yuan": np.where(site & inside, rate["positions_yuan"], 0.0)}, index=table.index).round(2)


def saving_words(parts: dict[str, Any]) -> str:
    """An estimate with its parts in words.

    >>> saving_words({"trench_yuan": 18000.0, "foundation_yuan": 0.0, "power_yuan": 4000.0, "positions_yuan": 0.0})
    '估算节省22000元(共沟18000、引电4000)'
    """
    told = {zh: float(parts[name]) for name, zh in PARTS.items() if parts[name] > 0}
    if not told:
        return "估算无节省"
    return f"估算节省{sum(told.values()):.0f}元({'、'.join(f'{zh}{value:.0f}' for zh, value in told.items())})"


def _rate(kinds: pd.Series, rules: JointWorks, name: str) -> Floats:
    return kinds.map({kind: float(getattr(rule, name)) for kind, rule in rules.kinds.items()}).to_numpy(np.float64)


def _texts(table: pd.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in table:
        return np.full(len(table), "", dtype=object)
    values = table[name].astype("object")
    return values.where(values.notna(), "").to_numpy(dtype=object)
