"""What is wrong with a profile whose keys are right: names, widths, codes, sources."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping

from siteplan.crs import read_crs
from siteplan.errors import CrsError
from siteplan.profiles._shape import Fault, FieldShape, ProfileShape
from siteplan.profiles._sources import LAYERS, master_columns
from siteplan.setting_faults import suggestion

NAME_BYTES = 10
"""Longest name of a field in a Shapefile."""
MOST_FIELDS = 255
MOST_WIDTH: Mapping[str, int] = {"text": 254, "int": 18, "float": 24, "date": 8}
USUAL_WIDTH: Mapping[str, int] = {"int": 10, "float": 18, "date": 8}
MOST_DECIMALS = 15
RESERVED = frozenset({
    "fid", "oid", "objectid", "ogc_fid", "rowid", "shape", "shape_len", "shape_leng", "shape_area", "shape_length",
    "geom", "geometry", "ogr_style", "mi_prinx", "mi_style",
})
"""Names that formats keep for themselves."""
_DEVICES = frozenset({
    "con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_ZH = re.compile(r"[^\W\d_]\w*")


def profile_faults(shape: ProfileShape) -> Iterator[Fault]:
    """Faults of the keys of a profile that need no field."""
    if shape.layer not in LAYERS:
        yield "", "layer", f"没有这个成果图层:{shape.layer}", suggestion(shape.layer, LAYERS)
    if not _NAME.fullmatch(shape.out) or len(shape.out) > 40 or shape.out.lower() in _DEVICES:
        yield "", "out", f"不能作文件名:{shape.out}", "用英文字母开头,只含字母、数字、下划线,至多 40 个,不用 CON、NUL 等系统名"
    if any(ord(letter) < 32 for letter in shape.zh):
        yield "", "zh", "含有换行等控制字符", "去掉控制字符"
    known = master_columns(shape.layer)
    for column, values in shape.where.items():
        if known and column not in known:
            yield "", f"where.{column}", f"成果图层 {shape.layer} 中没有这一列", suggestion(column, known)
        if not values:
            yield "", f"where.{column}", "没有写取值,一行也选不到", "写出要取的值,或删去这一行"
    if shape.crs:
        try:
            read_crs(shape.crs)
        except CrsError as error:
            yield from (("", "crs", problem.reason, problem.remedy) for problem in error.problems)
    for letter, instead in shape.replace.items():
        if len(letter) != 1 or not instead or not _encodes(instead, "GBK"):
            yield "", f"replace.{letter}", f"不能把“{letter}”替换为“{instead}”", "原字写一个字,替换字写 GBK 字符集内的字"


def key_faults(shape: ProfileShape, fields: Mapping[str, FieldShape], names: list[str]) -> Iterator[Fault]:
    """Whether ``key`` and ``style`` are fields; fields with faults of their own count as there."""
    for word, name in (("key", shape.key), ("style", shape.style)):
        if name and name not in names:
            yield "", word, f"不是字段:{name}", suggestion(name, names)
    field = fields.get(shape.key)
    if field is not None and not field.mandatory:
        yield shape.key, "mandatory", "主键字段必须是必填的", "写 mandatory = true"
    if field is not None and not field.source:
        yield shape.key, "source", "主键字段没有来源列,各行取值相同", "写 source = \"来源列\""


def name_faults(names: list[str], fields: Mapping[str, FieldShape]) -> Iterator[Fault]:
    """Names and titles that no format would hold, and those that come twice."""
    if not names:
        yield "", "fields", "没有字段", "在 [fields] 一节逐行写字段,或用 like 承接一个导出方案"
    if len(names) > MOST_FIELDS:
        yield "", "fields", f"有 {len(names)} 个字段,超过 {MOST_FIELDS}", "减少字段"
    for name in names:
        if not _NAME.fullmatch(name) or len(name) > NAME_BYTES:
            yield name, "", "字段名应为英文字母开头,只含字母、数字、下划线,至多 10 个", "用拼音首字母,如 ZZBH"
        elif name.lower() in RESERVED:
            yield name, "", "字段名为文件格式保留", "换一个名称"
    for name, field in fields.items():
        word = field.name_zh or field.zh
        size = _size(word, "GBK")
        if size is None:
            yield name, "name_zh", f"“{word}”不在 GBK 字符集内", "换用 GBK 内的字"
        elif size > NAME_BYTES:
            what = "name_zh" if field.name_zh else "zh(没有写 name_zh)"
            yield name, "name_zh", f"{what}“{word}”超过 10 字节(GBK,5 个汉字)", "写一个至多 5 个汉字的 name_zh"
        elif not _NAME_ZH.fullmatch(word) or word.lower() in RESERVED:
            yield name, "name_zh", f"“{word}”不能作字段名", "只用汉字、字母、数字、下划线,不以数字开头,不用 FID 等保留名"
    yield from _twice({name: name for name in names}, "", "字段名")
    yield from _twice({name: field.name_zh or field.zh for name, field in fields.items()}, "name_zh", "中文名")
    yield from _twice({name: field.zh for name, field in fields.items()}, "zh", "标题")


def _twice(words: Mapping[str, str], key: str, what: str) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for name, word in words.items():
        first = seen.setdefault(word.casefold(), name)
        if first != name:
            yield name, key, f"{what}“{word}”与字段 {first} 的重复(不分大小写)", "换一个名称"


def field_faults(name: str, field: FieldShape, layer: str, encoding: str) -> Iterator[Fault]:
    """Faults of one field by itself."""
    if any(ord(letter) < 32 for letter in field.zh + field.note):
        yield name, "zh", "标题或说明含有换行等控制字符", "去掉控制字符"
    yield from _width_faults(name, field)
    known = master_columns(layer)
    if field.source and known and field.source not in known:
        yield name, "source", f"成果图层 {layer} 中没有这一列:{field.source}", suggestion(field.source, known)
    if not field.source and field.value is None:
        yield name, "source", "既没有来源列(source),也没有固定值(value)", "写其中之一;各行留空的字段写 value = \"\""
    if not field.source and field.mandatory and field.value == "":
        yield name, "value", "必填字段的固定值是空的", "写出固定值,或去掉 mandatory"
    if field.value is not None and field.value != "":
        yield from ((name, "value", reason, remedy) for reason, remedy in _value_faults(field.value, field, encoding))
    if field.codes and not field.source:
        yield name, "codes", "没有来源列,用不上代码表", "写 source,或删去 codes"
    if field.codes and field.type == "date":
        yield name, "codes", "日期字段不能有代码表", "把 type 改为 text"
    for word, code in field.codes.items():
        if code and field.type != "date":
            wrong = _value_faults(code, field, encoding)
            yield from ((name, f"codes.{word}", reason, remedy) for reason, remedy in wrong)


def _width_faults(name: str, field: FieldShape) -> Iterator[Fault]:
    most, width = MOST_WIDTH[field.type], field.width if field.width is not None else USUAL_WIDTH.get(field.type, 0)
    if field.type == "text" and field.width is None:
        yield name, "width", "文字字段没有写宽度", "写 width = 字节数(UTF-8 一个汉字 3 字节,GBK 2 字节),至多 254"
    elif not 1 <= width <= most:
        yield name, "width", f"宽度 {width} 不在 1 至 {most} 之间", f"改为 1 至 {most}"
    if field.type != "float" and field.decimals:
        yield name, "decimals", "只有小数字段(float)有小数位数", "删去 decimals,或把 type 改为 float"
    elif not 0 <= field.decimals <= MOST_DECIMALS:
        yield name, "decimals", f"小数位数 {field.decimals} 不在 0 至 {MOST_DECIMALS} 之间", "改小"
    elif field.decimals and field.decimals > width - 2:
        yield name, "decimals", f"小数位数 {field.decimals} 加小数点和整数位,宽度 {width} 不够", "加大 width 或减小 decimals"


def _value_faults(value: object, field: FieldShape, encoding: str) -> Iterator[tuple[str, str]]:
    """Why a constant or a code cannot stand in a field: ``(reason, remedy)``."""
    width = field.width or USUAL_WIDTH.get(field.type, 0)
    if field.type == "text":
        size = _size(value, encoding) if isinstance(value, str) else None
        if not isinstance(value, str):
            yield "文字字段的值应加引号", f'写 "{value}"'
        elif size is None:
            yield f"“{value}”含有 {encoding} 字符集没有的字", "改字,或把 encoding 改为 UTF-8 或 GB18030"
        elif width and size > width:
            yield f"“{value}”有 {size} 字节,超过宽度 {width}", "加大 width,或改短"
    elif field.type == "date":
        if not is_date(value):
            yield f"不是日期:{value}", "写作 2026-06-30"
    else:
        number = _number(value, field.type)
        if number is None:
            yield f"不是{'整数' if field.type == 'int' else '有限的数'}:{value}", "写数"
        elif len(f"{number:.{field.decimals}f}") > width:
            yield f"{value} 超过宽度 {width}", "加大 width"


def _number(value: object, kind: str) -> int | float | None:
    try:
        number = int(str(value)) if kind == "int" else float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_date(value: object) -> bool:
    """Whether a value is a day, or says one as ``2026-06-30``."""
    if isinstance(value, dt.date):
        return True
    try:
        return isinstance(value, str) and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False


def _size(text: str, encoding: str) -> int | None:
    """Number of bytes of a text; None where it does not encode."""
    try:
        return len(text.encode(encoding))
    except UnicodeEncodeError:
        return None


def _encodes(text: str, encoding: str) -> bool:
    return _size(text, encoding) is not None
