"""Fitting a calibration: bounded least squares of a few additive terms, each one that the engine can apply."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from siteplan.coverage._calibration import (
    RECEIVER_M,
    Calibration,
    Curve,
    Domain,
    Provenance,
    Term,
    predict_samples,
    receiver_heights,
)
from siteplan.errors import ModelError
from siteplan.params import Settings
from siteplan.radio import edge_loss_db, knife_edge_loss_db, sight_loss_db

Floats = NDArray[np.float64]
LINE_M = (10.0, 10000.0)
"""Knots of a table that is a straight line."""
FARTHEST = 1.3
"""A knot may lie beyond the farthest rows that count by this factor."""
LEAST_SLOPE_DB = -20.0
"""What a fit may take off the slope of a TR 38.901 model at most, dB per decade: the loss must go on rising."""


_Scale = Annotated[float, Field(ge=0, le=1)]


class FitSettings(Settings):
    """What is fitted, and how carefully."""

    base: str = Field("table", pattern="^(table|uma|umi|rma)$", description="tables by distance, or a TR 38.901 model")
    max_reach_ratio: float = Field(3.0, gt=0, description="rows with a greater reach_ratio are not fitted")
    max_distance_m: float = Field(20000.0, gt=0, description="rows farther from their mast are not fitted, m")
    max_terrain_db: float = Field(3.0, ge=0, description="rows that lose more over the ground are not fitted, dB")
    min_sites: int = Field(20, ge=1, description="with fewer masts only offset and slope are fitted")
    min_rows: int = Field(30, ge=3, description="fewer rows are refused; a knot or class with fewer is not fitted")
    distance_quantile: float = Field(0.99, gt=0, le=1, description="rows farther than this share's do not shape tables")
    distance_m: tuple[float, ...] = Field(
        (10, 20, 40, 70, 110, 160, 230, 330, 500, 800, 1300, 2200, 3500, 5000, 8000), description="knots, m")
    built_share: tuple[float, ...] = Field((0, 0.1, 0.2, 0.3, 0.45, 0.65, 1), description="knots; empty = not fitted")
    clutter_mean_m: tuple[float, ...] = Field((0, 1, 2, 4, 7, 11, 20, 40), description="knots, m; empty = not fitted")
    fit_power: bool = Field(True, description="fit how far the stations' powers are to be trusted")
    fit_clutter: bool = True
    diffraction_cap_db: float = Field(30.0, ge=0, le=80)
    pattern_scales: tuple[_Scale, ...] = Field(
        (0.0, 0.25, 0.5, 0.75, 1.0), min_length=1,
        description="with fewer masts than min_sites each of these is tried for either plane of the antennas")
    pattern_min_sites: int = Field(
        8, ge=2, description="with fewer masts than this a search is led astray by each of them: pattern_prior stands")
    pattern_prior: tuple[_Scale, _Scale] = Field(
        (0.17, 0.06), description="horizontal and vertical scale of so few masts: what 1,678 masts of 2.6 GHz in a "
                                  "dense city (Chengdu) were fitted to")
    ridge: float = Field(
        10.0, gt=0, description="shrinks every term but offset and slope, in rows: 10 = as if ten rows said 0")


class _Block(NamedTuple):
    """Columns of one term; ``sign``: 1 = at least 0, 0 = any; ``weight``: at most 1."""

    name: str
    columns: Floats
    sign: int
    weight: bool = False


class _Plan(NamedTuple):
    """What is fitted: with few masts a line alone, with scales of the pattern that stand; knots; classes; terms."""

    few: bool
    distance_m: tuple[float, ...]
    classes: tuple[int, ...]
    terms: tuple[tuple[Term, tuple[float, ...]], ...]
    scales: tuple[float, float] = (0.0, 0.0)


def hat_weights(x: Floats, knots: Sequence[float]) -> Floats:
    """Weights (rows, knots) of linear interpolation, held beyond both ends.

    Examples
    --------
    >>> hat_weights(np.array([0.0, 2.5, 9.0]), (0.0, 5.0)).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    return np.stack([np.interp(x, knots, row) for row in np.eye(len(knots))], axis=1)


