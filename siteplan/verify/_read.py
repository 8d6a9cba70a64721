"""Reading a certificate: every file of it, whole and consistent, or every problem at once."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import Problem
from siteplan.verify._check import CertificateError
from siteplan.verify._header import header_faults

FOLDER, HEADER = "certificate", "certificate.json"
ARRAY_FILES = ("reach.npz", "floors.npz", "multipliers.npz")
CANDIDATES = "candidates.csv"
AGAIN = "用 siteplan run 重新生成这个成果目录"
BLOCK = 4_000_000
"""Entries of the reach that are looked at at a time: bounds the memory of checks and sums."""
_NUMBERS = ("x", "y", "price", "cost_yuan", "spacing_m")
_WHOLE = ("number", "stations", "must_be_free", "fixed_year", "chosen", "year", "rank_no")
_TEXTS = ("site_id", "venue", "county", "town", "department", "operators", "networks", "kind", "tier", "source",
          "owner", "state")
_REACH = ("indptr", "indices", "service", "weight", "already")
_STAGE_PARTS = ("cells", "rows_least", "rows_most", "groups", "cliques", "clique_indptr", "clique_members", "floors",
                "wanted")
_WORDS = ("free", "locked", "barred")
_ROUNDING = 1e-6
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Papers:
    """A certificate as its files say it.

    Attributes
    ----------
    folder : Path
        The output folder, in which ``certificate/`` stands.
    facts : dict
        ``certificate.json``.
    candidates : DataFrame
        ``candidates.csv``, numbers as numbers.
    indptr, indices, service : ndarray
        Cells of candidate k and the share of their weight that counts:
        ``indices[indptr[k]:indptr[k + 1]]``, ``service[indptr[k]:indptr[k + 1]]``.
    weight, already : ndarray, shape (cells,)
    floor_cells, floor_weights : tuple of ndarray
        Of each floor.
    multipliers : tuple of dict
        Arrays of each stage by their name without its number; empty where the certificate has none.
    """

    folder: Path
    facts: dict[str, Any]
    candidates: pd.DataFrame
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    service: NDArray[np.float32]
    weight: NDArray[np.float64]
    already: NDArray[np.float32]
    floor_cells: tuple[NDArray[np.int64], ...]
    floor_weights: tuple[NDArray[np.float64], ...]
    multipliers: tuple[Arrays, ...]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.weight)

    @property
    def chosen(self) -> NDArray[np.int64]:
        """Numbers of the chosen candidates, ascending."""
        return np.flatnonzero(self.candidates["chosen"].to_numpy() == 1)

    @property
    def years(self) -> tuple[int, ...]:
        """Years of the stages; empty without phases."""
        return tuple(int(stage["year"]) for stage in self.facts["stages"])


def candidate_blocks(indptr: NDArray[np.int64], most: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Ranges of candidates (first, first after) that have about ``most`` entries of reach each.

    >>> list(candidate_blocks(np.array([0, 2, 4, 9, 10]), most=4))
    [(0, 2), (2, 3), (3, 4)]
    """
    first, last = 0, len(indptr) - 1
    while first < last:
        end = max(int(np.searchsorted(indptr, indptr[first] + most, side="right")) - 1, first + 1)
        yield first, min(end, last)
        first = min(end, last)


def read_papers(folder: Path) -> Papers:
    """Read the certificate of an output folder.

    Raises
    ------
    CertificateError
        A file is missing or damaged, or the files do not fit to each other; every problem is listed.
    """
    place = Path(folder) / FOLDER
    if not place.is_dir():
        where = Problem("证书", str(place), "", "", "文件夹不存在", "指定 siteplan run 写出的成果目录")
        raise CertificateError("没有可复核的证书", [where])
    problems: list[Problem] = []
    facts = _read_header(place / HEADER, problems)
    arrays = {name: _read_arrays(place / name, problems) for name in ARRAY_FILES}
    candidates = _read_candidates(place / CANDIDATES, problems)
    if not problems:
        problems += _faults(place, facts, candidates, arrays)
    if problems:
        raise CertificateError("证书不完整或已损坏,不能复核", problems)
    reach, floors = arrays["reach.npz"], arrays["floors.npz"]
    cuts = floors["indptr"][1:-1]
    count = len(facts["floors"])
    return Papers(
        Path(folder), facts, candidates, reach["indptr"], reach["indices"], reach["service"], reach["weight"],
        reach["already"],
        tuple(np.split(floors["cells"], cuts))[:count], tuple(np.split(floors["weights"], cuts))[:count],
        _by_stage(arrays["multipliers.npz"], max(len(facts["stages"]), 1)))


