"""The certificate of a plan in files: what ``siteplan verify`` reads, written, read back, then moved into place."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ExportError
from siteplan.export._staging import write_files
from siteplan.selection.certificate import CANDIDATE_COLUMNS, Certificate

FORMAT, VERSION = "siteplan certificate", 1
FOLDER = "certificate"
HEADER = "certificate.json"
_FAST = 1
"""Level of deflate: arrays of 1.5 million entries take 0.12 cpu seconds and 3 of 12 MB; level 6 takes 0.6 for 2.5."""
_WHOLE = ("stations", "must_be_free", "fixed_year")
_READ_ME = """证书:复核选址方案所需的全部数据(内部资料,不得公开)

复核:siteplan verify 成果目录
复核程序另行编写,不使用选址程序的任何代码,只读取本文件夹和旁边的成果文件,重新计算覆盖、投资、各项限制和上界。

certificate.json  题目(目标、限制、达标要求、分期)和答案(状态、目标值、上界、间隙、随机种子、耗时),各文件的 SHA-256
candidates.csv    全部候选站址,按编号;是否入选、年度、名次
reach.npz         每个候选站址服务的需求格(indptr, indices)和服务份额,需求格的权重、需求、像元位置、已有服务
floors.npz        达标要求(行政村、重点区域等)包含的需求格和权重
multipliers.npz   上界的乘子;任何非负乘子都给出有效上界,好坏只影响松紧
surface.tif, sectors.csv, antennas.json, radio.json   地表、扇区、天线和预测设置,供抽查重算服务关系(有则附)
"""


def certificate_writers(facts: Certificate) -> list[tuple[str, Callable[[Path], Any]]]:
    """Writers of the files, named relative to the output folder, as :func:`write_files` takes them.

    The header is the last: it holds the SHA-256 of every file that stands beside it by then.
    """
    writers: dict[str, Callable[[Path], Any]] = {
        "README.txt": lambda path: path.write_text(_READ_ME, "utf-8-sig"),
        "candidates.csv": partial(_write_candidates, facts),
        "reach.npz": lambda path: write_arrays(_reach_arrays(facts), path),
        "floors.npz": lambda path: write_arrays(_floor_arrays(facts), path),
        "multipliers.npz": lambda path: write_arrays(_multiplier_arrays(facts), path),
        HEADER: partial(_write_header, facts),
    }
    return [(f"{FOLDER}/{name}", writer) for name, writer in writers.items()]


def write_certificate(facts: Certificate, folder: Path) -> dict[str, Path]:
    """Write the certificate of a plan into ``certificate/`` of its output folder, all files or none.

    Parameters
    ----------
    facts : Certificate
    folder : Path
        The output folder; made when absent.

    Returns
    -------
    dict
        File name (``certificate/reach.npz``, ...) -> path.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``folder`` was touched.
    """
    return write_files(folder, certificate_writers(facts))


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays as ``.npz`` at the fastest level of deflate, and read every one back.

    Raises
    ------
    ExportError
        An array does not read back as it was written.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=_FAST) as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # its fixed date: the same plan gives the same bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as handle:
                np.lib.format.write_array(handle, np.ascontiguousarray(values), allow_pickle=False)
    with np.load(path, allow_pickle=False) as saved:
        bad = [name for name, values in arrays.items() if not np.array_equal(saved[name], values)]
    if bad:
        raise ExportError(f"{path.name} 读回检查未通过:{'、'.join(bad)}")


def _write_candidates(facts: Certificate, path: Path) -> None:
    table = facts.table[list(CANDIDATE_COLUMNS)].reset_index(drop=True)
    table = table.assign(**{name: table[name].astype("int64") for name in _WHOLE})
    table.insert(0, "number", range(len(table)))
    chosen, year, rank_no = (np.zeros(len(table), dtype=np.int64) for _ in range(3))
    chosen[facts.answer.chosen] = 1
    if facts.stages:
        years = np.array([int(stage["year"]) for stage in facts.stages])
        year[facts.answer.chosen] = years[facts.answer.stage]
    rank_no[facts.ranked] = np.arange(1, len(facts.ranked) + 1)
    table = table.assign(chosen=chosen, year=year, rank_no=rank_no)
    table.to_csv(path, index=False, encoding="utf-8-sig")
    read = pd.read_csv(path, encoding="utf-8-sig", dtype="str", keep_default_na=False)
    same = len(read) == len(table) and (read["site_id"] == table["site_id"].astype("str")).all()
    if not same or any(not np.array_equal(read[name].astype(table[name].dtype), table[name], equal_nan=True)
                       for name in ("x", "y", "price", "cost_yuan", "spacing_m", "chosen", "year")):
        raise ExportError(f"{path.name} 读回检查未通过")


def _reach_arrays(facts: Certificate) -> dict[str, NDArray[Any]]:
    service = facts.service
    if not service.has_canonical_format:
        service = service.copy()
        service.sum_duplicates()
    return {"indptr": service.indptr.astype(np.int64), "indices": service.indices.astype(np.int32, copy=False),
            "service": service.data.astype(np.float32, copy=False), "weight": facts.weight.astype(np.float64),
            "demand": facts.demand.astype(np.float64), "row": facts.row.astype(np.int32),
            "col": facts.col.astype(np.int32), "already": facts.already.astype(np.float32)}


def _floor_arrays(facts: Certificate) -> dict[str, NDArray[Any]]:
    counts = [len(cells) for cells in facts.floor_cells]
    return {"indptr": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            "cells": np.concatenate([np.zeros(0, np.int64), *facts.floor_cells]).astype(np.int64),
            "weights": np.concatenate([np.zeros(0), *facts.floor_weights]).astype(np.float64)}


def _multiplier_arrays(facts: Certificate) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    levels = max(len(facts.objective.get("levels", ())), 1)
    for stage, prices in enumerate(facts.answer.multipliers):
        parts: dict[str, NDArray[Any]] = {
            "cells": np.reshape(prices.cells, (levels, -1)), "rows_least": prices.rows_least,
            "rows_most": prices.rows_most, "groups": prices.groups, "cliques": prices.cliques,
            "clique_indptr": prices.clique_indptr.astype(np.int64),
            "clique_members": prices.clique_members.astype(np.int32), "floors": prices.floors, "wanted": prices.wanted}
        arrays |= {f"{name}_{stage}": values for name, values in parts.items()}
    return arrays


def certificate_facts(facts: Certificate) -> dict[str, Any]:
    """What ``certificate.json`` says, without the sums of the files; what is not finite is null."""
    answer = facts.answer
    listed = {"limits": facts.limits, "floors": facts.floors, "wanted": facts.wanted, "stages": facts.stages}
    return _plain({
        "format": FORMAT, "version": VERSION, "study": facts.study, "study_sha256": facts.study_sha256,
        "seed": answer.seed, "method": answer.method, "status": answer.status, "value": answer.value,
        "bound": answer.bound, "gap": answer.gap, "served_weight": facts.served_weight,
        "total_weight": float(np.sum(facts.weight)), "seconds": answer.seconds, "cut": answer.cut,
        "proof": answer.proof, "conflicts": answer.conflicts, "versions": facts.versions,
        "objective": facts.objective, "spacing_m": facts.spacing_m, **listed, "give_way": facts.give_way})


def _write_header(facts: Certificate, path: Path) -> None:
    sums = {}
    for file in sorted(file for file in path.parent.iterdir() if file.name != HEADER):
        with file.open("rb") as handle:
            sums[file.name] = hashlib.file_digest(handle, "sha256").hexdigest()
    told = {**certificate_facts(facts), "files": sums}
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")
    if json.loads(path.read_text("utf-8")) != told:
        raise ExportError(f"{path.name} 读回检查未通过")


def _plain(value: Any) -> Any:
    """Plain JSON values: no numpy numbers, no tuples, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