def fit_calibration(samples: pd.DataFrame, name: str, settings: FitSettings | None = None,
                    provenance: Provenance | None = None) -> Calibration:
    """Fit a calibration to measured samples.

    Parameters
    ----------
    samples : DataFrame
        See :func:`~siteplan.coverage.measurement_samples`.
    name : str
        Name of the calibration.
    settings : FitSettings, optional
    provenance : Provenance, optional
        Data, date and split in words; counts and the scores of the fit are filled in.

    Returns
    -------
    Calibration
        With bounds that physics sets: loss never falls with distance, a blocked pixel never loses less than a clear
        one, weights and pattern scales lie in 0..1.

    Raises
    ------
    ModelError
        Fewer rows than ``min_rows``.

    Notes
    -----
    Least squares of ``rsrp = power - scale_h H - scale_v V - environment - w J - C`` with a weak pull of the terms
    to nothing (ridge, offset and slope excepted), solved with bounds by scikit-learn on the triangular factor of the
    columns. Left out are rows that the ground shadows, that are matched to a cell far beyond nearer masts, or that
    lie beyond the last knot. With fewer masts than ``min_sites`` a pattern or the surroundings cannot be told from
    the peculiarities of single sectors: then only offset and slope are fitted. The scales of both planes of the
    antennas are then the pair out of ``pattern_scales`` by which the line errs least on masts left out one by one, of
    equal pairs the one nearest to ``pattern_prior``. Below ``pattern_min_sites`` masts the prior stands: measured by
    draws of masts from Chengdu the search does better than no pattern from 8 masts on, and on three masts of another
    city (Recife) it made predictions worse by 3.6 dB.
    """
    wanted = FitSettings() if settings is None else settings
    told = Provenance() if provenance is None else provenance
    usable = _usable(samples, wanted)
    if int(usable.sum()) < wanted.min_rows:
        raise ModelError(f"可用于校正的测量只有 {int(usable.sum())} 行，至少要 {wanted.min_rows} 行")
    plan = _plan(samples[usable], wanted)
    usable &= samples["distance_m"].to_numpy(np.float64) <= plan.distance_m[-1]
    rows = samples[usable]
    if plan.few:
        plan = plan._replace(scales=_standing_scales(rows, wanted, plan))
    blocks, target = _blocks(rows, wanted, plan)
    values = _solve(blocks, target, wanted.ridge)
    try:
        model = _assemble(name, rows, wanted, values, plan)
    except ValidationError as fault:
        raise _out_of_bounds(fault) from fault
    error = rows["rsrp_dbm"].to_numpy(np.float64) - predict_samples(rows, model)
    notes = told.notes
    if plan.few:
        notes = (*notes, f"基站不足，只拟合了常数和斜率；方向图水平、垂直衰减按 {plan.scales[0]:g}、{plan.scales[1]:g} 倍计")
    told = told.model_copy(update={
        "rows": len(rows), "rows_left_out": int((~usable).sum()), "sites": int(rows["site"].nunique()),
        "sectors": int(rows["sector_id"].nunique()), "notes": notes,
        "scores": {**told.scores, "fit_rmse_db": round(float(np.sqrt(np.mean(error**2))), 3)}})
    fields = {**model.model_dump(), **_sigma(rows, error, wanted), "provenance": told.model_dump()}
    try:
        return Calibration.model_validate(fields)
    except ValidationError as fault:
        raise _out_of_bounds(fault) from fault


def _out_of_bounds(error: ValidationError) -> ModelError:
    faults = "；".join(f"{'.'.join(map(str, fault['loc'])) or '整体'} = {fault['input']}" for fault in error.errors())
    return ModelError(f"拟合结果超出校正模型允许的范围，核对测量的频率、单位和小区：{faults}")


def matched_rows(samples: pd.DataFrame, settings: FitSettings) -> NDArray[np.bool_]:
    """True for rows near enough to their mast to be its: by ``max_reach_ratio`` and ``max_distance_m``.

    Examples
    --------
    >>> rows = pd.DataFrame({"reach_ratio": [0.8, 12.0], "distance_m": [300.0, 4000.0]})
    >>> matched_rows(rows, FitSettings()).tolist()
    [True, False]
    """
    near = samples["reach_ratio"].to_numpy(np.float64) <= settings.max_reach_ratio
    return near & (samples["distance_m"].to_numpy(np.float64) <= settings.max_distance_m)