def file_sums(place: Path, listed: dict[str, str]) -> list[str]:
    """Files of the certificate whose SHA-256 is not the one that ``certificate.json`` lists."""
    wrong = []
    for name, expected in listed.items():
        path = place / name
        if Path(name).name != name or not path.is_file():
            wrong.append(name)
            continue
        with path.open("rb") as handle:
            wrong += [name] if hashlib.file_digest(handle, "sha256").hexdigest() != expected else []
    return wrong


def _problem(path: Path, reason: str, row: object = "", name: str = "") -> Problem:
    return Problem("证书", str(path), str(row), name, reason, AGAIN)


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} 不是有效的数")


def read_json(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """A JSON object; NaN and infinities are not JSON."""
    try:
        facts = json.loads(path.read_text("utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError:
        problems.append(_problem(path, "文件不存在"))
    except OSError as error:
        problems.append(_problem(path, f"不能读取:{error.strerror or error}"))
    except (ValueError, RecursionError) as error:
        problems.append(_problem(path, f"不是有效的 JSON:{error}"))
    else:
        if isinstance(facts, dict):
            return facts
        problems.append(_problem(path, "内容不是一个对象"))
    return {}


def _read_header(path: Path, problems: list[Problem]) -> dict[str, Any]:
    before = len(problems)
    facts = read_json(path, problems)
    if len(problems) == before:
        problems += [_problem(path, reason, name=name) for name, reason in header_faults(facts)]
    return facts


def _read_arrays(path: Path, problems: list[Problem]) -> Arrays:
    if not path.is_file():
        problems.append(_problem(path, "文件不存在"))
        return {}
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, NotImplementedError, MemoryError,
            SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        problems.append(_problem(path, f"不是完整的数组文件:{error}"))
        return {}


def _read_candidates(path: Path, problems: list[Problem]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        problems.append(_problem(path, "文件不存在"))
        return pd.DataFrame()
    except (OSError, ValueError) as error:  # of these are those of pandas and of the encoding
        problems.append(_problem(path, f"不能读取:{error}"))
        return pd.DataFrame()
    missing = [name for name in (*_WHOLE, *_TEXTS, *_NUMBERS) if name not in table]
    if missing:
        problems += [_problem(path, "缺少这个字段", name=name) for name in missing]
        return table
    for name in (*_NUMBERS, *_WHOLE):
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype="float64")
        bad = ~np.isfinite(values) | (np.abs(values) > 1e15)
        if name in _WHOLE:
            bad |= ~bad & (values != np.round(values))
        problems += [_problem(path, f"“{table[name].iloc[row]}”不是有效的数", row + 2, name)
                     for row in np.flatnonzero(bad)[:5]]
        table[name] = np.where(bad, 0, values).astype("int64" if name in _WHOLE else "float64")
    return table


def _faults(place: Path, facts: dict[str, Any], candidates: pd.DataFrame, arrays: dict[str, Arrays]) -> list[Problem]:
    """Problems of files that could be read: what is in them is out of range, or they do not fit to each other."""
    found = [_problem(place / CANDIDATES, reason, row, name) for name, row, reason in _table_faults(candidates, facts)]
    reach, floors = arrays["reach.npz"], arrays["floors.npz"]
    found += [_problem(place / "reach.npz", reason, name=name) for name, reason in _reach_faults(reach, candidates)]
    if not found:
        cells = len(reach["weight"])
        found += [_problem(place / "floors.npz", reason, name=name)
                  for name, reason in _floor_faults(floors, facts, cells)]
        found += [_problem(place / "multipliers.npz", "含无效的数", name=name)
                  for name, values in arrays["multipliers.npz"].items()
                  if values.dtype.kind not in "fiu" or not np.isfinite(values).all()]
    return found


def _table_faults(table: pd.DataFrame, facts: dict[str, Any]) -> Iterator[tuple[str, object, str]]:
    """(field, row, reason); rows as a reader of the file counts them, the heading is row 1."""
    years = {int(stage["year"]) for stage in facts["stages"]}
    chosen = table["chosen"] == 1
    rules = {
        "number": (table["number"] == np.arange(len(table)), "编号应从0起连续"),
        "site_id": ((table["site_id"] != "") & ~table["site_id"].duplicated(), "站址编号为空或重复"),
        "state": (table["state"].isin(_WORDS), "应为 free、locked 或 barred"),
        "fixed_year": ((table["fixed_year"] == 0) | (not years) | table["fixed_year"].isin(years), "不是分期的年度"),
        "year": (table["year"].isin(years) & chosen | ((table["year"] == 0) & (~chosen | (not years))),
                 "年度与是否入选不一致"),
        "chosen": (table["chosen"].isin([0, 1]), "应为0或1"),
        "must_be_free": (table["must_be_free"].isin([0, 1]), "应为0或1"),
        **{name: (table[name] >= 0, "不应为负") for name in ("price", "cost_yuan", "stations", "spacing_m")},
    }
    for name, (good, reason) in rules.items():
        for row in np.flatnonzero(~np.asarray(good, dtype=bool))[:5]:
            yield name, row + 2, reason
    if sorted(table.loc[chosen, "rank_no"]) != list(range(1, int(chosen.sum()) + 1)) or table.loc[
            ~chosen, "rank_no"].any():
        yield "rank_no", "", "名次应从1起连续,未入选的为0"


def _reach_faults(reach: Arrays, candidates: pd.DataFrame) -> Iterator[tuple[str, str]]:
    missing = [name for name in _REACH if name not in reach]
    if missing:
        yield from ((name, "缺少这个数组") for name in missing)
        return
    kinds = {"indptr": "iu", "indices": "iu"}
    wrong = [name for name in _REACH if reach[name].ndim != 1 or reach[name].dtype.kind not in kinds.get(name, "f")]
    if wrong:
        yield from ((name, "不是一维数组,或数的类型不对") for name in wrong)
        return
    indptr, indices, service, weight, already = (reach[name] for name in _REACH)
    steps = np.diff(indptr.astype(np.int64))
    if len(indptr) != len(candidates) + 1 or indptr[0] != 0 or (steps < 0).any() or indptr[-1] != len(indices):
        yield "indptr", f"与 {len(candidates)} 个候选站址、{len(indices)} 个服务格不符"
        return
    if len(service) != len(indices):
        yield "service", f"有 {len(service)} 个数,应为 {len(indices)} 个"
        return
    if not np.isfinite(weight).all() or (weight < 0).any():
        yield "weight", "权重含负数或无效的数"
    if len(already) != len(weight) or not ((already >= 0) & (already <= 1 + _ROUNDING)).all():
        yield "already", "与需求格数不符,或不在0到1之间"
    for name in ("demand", "row", "col"):
        values = reach.get(name)
        if values is None or values.shape != weight.shape or not np.isfinite(values).all():
            yield name, "缺少,与需求格数不符,或含无效的数"
    for first, end in candidate_blocks(indptr):
        part = slice(int(indptr[first]), int(indptr[end]))
        cells, shares = indices[part], service[part]
        if len(cells) and (cells.min() < 0 or cells.max() >= len(weight)):
            yield "indices", f"第{first}至{end - 1}号候选站址的需求格编号超出范围"
        inside = np.ones(len(cells), dtype=bool)
        starts = indptr[first:end] - indptr[first]
        inside[starts[starts < len(cells)]] = False
        if (np.diff(cells.astype(np.int64))[inside[1:]] <= 0).any():
            yield "indices", f"第{first}至{end - 1}号候选站址的需求格未按编号升序"
        if not ((shares > 0) & (shares <= 1 + _ROUNDING)).all():
            yield "service", f"第{first}至{end - 1}号候选站址的服务份额不在0到1之间"


def _floor_faults(floors: Arrays, facts: dict[str, Any], cells: int) -> Iterator[tuple[str, str]]:
    missing = [name for name in ("indptr", "cells", "weights") if name not in floors]
    if missing:
        yield from ((name, "缺少这个数组") for name in missing)
        return
    indptr, members, weights = (floors[name] for name in ("indptr", "cells", "weights"))
    if indptr.dtype.kind not in "iu" or members.dtype.kind not in "iu" or weights.dtype.kind != "f":
        yield "indptr", "数的类型不对"
        return
    if (indptr.ndim != 1 or len(indptr) != len(facts["floors"]) + 1 or indptr[0] != 0 or (np.diff(indptr) < 0).any()
            or not indptr[-1] == len(members) == len(weights)):
        yield "indptr", f"与 {len(facts['floors'])} 项达标要求不符"
        return
    if len(members) and (members.min() < 0 or members.max() >= cells):
        yield "cells", "需求格编号超出范围"
    if any((np.diff(part) <= 0).any() for part in np.split(members, indptr[1:-1])):
        yield "cells", "需求格未按编号升序"
    if not np.isfinite(weights).all() or (weights < 0).any():
        yield "weights", "权重含负数或无效的数"


def _by_stage(arrays: Arrays, stages: int) -> tuple[Arrays, ...]:
    if not any(f"cells_{stage}" in arrays for stage in range(stages)):
        return ()
    return tuple({name: arrays[f"{name}_{stage}"] for name in _STAGE_PARTS if f"{name}_{stage}" in arrays}
                 for stage in range(stages))
