"""Column dictionary: what each layer's table holds, and how a file may spell it (``tables/columns.toml``)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import pandas as pd

from siteplan.errors import StudyError
from siteplan.tables import read_table
from siteplan.unit_words import UNIT_FACTORS

DTYPES = {"text": "str", "float": "float64", "int": "float64", "bool": "boolean", "date": "datetime64[us]"}
"""pandas dtype of each field type; whole numbers are float64 so that a missing one is NaN."""
TRACE_COLUMNS = ("source_file", "source_row")
"""Columns every table carries: where its rows came from."""

_BRACKET = re.compile(r"[(\[{【]([^)\]}】]*)[)\]}】]")
_BLANK = re.compile("[\\s_\\ufeff\\u200b.·:-]+")


@dataclass(frozen=True)
class Field:
    """One column of a layer.

    Attributes
    ----------
    name : str
        Name in the program, with its unit.
    type : str
        ``text``, ``float``, ``int``, ``bool`` or ``date``.
    zh : str
        Chinese name.
    unit : str
        Unit, empty when there is none.
    accepts : tuple of str
        Further spellings in files.
    required : bool
        A row without it is refused.
    strict : bool
        A row whose value is unreadable or out of bounds is refused (required fields are strict too).
    low, high : float or None
        Bounds, inclusive.
    default : object
        Taken when the value is missing (``assumed`` in the ledger); None = stays empty.
    values : mapping of str to tuple of str
        Canonical values and their spellings; empty = free text.
    loose : bool
        A spelling may also be part of the value (longest wins).
    otherwise : str
        Value for spellings not listed; empty = the value is emptied.
    out : str
        Name in a Shapefile, empty when not exported.
    """

    name: str
    type: str
    zh: str
    unit: str = ""
    accepts: tuple[str, ...] = ()
    required: bool = False
    strict: bool = False
    low: float | None = None
    high: float | None = None
    default: Any = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    loose: bool = False
    otherwise: str = ""
    out: str = ""

    @property
    def dtype(self) -> str:
        """The pandas dtype of the column."""
        return DTYPES[self.type]


@dataclass(frozen=True)
class LayerSchema:
    """What a layer's table holds: ``fields`` by name, ``key`` the index, ``geometry`` the kind wanted."""

    name: str
    zh: str
    geometry: str
    key: str
    fields: Mapping[str, Field]
    defaults: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns beside index and geometry, in order."""
        return (*(name for name in self.fields if name != self.key), *TRACE_COLUMNS)


@dataclass(frozen=True)
class HeaderMatch:
    """Which column of a file a field is read from.

    Attributes
    ----------
    columns : mapping of str to str
        Field name -> column name in the file.
    factors : mapping of str to float
        Field name -> factor of the unit written in the header, such as 0.3048 for ``高度(ft)``.
    notes : tuple of (str, str)
        Column and Chinese sentence about doubtful matches.
    unused : tuple of str
        Columns no field took.
    """

    columns: Mapping[str, str]
    factors: Mapping[str, float]
    notes: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]


def read_field(name: str, entry: Mapping[str, Any]) -> Field:
    """A field from its entry in a dictionary of columns (``tables/columns.toml``, ``tables/register.toml``)."""
    values = {key: tuple(words) for key, words in entry.get("values", {}).items()}
    return Field(
        name=name, type=entry["type"], zh=entry["zh"], unit=entry.get("unit", ""),
        accepts=tuple(entry.get("accepts", ())), required=entry.get("need") == "required",
        strict=entry.get("need") in ("required", "valid"),
        low=entry.get("low"), high=entry.get("high"),
        default=entry.get("default"), values=MappingProxyType(values), loose=bool(entry.get("loose", False)),
        otherwise=entry.get("otherwise", ""), out=entry.get("out", ""))


@lru_cache(maxsize=1)
def load_columns() -> Mapping[str, LayerSchema]:
    """The column dictionary shipped with the package: every layer by its name.

    Examples
    --------
    >>> load_columns()["stations"].fields["antenna_height_m"].zh
    '挂高'
    """
    out = {}
    for name, entry in read_table("columns").items():
        if not isinstance(entry, dict) or "key" not in entry:
            continue
        fields = {key: read_field(key, value) for key, value in entry["fields"].items()}
        out[name] = LayerSchema(name, entry["zh"], entry["geometry"], entry["key"], MappingProxyType(fields),
                                MappingProxyType(entry.get("defaults", {})))
    return MappingProxyType(out)


@lru_cache(maxsize=1)
def list_schemas() -> Mapping[str, LayerSchema]:
    """Lists for the register, under ``register.NAME``: what cannot be read is refused."""
    own = {"id": Field("id", "text", "储备库编号"), "revision": Field("revision", "text", "储备库版次", accepts=("版次",))}
    known, out = read_table("register"), {}
    for table, entry in {**known["tables"], **known["lists"]}.items():
        read = [read_field(key, value) for key, value in entry["fields"].items()]
        types = {"int": "float"}
        typed = {f.name: replace(f, type=types.get(f.type, f.type), strict=True, required=False) for f in read}
        fields = MappingProxyType((own if table in known["tables"] else {}) | typed)
        name = f"register.{table}"
        out[name] = LayerSchema(name, entry["zh"], entry["geometry"] or "none", "id", fields)
    return MappingProxyType(out)


def layer_schema(layer: str) -> LayerSchema:
    """The schema of one layer.

    Raises
    ------
    StudyError
        No such layer.

    Examples
    --------
    >>> layer_schema("poles").key
    'pole_id'
    """
    found = load_columns().get(layer) or list_schemas().get(layer)
    if found is None:
        raise StudyError(f"图层名 {layer!r} 不认识；可用：{', '.join(load_columns())}")
    return found


@lru_cache(maxsize=1)
def coordinate_words() -> Mapping[str, tuple[str, ...]]:
    """Spellings of coordinate columns: ``lon, lat, x, y``.

    >>> "经度" in coordinate_words()["lon"]
    True
    """
    return MappingProxyType({name: tuple(words) for name, words in read_table("columns")["coordinates"].items()})


@lru_cache(maxsize=1)
def place_words() -> Mapping[str, tuple[str, ...]]:
    """Spellings of columns that hold both coordinates (``pair``) or a shape as text (``shape``).

    >>> "经纬度" in place_words()["pair"]
    True
    """
    return MappingProxyType({name: tuple(words) for name, words in read_table("columns")["places"].items()})


@lru_cache(maxsize=65536)
def normalise_word(text: str) -> str:
    """One spelling for comparing: NFKC, lower case, without blanks, underscores, hyphens, points, BOM.

    >>> normalise_word(" Ａntenna_Height ")
    'antennaheight'
    """
    return _BLANK.sub("", unicodedata.normalize("NFKC", str(text)).casefold())


def _header_variants(column: str) -> tuple[str, str, str]:
    """Spelling with brackets opened, without brackets, and what was in them."""
    plain = unicodedata.normalize("NFKC", str(column))
    inside = normalise_word("".join(_BRACKET.findall(plain)))
    return normalise_word(_BRACKET.sub(r"\1", plain)), normalise_word(_BRACKET.sub("", plain)), inside


def _unit_factor(spec: Field, words: str) -> float | None:
    """Factor of a unit written in a header; None when it is another quantity's unit."""
    known = UNIT_FACTORS.get(spec.unit.lower(), {})
    if words in known:
        return known[words]
    foreign = any(words in units for units in UNIT_FACTORS.values())
    return None if foreign and spec.unit else 1.0