def _usable(samples: pd.DataFrame, settings: FitSettings) -> NDArray[np.bool_]:
    freq, d = samples["freq_ghz"].to_numpy(np.float64), samples["distance_m"].to_numpy(np.float64)
    terrain = edge_loss_db(samples["nu_ground"].to_numpy(np.float64) * np.sqrt(freq), d / 1000.0)
    return matched_rows(samples, settings) & (terrain <= settings.max_terrain_db)


def _plan(rows: pd.DataFrame, settings: FitSettings) -> _Plan:
    """What the rows can tell; only offset and slope where there are few masts."""
    if rows["site"].nunique() < settings.min_sites:
        return _Plan(True, LINE_M, (), ())
    d = rows["distance_m"].to_numpy(np.float64)
    wanted = np.asarray(settings.distance_m)
    mass = hat_weights(np.log10(d), np.log10(wanted).tolist()).sum(axis=0)
    known = wanted[(mass >= settings.min_rows) & (wanted <= FARTHEST * np.quantile(d, settings.distance_quantile))]
    counts = rows["clutter_code"].value_counts()
    classes = tuple(sorted(int(code) for code in counts.index[counts >= settings.min_rows]))
    named: tuple[tuple[Term, tuple[float, ...]], ...] = (
        ("built_share", settings.built_share), ("clutter_mean_m", settings.clutter_mean_m))
    return _Plan(False, tuple(known.tolist()) if known.size >= 2 else LINE_M,
                 classes if settings.fit_clutter and len(classes) > 1 else (),
                 tuple((name, knots) for name, knots in named if knots))


def _blocks(rows: pd.DataFrame, settings: FitSettings, plan: _Plan) -> tuple[list[_Block], Floats]:
    """Columns of all terms, and what they have to add up to: the loss of every row."""
    freq, d = rows["freq_ghz"].to_numpy(np.float64), rows["distance_m"].to_numpy(np.float64)
    power, blocked = rows["power_dbm"].to_numpy(np.float64), rows["blocked"].to_numpy(np.float64)
    target = power - rows["rsrp_dbm"].to_numpy(np.float64)
    blocks = [_Block("constant", np.ones((d.size, 1)), 0)]
    if settings.base == "table":
        target = target - 20.0 * np.log10(freq)
        hats = hat_weights(np.log10(d), np.log10(plan.distance_m).tolist())
        steps = np.cumsum(hats[:, ::-1], axis=1)[:, ::-1][:, 1:]  # a step at a knot lifts all that lies beyond
        blocks.append(_Block("steps", steps, 1))
        if not plan.few:
            blocks.append(_Block("gaps", hats * blocked[:, None], 1))
    else:
        height, h_ut = rows["antenna_height_m"].to_numpy(np.float64), receiver_heights(rows, RECEIVER_M)
        decades = np.log10(np.hypot(d, height - h_ut) / 1000.0)
        target = target - sight_loss_db(settings.base, d, freq, height, h_ut, 0.0)[0]
        target = target - LEAST_SLOPE_DB * decades
        blocks.append(_Block("slope", decades[:, None], 1))
        if not plan.few:
            blocks.append(_Block("building", _trust_column(rows, settings), 1, True))
    if plan.few:
        along, down = (rows[name].to_numpy(np.float64) for name in ("horizontal_db", "vertical_db"))
        return blocks, target - plan.scales[0] * along - plan.scales[1] * down
    knife = knife_edge_loss_db(rows["nu_top"].to_numpy(np.float64) * np.sqrt(freq))
    edge = np.minimum(knife, settings.diffraction_cap_db)
    blocks.append(_Block("edge", edge[:, None], 1, True))
    for name in ("horizontal_db", "vertical_db"):
        blocks.append(_Block(name, rows[name].to_numpy(np.float64)[:, None], 1, True))
    if settings.fit_power:  # the share of its power that a sector does not show counts as a loss
        blocks.append(_Block("distrust", (power - power.mean())[:, None], 1, True))
    code = rows["clutter_code"].to_numpy(np.int64)
    if plan.classes:
        blocks.append(_Block("clutter", (code[:, None] == np.asarray(plan.classes)).astype(np.float64), 0))
    for term, knots in plan.terms:
        blocks.append(_Block(term, hat_weights(rows[term].to_numpy(np.float64), knots), 0))
    return blocks, target


