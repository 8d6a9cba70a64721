"""The register that a study stands on: what is wrong with its table, and what the register says on the day."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyproj
from pydantic import ValidationError

from siteplan.errors import Problem, RegisterError
from siteplan.params import RegisterParams

_ADDRESS = "://"
_REMEDY = "写 path = \"register.gpkg\"，或 url_env = \"SITEPLAN_REGISTER\" 并在该环境变量写数据库地址"


@dataclass(frozen=True)
class RegisterState:
    """A register as it stood on a day.

    Attributes
    ----------
    shown : str
        Its place as the study file names it, without password.
    city : str
    crs : pyproj.CRS
    as_of : date or None
        None = as it stood when it was read.
    last_event : int
        Number of the last change it held when it was read.
    opinions : DataFrame
        See :func:`~siteplan.register.opinions.opinion_rows`.
    sites : GeoDataFrame
    venues : DataFrame
    """

    shown: str
    city: str
    crs: pyproj.CRS
    as_of: dt.date | None
    last_event: int
    opinions: pd.DataFrame
    sites: gpd.GeoDataFrame
    venues: pd.DataFrame

    def facts(self) -> dict[str, Any]:
        """What ``plan.json`` says of it."""
        return {"name": self.shown, "city": self.city, "as_of": None if self.as_of is None else self.as_of.isoformat(),
                "last_event": self.last_event, "opinions": len(self.opinions), "sites": len(self.sites)}


def check_register(raw: Mapping[str, Any], root: Path, file: str) -> tuple[RegisterState | None, list[Problem]]:
    """The register of a study, or what is wrong with it; (None, no problem) when the study has none.

    Parameters
    ----------
    raw : mapping
        The study file as it is read; wrong types are told elsewhere.
    root : Path
        Folder of the study file.
    file : str
        Its name, for the problems.
    """
    table = raw.get("register")
    if not isinstance(table, Mapping):
        return None, []
    problems = [Problem("study", file, "", *fault) for fault in _faults(table, raw.get("layers"))]
    try:
        params = RegisterParams.model_validate(dict(table))
    except ValidationError:  # told with the faults of the whole study file
        return None, problems
    if problems:
        return None, problems
    where, shown = _place(params, root)
    try:
        return read_state(where, shown, _day(params, raw.get("study"))), []
    except RegisterError as error:
        field = "register.path" if params.path else "register.url_env"
        reason = str(error.args[0]).splitlines()[0].rstrip(":：")
        remedy = "见下列各条" if error.problems else "按提示处理后重试"
        return None, [Problem("study", file, "", field, reason, remedy), *error.problems]


def _faults(table: Mapping[str, Any], layers: object) -> Iterator[tuple[str, str, str]]:
    """Key, reason, remedy of what is wrong beyond types."""
    path, name = table.get("path"), table.get("url_env")
    if isinstance(layers, Mapping) and "decisions" in layers:
        yield ("layers.decisions", "有储备库时，决定、拒绝、收费只在储备库登记，不再读决定表",
               "先运行 siteplan register import decisions 决定表，再删去 [layers.decisions]")
    if path is None and name is None:
        yield "register", "没有写储备库在哪里", _REMEDY
    if path is not None and name is not None:
        yield "register.url_env", "path 和 url_env 只写一个", "删去其中一个"
    if isinstance(path, str) and _ADDRESS in path and _has_password(path):
        yield "register.path", "研究文件里不能写数据库密码", "改用 url_env，把地址写在环境变量里"
    if isinstance(name, str) and name and path is None and _ADDRESS not in os.environ.get(name, ""):
        said = "没有设置" if not os.environ.get(name) else "不是数据库地址"
        yield "register.url_env", f"环境变量 {name} {said}", "写成 postgresql://用户:密码@主机/库?schema=模式"


def _has_password(address: str) -> bool:
    """Whether an address holds a password, at the host or among its settings; what cannot be read may hold one.

    >>> _has_password("postgresql://me:secret@db/city"), _has_password("postgresql://db/city?password=x")
    (True, True)
    >>> _has_password("postgresql://me@db/city?schema=xikou")
    False
    """
    from urllib.parse import parse_qs, urlsplit

    try:
        parts = urlsplit(address)
        return parts.password is not None or any("pass" in key.casefold() for key in parse_qs(parts.query))
    except ValueError:
        return True


def _place(params: RegisterParams, root: Path) -> tuple[str, str]:
    """Where the register lies, and what it is called."""
    from siteplan.register.store.connect import place_of

    if params.path is not None and _ADDRESS not in params.path:
        return str(root / params.path), params.path
    address = params.path or os.environ[str(params.url_env)]
    try:
        return address, place_of(address).shown
    except RegisterError:  # said again when it is opened
        return address, ""


def _day(params: RegisterParams, info: object) -> dt.date | None:
    """The day of the register, else that of the study."""
    day = info.get("as_of") if isinstance(info, Mapping) else None
    return params.as_of or (day if isinstance(day, dt.date) and not isinstance(day, dt.datetime) else None)


def read_state(where: str, shown: str, as_of: dt.date | None) -> RegisterState:
    """A register as it stood on a day, all of its tables in one state.

    Raises
    ------
    RegisterError
        It is not there, is damaged or of an older version, or another program has changed its rows.
    """
    from siteplan.register import open_register, read_rows, require_sealed
    from siteplan.register.opinions import TABLES, opinions_of
    from siteplan.register.store.opening import last_event, reading

    register = open_register(where)
    with reading(register) as connection:
        require_sealed(register, TABLES, connection=connection)
        tables = {name: read_rows(register, name, as_of, connection=connection) for name in TABLES}
        last = last_event(register, connection)
    return RegisterState(shown, register.city, register.crs, as_of, last, opinions_of(tables, as_of, shown),
                         gpd.GeoDataFrame(tables["sites"]), tables["venues"])