def match_columns(columns: Sequence[str], fields: Iterable[Field], override: Mapping[str, str] | None = None,
                  ) -> HeaderMatch:
    """Find the column of a file for each field.

    Case, blanks, underscores, full-width letters and a unit in brackets do not matter. Spellings are tried in the
    order name, ``zh``, ``accepts``; the first that fits wins, others are reported. A column serves one field only.

    Parameters
    ----------
    columns : sequence of str
        Header of the file.
    fields : iterable of Field
    override : mapping of str to str, optional
        Field -> column, from the study file; wins over everything.

    Returns
    -------
    HeaderMatch

    Raises
    ------
    StudyError
        `override` names a field or a column that does not exist.

    Examples
    --------
    >>> found = match_columns(["小区号", "挂高（m）", "备注"], layer_schema("stations").fields.values())
    >>> dict(found.columns), found.unused
    ({'sector_id': '小区号', 'antenna_height_m': '挂高（m）'}, ('备注',))
    """
    specs = list(fields)
    taken = _check_override(columns, {spec.name for spec in specs}, override or {})
    variants = {column: _header_variants(column) for column in columns}
    factors: dict[str, float] = {}
    notes: list[tuple[str, str]] = []
    for spec in specs:
        if spec.name in taken:
            factors[spec.name] = _unit_factor(spec, variants[taken[spec.name]][2]) or 1.0
            continue
        hits: list[tuple[str, float]] = []
        for word in dict.fromkeys(_header_variants(word)[0] for word in (spec.name, spec.zh, *spec.accepts)):
            for column, (opened, bare, unit) in variants.items():
                if column in taken.values() or any(column == hit for hit, _ in hits):
                    continue
                factor = 1.0 if opened == word else (_unit_factor(spec, unit) if bare == word else None)
                if factor is not None:
                    hits.append((column, factor))
        if hits:
            taken[spec.name], factors[spec.name] = hits[0]
        notes += [(column, f"与“{hits[0][0]}”都像“{spec.zh}”，采用“{hits[0][0]}”") for column, _ in hits[1:]]
    used = set(taken.values())
    notes = [note for note in notes if note[0] not in used]
    unused = tuple(column for column in columns if column not in used)
    return HeaderMatch(MappingProxyType(taken), MappingProxyType(factors), tuple(notes), unused)