def _standing_scales(rows: pd.DataFrame, settings: FitSettings, plan: _Plan) -> tuple[float, float]:
    """Shares of both planes of the antennas that the line by distance goes with best on masts it was not fitted to.

    What a line leaves of the loss on a group left out is linear in what it is fitted to, so the squared error of every
    pair of shares follows from what it leaves of the loss and of both planes.
    """
    prior = settings.pattern_prior
    site = rows["site"].to_numpy(object)
    names = sorted(set(site))
    if len(names) < settings.pattern_min_sites:
        return prior
    grid = sorted(set(settings.pattern_scales))
    pairs = sorted(product(grid, grid), key=lambda pair: (abs(pair[0] - prior[0]) + abs(pair[1] - prior[1]), pair))
    blocks, loss = _blocks(rows, settings, plan)
    line = np.hstack([block.columns for block in blocks])
    aims = np.column_stack([loss, *(rows[name].to_numpy(np.float64) for name in ("horizontal_db", "vertical_db"))])
    squares = np.zeros((3, 3))
    for name in names:
        out = site == name
        weights = np.linalg.lstsq(line[~out], aims[~out], rcond=None)[0]
        left = aims[out] - line[out] @ weights
        squares += left.T @ left
    sides = [np.array([1.0, -across, -along]) for across, along in pairs]
    return pairs[int(np.argmin([round(float(side @ squares @ side) / len(rows), 6) for side in sides]))]


def _domain(rows: pd.DataFrame, settings: FitSettings) -> Domain:
    """What the rows were like; heights to 0.1 m and distances to 1 m outwards."""
    d, h = rows["distance_m"].to_numpy(np.float64), rows["antenna_height_m"].to_numpy(np.float64)
    farthest = float(np.quantile(d, settings.distance_quantile))
    return Domain(
        kinds=tuple(sorted(set(rows["kind"].astype(str)))) if "kind" in rows else (),
        antenna_height_m=(float(np.floor(10.0 * h.min()) / 10.0), float(np.ceil(10.0 * h.max()) / 10.0)),
        distance_m=(float(np.floor(d.min())), float(np.ceil(farthest))),
        receiver_height_m=float(np.median(receiver_heights(rows, RECEIVER_M))))


def _trust_column(rows: pd.DataFrame, settings: FitSettings) -> Floats:
    """What full trust in sight over buildings adds to the mean of both states, dB."""
    d, freq, h = (rows[name].to_numpy(np.float64) for name in ("distance_m", "freq_ghz", "antenna_height_m"))
    h_ut = receiver_heights(rows, RECEIVER_M)
    mean, _ = sight_loss_db(settings.base, d, freq, h, h_ut, 0.0)
    clear, blocked = sight_loss_db(settings.base, d, freq, h, h_ut, 1.0)
    return np.asarray((np.where(rows["blocked"].to_numpy(bool), blocked, clear) - mean)[:, None])


def _solve(blocks: list[_Block], target: Floats, ridge: float) -> dict[str, Floats]:
    """Bounded least squares; weights above 1 are set to 1 and the rest is solved again."""
    from sklearn.linear_model import LinearRegression

    columns = np.hstack([block.columns for block in blocks])
    gram, right = columns.T @ columns, columns.T @ target
    names = [block.name for block in blocks for _ in range(block.columns.shape[1])]
    free = np.array([block.sign == 0 for block in blocks for _ in range(block.columns.shape[1])])
    weight = np.array([block.weight for block in blocks for _ in range(block.columns.shape[1])])
    pull = np.where(np.isin(names, ("constant", "steps", "slope")), 1e-6, ridge)  # a slope is not a peculiarity
    held = np.zeros(free.size, np.bool_)
    values = np.zeros(free.size)
    while True:
        open_ = ~held
        root = np.linalg.cholesky(gram[np.ix_(open_, open_)] + np.diag(pull[open_]))
        side = np.linalg.solve(root, right[open_] - gram[np.ix_(open_, held)] @ values[held])
        mirrored = np.hstack([root.T, -root.T[:, free[open_]]])
        found = LinearRegression(fit_intercept=False, positive=True).fit(mirrored, side).coef_
        part = found[:int(open_.sum())].copy()
        part[free[open_]] -= found[int(open_.sum()):]
        values[open_] = part
        over = open_ & weight & (values > 1.0 + 1e-9)
        if not over.any():
            break
        held |= over
        values[over] = 1.0
    return {block.name: values[[i for i, name in enumerate(names) if name == block.name]] for block in blocks}


