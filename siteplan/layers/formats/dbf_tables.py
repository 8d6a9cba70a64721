"""A .dbf without a Shapefile: a plain table in an old encoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.dbf import read_dbf_header
from siteplan.layers.formats.encodings import dbf_encoding, decode_text
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.table_cells import table_of, unique_names
from siteplan.params import LayerSource

MAX_BYTES = 1 << 28
"""Greatest table (256 MiB): it is held in memory, some 10 times as large."""
_MEMO = ("M", "B", "G", "P")
_BINARY = ("I", "+", "O", "@", "Y", "T", "0", "V", "Q", "W")
"""Types whose bytes are no text (Visual FoxPro, dBASE 7)."""
_DELETED = ord("*")


def read_dbf(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a .dbf; row labels are record numbers from 1. Rows marked as deleted and memo fields are left out, told.

    Nothing comes when a problem was logged.
    """
    if path.stat().st_size > MAX_BYTES:
        log.problem(f"DBF 大于 {MAX_BYTES >> 20} MiB", "转为 GeoPackage 或分成几个文件")
        return
    head = read_dbf_header(path)
    if head is None:
        log.problem("DBF 的文件头已损坏", "用原软件打开并重新导出")
        return
    encoding = dbf_encoding(path, source.encoding, log)
    count = min(head.rows, head.held)
    if count < head.rows:
        log.line("", "", count, "note", f"文件头说有 {head.rows} 行，只有 {count} 行完整", "文件可能被截断：重新复制")
    if not count:
        log.problem("DBF 里没有一行", "核对文件")
        return
    data = np.frombuffer(path.read_bytes(), np.uint8, count * head.width, head.header)
    cells = data.reshape(count, head.width)
    kept = np.flatnonzero(cells[:, 0] != _DELETED)
    if len(kept) < count:
        log.line("", "", count - len(kept), "note", f"{count - len(kept)} 行标记为已删除，未读", "无需处理")
    names, columns = [], []
    rows = np.array([str(number) for number in range(1, count + 1)], dtype=object)
    for field in head.fields:
        name = decode_text(field.name, encoding)[0].strip()
        if field.kind in _MEMO:
            log.line("", name, "", "note", "备注字段未读", "需要时另存为普通文本字段")
        elif field.kind in _BINARY:
            log.line("", name, field.kind, "note", f"字段类型 {field.kind} 不是文本，未读", "用原软件另存为 dBASE IV 或 .xlsx")
        elif field.width:
            texts = np.ascontiguousarray(cells[kept, field.start:field.start + field.width]).view(f"S{field.width}")
            names.append(name)
            columns.append(_decoded(texts.ravel().tolist(), rows[kept], name, encoding, log))
    if source.layer:
        log.line("", "layer", source.layer, "note", "DBF 只有一张表，不用 layer", "删去 layer")
    raw = table_of(unique_names(names, log), columns, rows[kept], source, encoding, log)
    if raw is not None:
        yield raw


def _decoded(texts: list[bytes], rows: NDArray[np.object_], name: str, encoding: str, log: FileLog) -> list[str | None]:
    """Texts of a column; those that are not in the file's encoding are told."""
    out: list[str | None] = []
    odd: list[int] = []
    for place, text in enumerate(texts):
        try:
            plain = text.decode(encoding)
        except UnicodeDecodeError:
            plain = decode_text(text, encoding)[0]
            odd.append(place)
        out.append(plain.strip("\0 \t\r\n") or None)
    log.rows(rows[odd], name, out[odd[0]] if odd else "", "repaired", f"文字不全是 {encoding} 编码，已尽量读出", "核对文字")
    return out