def find_column(columns: Sequence[str], column: str) -> str | None:
    """The column of a file that a study file means: spelled the same, or else but for case, blanks and width.

    >>> find_column(["挂高 （m）", "H"], "h"), find_column(["H"], "高度")
    ('H', None)
    """
    if column in columns:
        return column
    return next((known for known in columns if normalise_word(known) == normalise_word(column)), None)


def _check_override(columns: Sequence[str], names: set[str], override: Mapping[str, str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name, column in override.items():
        if name not in names:
            continue
        found = find_column(columns, column)
        if found is None:
            have = "、".join(map(str, columns))
            raise StudyError(f"columns 指定 {name} = {column!r}，但文件没有这一列；文件的列：{have}")
        taken[name] = found
    return taken


def match_value(spec: Field, text: str) -> str | None:
    """Canonical value of an enumerated field, or None when the spelling is not listed.

    >>> match_value(layer_schema("stations").fields["kind"], "宏站")
    'macro'
    """
    word = _header_variants(text)
    for value, spellings in spec.values.items():
        listed = {normalise_word(spelling) for spelling in (value, *spellings)}
        if word[0] in listed or word[1] in listed:
            return value
    if spec.loose:
        found = [(len(spelling), value) for value, spellings in spec.values.items()
                 for spelling in map(normalise_word, spellings) if len(spelling) > 1 and spelling in word[0]]
        if found:
            return max(found, key=lambda pair: pair[0])[1]
    return spec.otherwise or None


def empty_columns(layer: str) -> dict[str, pd.Series]:
    """Empty columns of a layer, with their dtypes, without index and geometry.

    >>> list(empty_columns("towns"))
    ['name', 'county', 'source_file', 'source_row']
    """
    schema = layer_schema(layer)
    dtypes = {name: schema.fields[name].dtype if name in schema.fields else "str" for name in schema.columns}
    return {name: pd.Series([], dtype=dtype) for name, dtype in dtypes.items()}


def table_schema(layer: str) -> Any:
    """The pandera schema of a layer's typed table (index ``key``), used as the last gate.

    Examples
    --------
    >>> sorted(table_schema("towns").columns)
    ['county', 'name', 'source_file', 'source_row']
    """
    import pandera.pandas as pa

    schema = layer_schema(layer)
    columns = {name: pa.Column("str", nullable=False) for name in TRACE_COLUMNS}
    for name, spec in schema.fields.items():
        checks = []
        if spec.low is not None:
            checks.append(pa.Check.ge(spec.low))
        if spec.high is not None:
            checks.append(pa.Check.le(spec.high))
        if spec.values:
            checks.append(pa.Check.isin(list(spec.values) + ([spec.otherwise] if spec.otherwise else [])))
        if name != schema.key:
            columns[name] = pa.Column(spec.dtype, checks=checks, nullable=not spec.required)
    return pa.DataFrameSchema(columns, index=pa.Index("str", name=schema.key, unique=True, nullable=False))


@lru_cache(maxsize=1)
def layer_names_zh() -> Mapping[str, str]:
    """Chinese name of every layer, rasters too, by its name in the study file.

    >>> layer_names_zh()["poles"], layer_names_zh()["ground"]
    ('路灯杆', '地面高程（栅格）')
    """
    tables = {name: schema.zh for name, schema in load_columns().items()}
    return MappingProxyType(tables | read_table("columns")["rasters"])


def field_zh(layer: str, field: str) -> str:
    """Chinese name of a field with its key behind; other words (``geometry``, a column of the file) stay as they are.

    Examples
    --------
    >>> field_zh("stations", "antenna_height_m"), field_zh("study", "crs")
    ('挂高 antenna_height_m', 'crs')
    """
    schema = load_columns().get(layer)
    spec = None if schema is None else schema.fields.get(field)
    return field if spec is None else f"{spec.zh} {field}"


def layer_zh(layer: str) -> str:
    """Chinese name of a layer with its name in the study file; other words (``study``) stay as they are.

    >>> layer_zh("poles"), layer_zh("study")
    ('路灯杆 poles', 'study')
    """
    known = layer_names_zh().get(layer)
    return f"{known} {layer}" if known else layer