def _assemble(name: str, rows: pd.DataFrame, settings: FitSettings, values: dict[str, Floats],
              plan: _Plan) -> Calibration:
    """The fitted values as a calibration; each term of the pixel is 0 in the mean, the rest goes into the loss."""
    shift = float(values["constant"][0])
    fields: dict[str, Any] = {}
    if plan.classes:
        code = rows["clutter_code"].to_numpy(np.int64)
        mean = float(sum(values["clutter"][i] * np.mean(code == number) for i, number in enumerate(plan.classes)))
        off = np.round(values["clutter"] - mean, 4).tolist()
        fields["clutter_db"] = dict(zip(plan.classes, off, strict=True))
        shift += mean
    pixel_terms: dict[Term, Curve] = {}
    for term, knots in plan.terms:
        curve = values[term]
        mean = float((hat_weights(rows[term].to_numpy(np.float64), knots) @ curve).mean())
        pixel_terms[term] = Curve(knots=knots, db=tuple(np.round(curve - mean, 4).tolist()))
        shift += mean
    if settings.base == "table":
        clear = shift + np.concatenate([[0.0], np.cumsum(values["steps"])])
        blocked = np.maximum.accumulate(clear + values.get("gaps", np.zeros(1)))
        fields |= {"distance_m": plan.distance_m, "clear_db": tuple(np.round(clear, 4).tolist()),
                   "blocked_db": tuple(np.round(blocked, 4).tolist())}
    else:
        slope = LEAST_SLOPE_DB + float(values["slope"][0])
        fields |= {"offset_db": round(shift, 4), "slope_db_per_decade": round(slope, 4),
                   "building_weight": _share(values, "building", 0.0)}
    power = rows["power_dbm"].to_numpy(np.float64)
    band = rows["freq_ghz"].to_numpy(np.float64) * 1000.0
    return Calibration(
        name=name, base=settings.base, freq_low_mhz=max(float(band.min()) / 1.3, 300.0),
        freq_high_mhz=min(float(band.max()) * 1.3, 7125.0), diffraction_weight=_share(values, "edge", 0.0),
        diffraction_cap_db=settings.diffraction_cap_db, pattern_depth_db=60.0,
        pattern_scale_horizontal=_share(values, "horizontal_db", plan.scales[0]),
        pattern_scale_vertical=_share(values, "vertical_db", plan.scales[1]),
        power_weight=1.0 - _share(values, "distrust", 0.0), power_reference_dbm=round(float(power.mean()), 4),
        pixel_terms=pixel_terms, domain=_domain(rows, settings), **fields)


def _share(values: dict[str, Floats], name: str, otherwise: float) -> float:
    return float(np.clip(np.round(values[name][0], 6), 0.0, 1.0)) if name in values else otherwise


def _sigma(rows: pd.DataFrame, error: Floats, settings: FitSettings) -> dict[str, tuple[float, ...]]:
    """Standard deviation of the error by distance and sight: root of its mean square near each knot."""
    d, blocked = rows["distance_m"].to_numpy(np.float64), rows["blocked"].to_numpy(bool)
    knots = np.array([50.0, 100.0, 200.0, 400.0, 800.0, 1600.0])
    weights = hat_weights(np.log10(d), np.log10(knots).tolist())
    overall = float(np.sqrt(np.mean(error**2)))
    out = {"sigma_distance_m": tuple(knots.tolist())}
    for name, state in (("sigma_clear_db", ~blocked), ("sigma_blocked_db", blocked)):
        mass = weights[state].sum(axis=0) + settings.min_rows  # as if min_rows rows said: as everywhere
        square = weights[state].T @ error[state]**2 + settings.min_rows * overall**2
        out[name] = tuple(np.round(np.sqrt(np.maximum(square / mass, 0.01)), 3).tolist())
    return out
