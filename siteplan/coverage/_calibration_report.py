"""What a calibration is worth: scores on groups it was not fitted on, beside a constant and a log-distance line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from siteplan.coverage._calibration import Calibration, predict_samples, sigma_of_samples
from siteplan.coverage._calibration_fit import FitSettings, fit_calibration, matched_rows
from siteplan.errors import ModelError
from siteplan.params import Settings
from siteplan.radio import coverage_probability

Floats = NDArray[np.float64]
MODELS = ("calibration", "log_distance", "constant")
"""Models of a report; the last two are fitted to the same rows and know nothing of the city."""
MODEL_ZH = {"calibration": "校正模型", "map": "校正模型（错配小区的测点也按该小区预测）", "log_distance": "对数距离", "constant": "常数"}
LEAST_SIGMA_DB = 0.1
DISTANCE_EDGES_M = (0.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, np.inf)


class ScoreSettings(Settings):
    """How a calibration is scored."""

    threshold_dbm: float = Field(-103.0, ge=-140, le=-40, description="a signal of this strength counts as covered")
    block_m: float = Field(1000.0, gt=0, description="edge of the blocks whose covered shares are compared, m")
    min_block_rows: int = Field(50, ge=1, description="blocks with fewer rows are not compared")
    shared_masts: bool = Field(False, description="sectors of one mast may stand in different groups")


@dataclass(frozen=True)
class CalibrationReport:
    """Scores of a cross-validation; every group was predicted by a fit to the other groups.

    Attributes
    ----------
    scores : DataFrame
        Index ``(rows_of, group, model)``; ``rows_of`` is ``matched`` (rows near enough to their cell) or ``all``;
        ``model`` one of ``MODELS``, and for all rows ``map``: the calibration as a map has it, see Notes of
        :func:`cross_validate`.
        Columns ``rows, sectors, rmse_db, rmse_sector_db`` (every sector counts the same), ``bias_db`` (predicted less
        measured), ``sd_db, blocks, measured_share, share_bias, share_error`` (mean absolute difference), shares 0..1.
    by_distance, by_clutter : DataFrame
        The calibration on matched rows: ``rows, rmse_db, bias_db, sd_db, log_distance_rmse_db`` per class.
    predictions : DataFrame
        Index ``sample_id``: ``group, matched, measured_dbm, predicted_dbm, sigma_db`` (each by the fit that did not
        know its group).
    settings : ScoreSettings
    """

    scores: pd.DataFrame
    by_distance: pd.DataFrame
    by_clutter: pd.DataFrame
    predictions: pd.DataFrame
    settings: ScoreSettings


class _Guess(NamedTuple):
    """Predicted median and standard deviation of the error of every row of a held-out group."""

    dbm: Floats
    sigma_db: Floats


def cross_validate(samples: pd.DataFrame, groups: ArrayLike, settings: FitSettings | None = None,
                   scoring: ScoreSettings | None = None) -> CalibrationReport:
    """Score a calibration on each group by a fit to all the others.

    Parameters
    ----------
    samples : DataFrame
        See :func:`~siteplan.coverage.measurement_samples`.
    groups : array_like, shape (len(samples),)
        The group of each row: district, or ``site``. A mast must not stand in two groups: its sectors share the
        shadowing, and random rows of one sector all the more.
    settings : FitSettings, optional
    scoring : ScoreSettings, optional

    Returns
    -------
    CalibrationReport

    Raises
    ------
    ModelError
        Fewer than two groups; a mast in two groups, unless ``shared_masts`` allows it; too few rows to fit.

    Notes
    -----
    Everything is fitted on the training side: all terms, the lines compared with, every sigma. Among ``all`` rows those
    that are too far from their mast to be its (:func:`matched_rows`) are predicted by the mean of such rows of the
    training side, as no way from that cell leads to them; the model ``map`` predicts them from that cell all the same.
    """
    fitted = FitSettings() if settings is None else settings
    wanted = ScoreSettings() if scoring is None else scoring
    group = np.asarray(groups).astype(str)
    _check_groups(samples, group, wanted.shared_masts)
    matched = matched_rows(samples, fitted)
    records, parts = [], []
    line = np.full(len(samples), np.nan)
    for name in sorted(set(group)):
        test, train = group == name, group != name
        model = fit_calibration(samples[train], "cross-validation", fitted)
        by_model = _calibrated(samples[train], samples[test], model, fitted)
        parts.append(pd.DataFrame({
            "group": name, "matched": matched[test], "measured_dbm": samples.loc[test, "rsrp_dbm"],
            "predicted_dbm": by_model.dbm, "sigma_db": by_model.sigma_db}, index=samples.index[test]))
        for rows_of, kept in (("matched", matched & test), ("all", test)):
            known, unknown = samples[train & (matched if rows_of == "matched" else True)], samples[kept]
            guesses = {"calibration": _Guess(by_model.dbm[kept[test]], by_model.sigma_db[kept[test]])}
            guesses |= {"log_distance": _line(known, unknown, 1), "constant": _line(known, unknown, 0)}
            if rows_of == "all":
                guesses["map"] = _Guess(predict_samples(unknown, model), sigma_of_samples(unknown, model))
            else:
                line[kept] = guesses["log_distance"].dbm
            records += [{"rows_of": rows_of, "group": name, "model": key, **_scores(unknown, guess, wanted)}
                        for key, guess in guesses.items() if len(unknown)]
    predictions = pd.concat(parts).loc[samples.index]
    scores = pd.DataFrame(records).set_index(["rows_of", "group", "model"])
    edges = np.digitize(samples["distance_m"].to_numpy(np.float64), DISTANCE_EDGES_M[1:-1])
    labels = np.array([f"{low:g}-{high:g} m" for low, high in pairwise(DISTANCE_EDGES_M)])
    by_distance = _by_class(predictions, line, edges).rename(index=dict(enumerate(labels))).rename_axis("distance")
    by_clutter = _by_class(predictions, line, samples["clutter_code"].to_numpy(np.int64)).rename_axis("clutter_code")
    return CalibrationReport(scores, by_distance, by_clutter, predictions, wanted)


def _check_groups(samples: pd.DataFrame, group: NDArray[np.str_], shared_masts: bool) -> None:
    if group.shape != (len(samples),) or len(set(group)) < 2:
        raise ModelError("cross-validation needs one group per row, and two groups at least")
    per_site = pd.Series(group).groupby(samples["site"].to_numpy()).nunique()
    shared = per_site.index[per_site > 1]
    if len(shared) and not shared_masts:
        some = ", ".join(map(str, shared[:10]))
        raise ModelError(f"masts in more than one group: {some}; group by district or by site")


def _calibrated(known: pd.DataFrame, unknown: pd.DataFrame, model: Calibration, settings: FitSettings) -> _Guess:
    """Predictions by the calibration; rows matched to the wrong cell take the mean of such rows that are known."""
    dbm, sigma = predict_samples(unknown, model), sigma_of_samples(unknown, model)
    wrong, strangers = (~matched_rows(table, settings) for table in (unknown, known))
    if not strangers.any():
        return _Guess(dbm, sigma)
    measured = known["rsrp_dbm"].to_numpy(np.float64)[strangers]
    spread = max(float(measured.std()), LEAST_SIGMA_DB)
    return _Guess(np.where(wrong, measured.mean(), dbm), np.where(wrong, spread, sigma))


def _line(known: pd.DataFrame, unknown: pd.DataFrame, degree: int) -> _Guess:
    """Polynomial of log10 of the distance, fitted to the known rows."""
    here, there = (np.vander(np.log10(table["distance_m"].to_numpy(np.float64)), degree + 1)
                   for table in (known, unknown))
    measured = known["rsrp_dbm"].to_numpy(np.float64)
    weights = np.linalg.lstsq(here, measured, rcond=None)[0]
    spread = max(float(np.std(measured - here @ weights)), LEAST_SIGMA_DB)
    return _Guess(there @ weights, np.full(len(unknown), spread))


def _scores(rows: pd.DataFrame, guess: _Guess, scoring: ScoreSettings) -> dict[str, float]:
    measured = rows["rsrp_dbm"].to_numpy(np.float64)
    error = guess.dbm - measured
    square = pd.Series(error**2).groupby(rows["sector_id"].to_numpy()).mean()
    share = pd.DataFrame({
        "measured": (measured >= scoring.threshold_dbm).astype(np.float64),
        "predicted": coverage_probability(guess.dbm, scoring.threshold_dbm, guess.sigma_db)})
    blocks = share.groupby([np.floor(rows[axis].to_numpy(np.float64) / scoring.block_m) for axis in ("x", "y")])
    means = blocks.mean()[blocks.size() >= scoring.min_block_rows]
    off = means["predicted"] - means["measured"]
    return {
        "rows": len(rows), "sectors": len(square), "rmse_db": float(np.sqrt(np.mean(error**2))),
        "rmse_sector_db": float(np.sqrt(square.mean())), "bias_db": float(error.mean()), "sd_db": float(error.std()),
        "blocks": len(means), "measured_share": float(means["measured"].mean()), "share_bias": float(off.mean()),
        "share_error": float(off.abs().mean()),
    }


def _by_class(predictions: pd.DataFrame, line: Floats, classes: NDArray[np.int64]) -> pd.DataFrame:
    """Errors of the matched rows by class."""
    kept = predictions["matched"].to_numpy(bool)
    error = (predictions["predicted_dbm"] - predictions["measured_dbm"]).to_numpy(np.float64)
    line_error = line - predictions["measured_dbm"].to_numpy(np.float64)
    table = pd.DataFrame({"error": error, "square": error**2, "line": line_error**2, "class": classes})[kept]
    grouped = table.groupby("class")
    return pd.DataFrame({
        "rows": grouped.size(), "rmse_db": np.sqrt(grouped["square"].mean()), "bias_db": grouped["error"].mean(),
        "sd_db": grouped["error"].std(ddof=0), "log_distance_rmse_db": np.sqrt(grouped["line"].mean())})


def mean_scores(report: CalibrationReport) -> pd.DataFrame:
    """Mean of each score over the groups, index ``(rows_of, model)``; rows, sectors and blocks are summed.

    ``share_bias`` keeps its sign: groups whose errors cancel count as right together.
    """
    counts = ["rows", "sectors", "blocks"]
    grouped = report.scores.groupby(level=["rows_of", "model"], sort=False)
    return grouped.mean().assign(**{name: grouped[name].sum() for name in counts})


def report_text(report: CalibrationReport) -> str:
    """The scores in Chinese sentences, for planners."""
    means, groups = mean_scores(report), report.scores.index.get_level_values("group").nunique()
    lines = [f"交叉验证：共 {groups} 组，每组由其余各组拟合的模型预测；门限 {report.settings.threshold_dbm:g} dBm。"]
    for rows_of, words in (("matched", "与小区匹配的测点"), ("all", "全部测点")):
        for model in (*MODELS, "map") if rows_of == "all" else MODELS:
            row = means.loc[(rows_of, model)]
            shares = "方格内测点不足，覆盖比例未比较"
            if row["blocks"] > 0:
                shares = (f"覆盖比例偏差 {100 * row['share_bias']:+.1f} 个百分点，平均绝对误差 {100 * row['share_error']:.1f} 个百分点"
                          f"（{int(row['blocks'])} 个 {report.settings.block_m / 1000:g} km 方格）")
            error = f"均方根误差 {row['rmse_db']:.2f} dB，偏差 {row['bias_db']:+.2f} dB"
            lines.append(f"{words}，{MODEL_ZH[model]}：{error}；{shares}。")
    lines.append("以上为模型预测与实测的差别；预测值不是实测值，两者不得混在一张图上而不加说明。")
    return "\n".join(lines)
