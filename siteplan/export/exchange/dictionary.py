"""The alias dictionary (字段对照表): what the short names of an exchange copy mean, as a list and as a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from siteplan.export._workbook import add_sheet, open_book, write_csv
from siteplan.export.exchange.formats.workbook import sheet_names
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.export.exchange.style import code_words
from siteplan.profiles import ProfileField

HEAD = ("字段", "中文名", "类型", "取值", "主文件字段", "中文短名", "宽度", "小数", "必填", "代码说明", "备注")
"""The first five stand as ``siteplan`` has always written them."""
_TYPES_ZH = {"text": "文本", "int": "整数", "float": "小数", "date": "日期"}


def field_table(layer: OutLayer) -> pd.DataFrame:
    """The dictionary of one layer: a row for each field, columns `HEAD`.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from siteplan.profiles import Profile
    >>> field = ProfileField("ZZLX", "站址类型", "站址类型", "text", 4, source="kind", codes={"宏站": "01"})
    >>> layer = OutLayer(Profile("p", "站址", "sites", "p", "Point", "ZZLX", (field,)), "p",
    ...                  gpd.GeoDataFrame({"ZZLX": ["01"]}, geometry=[None]))
    >>> field_table(layer).loc[0, ["字段", "取值", "主文件字段", "代码说明"]].tolist()
    ['ZZLX', '宏站', 'kind', '01=宏站']
    """
    names = layer.table.columns.drop(layer.table.geometry.name)
    rows = [_row(field, str(name)) for field, name in zip(layer.profile.fields, names, strict=True)]
    return pd.DataFrame(rows, columns=list(HEAD))


def _row(field: ProfileField, name: str) -> list[str | int]:
    coded = any(word != code for word, code in field.codes.items())
    words = code_words(field)
    codes = ";".join(f"{code}={words[code] if words[code] != code else word}" for word, code in field.codes.items())
    told = [f"固定值:{field.value}"] if not field.source and field.value not in (None, "") else []
    told += [f"空值写为:{field.value}"] if field.source and field.value not in (None, "") else []
    told += ["过长时截断并列入导出调整清单"] if field.over_long == "cut" else []
    note = ";".join([*([field.note] if field.note else []), *told])
    return [name, field.zh, field.type, "/".join(dict.fromkeys(words.values())), field.source, field.name_zh,
            field.width, field.decimals, "是" if field.mandatory else "否", codes if coded else "", note]


def write_field_list(layer: OutLayer, path: Path) -> None:
    """The dictionary of one layer as a CSV that a spreadsheet opens (UTF-8 with BOM, no cell is a formula)."""
    write_csv(field_table(layer), path)


def write_dictionary(layers: Sequence[OutLayer], path: Path, notes: Sequence[str] = ()) -> None:
    """The dictionaries of all layers as a workbook with a sheet each; no text becomes a formula or a link.

    Parameters
    ----------
    layers : sequence of OutLayer
    path : Path
        The ``.xlsx``.
    notes : sequence of str
        Further lines over each sheet, such as the notices of the study.
    """
    with open_book(path, "字段对照表") as book:
        titles = sheet_names([layer.profile.zh if layer.name == layer.profile.out
                              else f"{layer.profile.zh} {layer.name}"
                              for layer in layers])
        for title, layer in zip(titles, layers, strict=True):
            table = field_table(layer)
            table["类型"] = table["类型"].map(_TYPES_ZH)
            lines = [f"字段对照表:{layer.profile.zh}({layer.name})",
                     f"编码 {layer.profile.encoding};主键 {layer.profile.key};字段依据(原文):{layer.profile.source or '自定'}",
                     *notes]
            add_sheet(book, title, HEAD, table.to_numpy(dtype=object).tolist(), lines, {1: 26, 3: 30, 9: 30, 10: 34})
