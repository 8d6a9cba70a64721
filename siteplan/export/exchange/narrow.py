"""What Shapefile and MapInfo can hold: short names, texts of one encoding and width, numbers of so many digits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from siteplan.export.exchange.field_values import different, joined
from siteplan.export.exchange.findings import Findings, raise_problems, rows_of, shown
from siteplan.export.exchange.formats.words import encodes, lacking
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import Profile, ProfileField

NAME_BYTES = 10
CUT = "…"
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_SINGLE_BYTES = 1
_Numbers = NDArray[np.float64]


def narrowed(layer: OutLayer, encoding: str, names: str) -> OutLayer:
    """A layer as narrow formats hold it; what they cannot is a problem, or changed on purpose and told.

    Texts are changed in this order: line breaks, tabs and other control characters become blanks, characters that the
    encoding lacks become those of ``profile.replace``, blanks at either end go, texts over the width are cut where the
    field says so.

    Parameters
    ----------
    layer : OutLayer
    encoding : str
        Encoding of the texts: ``UTF-8``, ``GBK``, ``GB18030``.
    names : {"pinyin", "chinese"}
        Which names the columns bear.

    Returns
    -------
    OutLayer
        Columns named as they are written; every change an :class:`Adjustment` behind those of ``layer``.

    Raises
    ------
    ExportError
        With all problems of all rows, at most 200 of them listed: a name of more than 10 bytes, a character outside
        the encoding, a text over the width that may not be cut, a number of too many digits, keys that are no longer
        unique.

    Examples
    --------
    >>> profile = Profile("a", "站址", "sites", "a", "Point", "BH", (
    ...     ProfileField("BH", "编号", "编号", "text", 9), ProfileField("MC", "名称", "名称", "text", 10, over_long="cut")))
    >>> table = gpd.GeoDataFrame({"BH": ["S1"], "MC": ["溪口市人民政府"]}, geometry=gpd.points_from_xy([0], [0]), crs=4490)
    >>> narrow = narrowed(OutLayer(profile, "a", table), "GBK", "chinese")
    >>> narrow.table[["编号", "名称"]].values.tolist(), narrow.adjustments[0].reason
    ([['S1', '溪口市人…']], '超过字段宽度 10 字节(GBK),截短')
    """
    keys = layer.table[layer.profile.key].astype("str").fillna("")
    findings = Findings(layer.name, np.array([shown(key) for key in keys.tolist()], dtype=object))
    written = _names(layer.profile, encoding, names, findings)
    columns = {}
    for field in layer.profile.fields:
        column = layer.table[field.name]
        if field.type == "text":
            column = _text(field, column, encoding, layer.profile.replace, findings)
        elif field.type in ("int", "float"):
            _tell_wide(field, column, findings)
        columns[written[field.name]] = column
    key = columns[written[layer.profile.key]]
    if not key.is_unique:
        words = key.astype("str")
        for word, rows in rows_of(words, words[key.duplicated() & key.notna()].unique()).items():
            findings.rows(rows[:1], layer.profile.key, f"截短或替换后主键重复:{shown(word)}", "加大主键字段的 width,或改编号")
    raise_problems(layer.name, [findings])
    table = gpd.GeoDataFrame(columns, geometry=layer.table.geometry.reset_index(drop=True), crs=layer.table.crs)
    return replace(layer, table=table, adjustments=(*layer.adjustments, *findings.adjustments))


def _names(profile: Profile, encoding: str, names: str, findings: Findings) -> dict[str, str]:
    """Name of the profile -> name that is written."""
    written = {field.name: field.name_zh if names == "chinese" else field.name for field in profile.fields}
    for name, word in written.items():
        try:
            size = len(word.encode(encoding))
        except UnicodeEncodeError:
            findings.whole(name, f"字段名“{word}”不在 {encoding} 字符集内", "改 name_zh,或用拼音字段名(names = \"pinyin\")")
            continue
        if size > NAME_BYTES:
            findings.whole(name, f"字段名“{word}”在 {encoding} 中有 {size} 字节,超过 10",
                           "中文字段名用 encoding = \"GBK\",或用拼音字段名(names = \"pinyin\")")
    return written


def _text(field: ProfileField, column: pd.Series, encoding: str, instead: Mapping[str, str],
          findings: Findings) -> pd.Series:
    """A text column that fits; only texts that may not are looked at one by one."""
    texts = different(column)
    doubtful = _doubtful(texts, field.width, encoding)
    if not doubtful:
        return column
    fitted: dict[str, str] = {}
    for text, rows in rows_of(column, doubtful).items():
        fitted[text] = _fitted(field, (text, encoding), instead, rows, findings)
    out = column.map(lambda text: fitted.get(text, text), na_action="ignore").astype("str")
    return out.mask((out == "").to_numpy(dtype=bool, na_value=False))


def _doubtful(texts: pa.Array, width: int, encoding: str) -> list[str]:
    """Texts that may not fit: outside the encoding, over the width, with breaks, or with blanks at an end."""
    if len(texts) == 0:
        return []
    whole = joined(texts)
    most = 2 if encoding == "GB18030" and not encodes(whole, "GBK") else 1  # bytes there for one of UTF-8, at most
    wrong = pc.greater(pc.multiply(pc.binary_length(texts), most), width)
    if _BREAKS.search(whole):
        wrong = pc.or_(wrong, pc.match_substring_regex(texts, r"[\x00-\x1f\x7f\x{85}\x{2028}\x{2029}]"))
    wrong = pc.or_(wrong, pc.or_(pc.starts_with(texts, " "), pc.ends_with(texts, " ")))
    if not encodes(whole, encoding):
        wrong = pc.or_(wrong, pa.array([not encodes(text, encoding) for text in texts.to_pylist()]))
    return [str(text) for text in texts.filter(wrong).to_pylist()]


def _fitted(field: ProfileField, text_encoding: tuple[str, str], instead: Mapping[str, str], rows: NDArray[np.intp],
            findings: Findings) -> str:
    """A text as it is written; every step is told."""
    text, encoding = text_encoding
    steps = [(_BREAKS.sub(" ", text), "换行、制表符等控制字符改为空格")]
    plain = steps[0][0]
    if not encodes(plain, encoding):
        swapped = "".join(letter if encodes(letter, encoding) else instead.get(letter, letter) for letter in plain)
        lost = lacking(swapped, encoding)
        if lost:
            codes = " ".join(f"U+{ord(letter):04X}" for letter in lost)
            findings.rows(rows, field.name, f"{shown(text)}:{encoding} 字符集没有 {shown(lost)}({codes})",
                          "把 encoding 改为 UTF-8 或 GB18030,或在导出方案的 [replace] 中写替换字")
            return text
        steps.append((swapped, f"{encoding} 字符集没有的字,按导出方案的 [replace] 替换"))
    steps.append((steps[-1][0].strip(" "), "文字首尾的空格不保存"))
    size = len(steps[-1][0].encode(encoding))
    if size > field.width:
        if field.over_long == "error":
            findings.rows(rows, field.name, f"{shown(text)}:有 {size} 字节({encoding}),超过宽度 {field.width}",
                          "加大 width(至多 254),或在导出方案中写 over_long = \"cut\"")
            return text
        steps.append((_cut(steps[-1][0], field.width, encoding), f"超过字段宽度 {field.width} 字节({encoding}),截短"))
    before = text
    for after, reason in steps:
        if after != before:
            findings.changed(rows, field.name, (before, after), reason)
        before = after
    return before


def _cut(text: str, width: int, encoding: str) -> str:
    """The text, cut on the boundary of a character, with … where there is room for it.

    >>> _cut("溪口市人民政府", 10, "GBK"), _cut("abc", 1, "GBK")
    ('溪口市人…', 'a')
    """
    end = CUT if len(CUT.encode(encoding)) <= width - _SINGLE_BYTES else ""
    room = width - len(end.encode(encoding))
    return text.encode(encoding)[:room].decode(encoding, errors="ignore").rstrip(" ") + end


def _tell_wide(field: ProfileField, column: pd.Series, findings: Findings) -> None:
    """Tell numbers with more digits, point and sign included, than the field is wide."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    room = field.width - (field.decimals + 1 if field.decimals else 0)
    doubtful = np.flatnonzero((values >= 10.0**room - 1) | (values <= -(10.0 ** max(0, room - 1) - 1)))
    wide = [row for row in doubtful if len(_digits(field, values[row])) > field.width]
    findings.rows(np.array(wide, dtype=np.intp), field.name,
                  lambda row: f"{_digits(field, values[row])} 超过宽度 {field.width}(含小数点和负号)", "加大 width,或减少 decimals")


def _digits(field: ProfileField, value: float) -> str:
    return f"{int(value)}" if field.type == "int" else f"{value:.{field.decimals}f}"
