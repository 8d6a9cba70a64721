"""Secret units (涉密单位) in what is written: counted with their town, never named or placed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.input_ledger import InputLedger
from siteplan.opening import Opening
from siteplan.opening._sums import hide_in_departments
from siteplan.plan import Plan

HIDDEN = "涉密单位(不列名)"
SECRET_CODE = "secrecy"
"""Code of the rule of place that refuses what the secrecy layer names."""
SITE_TEXTS = ("reason", "choice_text", "evidence", "address", "members")
"""Texts of a sites table that may name a neighbour."""
_KEPT = ("status", "refusal_code", "reason", "town", "county")
"""What a row of a secret unit says."""
_NAME_COLUMNS = frozenset({"name", "target_name", "site_name", "venue_name", "project", "building"})
_RECORD_TEXTS = ("name", "town", "county", "verdict", "verdict_zh")
_LEAST_ID = _LEAST_NAME = 2
_SITE_PREFIX = {"works": "W-works:", "planned_buildings": "N-planned:"}
"""Layers of the study that are written as they are and that sites come from -> how the ids of these sites begin."""
_PLACES = (*_SITE_PREFIX, "restricted")
"""Layers of the study that are written without their secret rows."""
NAMES_ONLY = ("zones", "units")
"""Layers whose secret rows stay without their name: key zones are judged and counted, units hold sites of others."""
_NAMED = ("units", "roads", "rail", "water", "zone_points", "village_points")
"""Layers of the study in which no name may be that of a secret unit; names of towns and counties are keys."""
_NULLABLE = (pd.BooleanDtype, pd.Int64Dtype)
_ROWS_OF = {"filing": "planned_buildings", "indoor_buildings": "buildings"}
"""Results with a row for each row of a layer, by its id."""


@dataclass(frozen=True)
class SecretUnits:
    """What must not be told.

    Attributes
    ----------
    site_ids : frozenset of str
        Sites that the rule ``secrecy`` refuses, and venues that the opening ledger marks.
    own_ids : frozenset of str
        Their ids in their layers.
    names : frozenset of str
        Their names: no row of a table goes by one of these.
    words : pattern or None
        Ids and names as they stand in sentences. A name that an open place has or is owned by is not among them: it is
        told of that place.
    spoken : tuple of str
        The ids and names of ``words``.
    """

    site_ids: frozenset[str]
    own_ids: frozenset[str]
    names: frozenset[str]
    words: re.Pattern[str] | None
    spoken: tuple[str, ...]

    def text(self, told: str) -> str:
        """A sentence without them.

        >>> units = secret_units_of({"V-facility:F1": ("F1", "某局")}, open_words=())
        >>> units.text("最优的 某局(V-facility:F1):涉密单位"), units.text("某局路12号")
        ('最优的 涉密单位(不列名):涉密单位', '某局路12号')
        """
        return told if self.words is None else self.words.sub(HIDDEN, told)

    def column(self, values: pd.Series) -> pd.Series:
        """A column of sentences without them; the column itself where it tells nothing of them."""
        if self.words is None or not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
            return values
        listed = values.to_numpy(object)
        different = {value for value in listed if isinstance(value, str) and value}
        every = "\n".join(different)
        if not any(word in every for word in self.spoken):
            return values
        changed = {value: self.text(value) for value in different}
        return pd.Series([changed.get(value, value) if isinstance(value, str) else value for value in listed],
                         index=values.index, dtype=values.dtype, name=values.name)

    def table(self, table: Any, columns: Iterable[str] | None = None) -> Any:
        """A table without them, a GeoDataFrame or DataFrame: own names and ids left empty, sentences rid of them."""
        columns = [name for name in (table.columns if columns is None else columns)
                   if name in table and (pd.api.types.is_object_dtype(table[name])
                                         or pd.api.types.is_string_dtype(table[name]))]
        changed = {}
        for name in columns:
            own = self.names | self.own_ids if name in _NAME_COLUMNS else self.own_ids
            values = table[name]
            hit = values.isin(list(own)).to_numpy(dtype=bool)
            fresh = self.column(values.mask(hit, "") if hit.any() else values)
            if fresh is not values:
                changed[name] = fresh
        if "nearest_venue" in columns and "venue_name" in table:
            near = table["nearest_venue"].isin(list(self.own_ids)).to_numpy(dtype=bool)
            changed["venue_name"] = changed.get("venue_name", table["venue_name"]).mask(near, "")
        return table.assign(**changed) if changed else table


def secret_units_of(units: dict[str, tuple[str, str]], open_words: Iterable[str]) -> SecretUnits:
    """Secret units from their ids.

    Parameters
    ----------
    units : dict of str to (str, str)
        Site id -> id in its layer, name.
    open_words : iterable of str
        Names and owners of places that are not secret.

    Returns
    -------
    SecretUnits
    """
    own = frozenset(key for key, _ in units.values() if key)
    names = frozenset(name for _, name in units.values() if len(name) >= _LEAST_NAME)
    told = names - set(open_words)
    known = sorted({*units, *(key for key in own if len(key) >= _LEAST_ID and not key.isdigit())}, key=_longest_first)
    ids = "|".join(map(re.escape, known))
    label = rf"[^\s;,:、。;\uff1b\uff0c\uff1a,(\uff08]*[(\uff08](?:{ids})[)\uff09]"  # name(id), the name maybe cut
    parts = [label, rf"(?<![A-Za-z0-9_:-])(?:{ids})(?![A-Za-z0-9_])"] if ids else []
    if told:
        either = "|".join(map(re.escape, sorted(told, key=_longest_first)))
        parts.append(rf"(?<![\u4e00-\u9fff])(?:{either})(?![\u4e00-\u9fff(\uff08])")
    pattern = re.compile("|".join(parts)) if parts else None
    return SecretUnits(frozenset(units), own, names, pattern, (*known, *sorted(told)))


def _longest_first(word: str) -> tuple[int, str]:
    return -len(word), word


def _is_secret(codes: pd.Series) -> np.ndarray:
    """Rows whose codes, joined by ``|``, hold that of the rule."""
    words = codes.astype("str")
    return (words.eq(SECRET_CODE) | words.str.contains(rf"(?:^|\|){SECRET_CODE}(?:\||$)", regex=True)).to_numpy(bool)


def secret_units(sites: pd.DataFrame, opening: Opening | None = None,
                 rows: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> SecretUnits:
    """What a sites table, an opening ledger and the layers of a study hold of secret units.

    Parameters
    ----------
    sites : DataFrame
        The sites table; without the columns ``refusal_code, name, owner, source_id`` nothing of it is secret.
    opening : Opening, optional
    rows : mapping of str to mapping of str to str, optional
        Layer -> id -> name, as ``Plan.secret_rows``; each counts as a site ``layer:id``. Ids of ``NAMES_ONLY`` are
        told.

    Returns
    -------
    SecretUnits
    """
    units: dict[str, tuple[str, str]] = {}
    open_words: set[str] = set()
    if {"refusal_code", "name", "owner", "source_id"} <= set(sites.columns):
        where = _is_secret(sites["refusal_code"]) & (sites["name"] != HIDDEN).to_numpy(dtype=bool)
        hidden = sites[where]
        units = {str(key): (str(own), str(name)) for key, own, name in
                 zip(hidden.index, hidden["source_id"], hidden["name"], strict=True)}
        open_words = {*sites.loc[~where, "name"].astype("str"), *sites.loc[~where, "owner"].astype("str")}
    if opening is not None:
        marked = opening.venues[opening.venues["secret"].astype(bool)]
        units |= {str(key): (str(key).rsplit(":", 1)[-1], str(name)) for key, name in
                  zip(marked.index, marked["name"], strict=True)}
        rest = opening.venues[~opening.venues["secret"].astype(bool)]
        open_words |= {*rest["name"].astype("str"), *rest["owner"].astype("str")}
    units |= {f"{layer}:{key}": ("" if layer in NAMES_ONLY else key, name)
              for layer, found in rows.items() for key, name in found.items()}
    return secret_units_of(units, open_words)


def _hide_sites(sites: gpd.GeoDataFrame, units: SecretUnits) -> gpd.GeoDataFrame:
    """The table with their rows last, by town, without all but the town; no place."""
    secret = sites.index.isin(list(units.site_ids))
    rest = units.table(sites[~secret], ["name", *SITE_TEXTS])
    hidden = sites[secret].sort_values(["county", "town"], kind="stable")
    told = (*_KEPT, "name", hidden.geometry.name)
    blank = {name: _blank(hidden[name]) for name in hidden.columns if name not in told}
    bare = hidden.assign(**blank, name=HIDDEN, geometry=gpd.GeoSeries([None] * len(hidden), index=hidden.index,
                                                                     crs=sites.crs))
    bare.index = pd.Index([f"secret:{number}" for number in range(1, len(bare) + 1)], name=sites.index.name,
                          dtype=sites.index.dtype)
    return gpd.GeoDataFrame(pd.concat([rest, bare.astype(dict(sites.drop(columns=sites.geometry.name).dtypes))]),
                            crs=sites.crs)


def _blank(values: pd.Series) -> Any:
    if pd.api.types.is_bool_dtype(values):
        return False
    if pd.api.types.is_float_dtype(values):
        return np.nan
    return 0 if pd.api.types.is_numeric_dtype(values) else ""


def _hide_records(table: pd.DataFrame, units: SecretUnits) -> pd.DataFrame:
    """Records (fees, hard sites, refusals): those of secret units say no more than the town."""
    secret = table["venue_id"].isin(list(units.site_ids)).to_numpy(dtype=bool)
    texts = [name for name in table.columns if name not in _RECORD_TEXTS and (
        pd.api.types.is_string_dtype(table[name]) or pd.api.types.is_object_dtype(table[name]))]
    if not secret.any():
        return pd.DataFrame(units.table(table))
    changed = {name: table[name].mask(secret, None if name == "geometry" else "") for name in texts}
    return pd.DataFrame(units.table(table.assign(**changed, name=table["name"].mask(secret, HIDDEN))))


def _hide_opening(opening: Opening, units: SecretUnits) -> Opening:
    """The ledger without their rows, numbered anew; towns count them, departments in one row without a name."""
    kept = opening.venues[~opening.venues.index.isin(list(units.site_ids))]
    kept = units.table(kept, ["status_reason", "evidence", "doubt", "screening", "fees", "refusal"])
    records = {name: _hide_records(getattr(opening, name), units) for name in ("fees", "hard", "refusals")}
    marked = pd.DataFrame(opening.venues).assign(secret=opening.venues.index.isin(list(units.site_ids)))
    departments = hide_in_departments(opening.departments, marked, opening.fees)
    return dataclasses.replace(opening, venues=kept.assign(number=range(1, len(kept) + 1)), departments=departments,
                               **records)


def _hide_lines(ledger: InputLedger, units: SecretUnits) -> InputLedger:
    """The input ledger without them; every line stays."""
    own = units.names | units.own_ids | units.site_ids
    lines = []
    for line in ledger:
        texts = {name: HIDDEN if getattr(line, name) in own else units.text(getattr(line, name))
                 for name in ("row", "value", "reason", "remedy")}
        lines.append(dataclasses.replace(line, **texts))
    return InputLedger(lines)


def _hide_context(plan: Plan, units: SecretUnits) -> dict[str, gpd.GeoDataFrame]:
    """The layers of the study: those that are written without their secret rows, and no row that names one."""
    layers = dict(plan.context)
    for name in (name for name in _PLACES if name in layers):
        table, keys = layers[name], layers[name].index.astype("str")
        own = keys.isin(list(plan.secret_rows.get(name, ()))) | (
            _SITE_PREFIX.get(name, f"{name}:") + keys).isin(list(units.site_ids))
        named = table["name"].isin(list(units.names)).to_numpy(dtype=bool)
        layers[name] = units.table(table[~(own | named)])
    return layers | {name: units.table(layers[name], ["name"]) for name in _NAMED if name in layers}


def _hide_result(table: Any, meant: Iterable[str], units: SecretUnits) -> Any:
    """A table of results; rows of secret rows of a layer say no more than the town, those with a place are left out."""
    wanted = frozenset(meant)
    secret = np.array([key in wanted for key in table.index.map(str)] if wanted else [False] * len(table), dtype=bool)
    if not secret.any() or "geometry" in table:
        return units.table(table[~secret] if secret.any() else table)
    rest, hidden = units.table(table[~secret]), table[secret].sort_values(["town"], kind="stable")
    kept = ("name", "town", "county")
    unknown = {name: None if hidden[name].dtype.kind == "M" or isinstance(hidden[name].dtype, _NULLABLE)
               else _blank(hidden[name]) for name in hidden.columns if name not in kept}
    bare = hidden.assign(**unknown, name=HIDDEN).astype(dict(table.dtypes))
    bare.index = pd.Index([f"secret:{number}" for number in range(1, len(bare) + 1)], name=table.index.name)
    return pd.concat([rest, bare])


def hide_secret_units(plan: Plan) -> Plan:
    """The plan as it may be written: secret units are counted with their town, never named or placed.

    Every writer of deliverables goes through this. What is hidden: sites that the rule ``secrecy`` refuses and venues
    that the opening ledger marks as secret, where they stand in the sites table, the opening ledger, the input ledger,
    tables of results, gap areas, planned works and buildings, and the exposure screening. Planned works and buildings
    and restricted areas that the list means are not written, whatever sites came of them; the input ledger counts them.
    Key zones and units that it means lose their name and stay, because they are judged and counted. Letters and the
    public list never hold any.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    Plan
        The plan itself where nothing is secret; hidden twice it is the same. Counts stay as they are.
    """
    units = secret_units(plan.sites, getattr(plan, "opening", None), plan.secret_rows)
    if not units.site_ids:
        return plan
    changes: dict[str, Any] = {
        "sites": _hide_sites(plan.sites, units), "ledger": _hide_lines(plan.ledger, units),
        "results": {name: _hide_result(table, plan.secret_rows.get(_ROWS_OF.get(name, ""), ()), units)
                    for name, table in plan.results.items()},
        **{name: units.table(getattr(plan, name)) for name in _areas(plan)},
        "context": _hide_context(plan, units), "secret_rows": {}}
    if plan.opening is not None:
        changes["opening"] = _hide_opening(plan.opening, units)
    if plan.exposure is not None:
        changes["exposure"] = dataclasses.replace(plan.exposure, pairs=units.table(plan.exposure.pairs))
    return dataclasses.replace(plan, **changes)


def _areas(plan: Plan) -> Sequence[str]:
    """Tables of areas and gaps of a plan."""
    return [name for name in ("gaps_before", "gaps_after", "villages", "zones") if len(getattr(plan, name))]
