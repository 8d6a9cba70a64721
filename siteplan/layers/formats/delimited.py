"""CSV and other text tables into raw tables: encoding, delimiter, line numbers, quotes that do not match."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.catalogue import wide_encoding
from siteplan.layers.formats.encodings import decodes, gb_or_latin, sample_of, text_encoding
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.table_cells import (
    HEADER_SEARCH_ROWS,
    Record,
    find_header,
    known_words,
    log_header,
    make_table,
    table_of,
    unique_names,
)
from siteplan.params import LayerSource

MAX_BYTES = 1 << 28
"""Greatest text table (256 MiB, some 4 million poles): it is held in memory, some 17 times as large."""
_MAX_LINE = 1 << 20
_MAX_RECORD_LINES = 50
"""A record over more lines than this is an unmatched quote, not a long remark."""
_DELIMITERS = ",\t;|，"
_SAMPLE_LINES = 40
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r"sep=([^\n])\n", re.IGNORECASE)
_GUARDED = re.compile(r"'[=+\-@\t\n＝＋－＠]")
"""A cell that a spreadsheet would else take for a formula, as this toolkit writes it (a carriage return is a newline
by now)."""
_DECIMAL = re.compile(r"\s*[+-]?\d+(?:,(\d+))?\s*")
_WORD = re.compile(rb"[\x80-\xff][^\x00-\x20,;|\"]*")
"""A word that begins with a byte beyond ASCII, up to a delimiter."""
_TWO_LETTERS = re.compile(rb"(?:[\xc3-\xd7][\xa1-\xbf]){2}")
"""Two letters in a row in UTF-8, or two common Hanzi in GB 2312."""
_CERTAIN = ("utf-8", "utf-8-sig", "utf-16", "ascii")
"""Encodings that their bytes prove."""


def read_csv(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a text table; row labels are file lines (first = 1). Nothing comes when a problem was logged.

    Cells that begin with ``=`` or ``@`` are text like any other; an apostrophe that guards such a text is taken off.
    """
    if path.stat().st_size > MAX_BYTES:
        log.problem(f"文本表大于 {MAX_BYTES >> 20} MiB", "分成几个文件，或转为 GeoPackage、GeoParquet")
        return
    decoded = _decode(path.read_bytes(), source, log)
    if decoded is None:
        return
    text, encoding = decoded
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\n") + "\n"
    named = _SEPARATOR_LINE.match(text)
    if named:
        text = text[named.end() - 1:]  # the line stays, empty, so that line numbers are those of the file
    if max(map(len, text.split("\n"))) > _MAX_LINE:
        number = next(place for place, line in enumerate(text.split("\n"), start=1) if len(line) > _MAX_LINE)
        log.problem(f"第 {number} 行超过 {_MAX_LINE} 个字符", "核对是否缺换行，或不是文本表")
        return
    delimiter = named[1] if named else _find_delimiter(text, known_words(log.layer, source), log)
    cells = _quoted_cells(text, delimiter, log) if '"' in text else _plain_cells(text, delimiter)
    if cells is not None and "'" in text:
        cells.flat[:] = [cell[1:] if _GUARDED.match(cell) else cell for cell in cells.flat]
    raw = None if cells is None else _table(cells, source, encoding, log)
    if raw is not None:
        yield _decimal_points(raw, log) if delimiter != "," and "," in text else raw


def _decode(data: bytes, source: LayerSource, log: FileLog) -> tuple[str, str] | None:
    """Text and its encoding; None = a problem was logged."""
    if source.encoding:
        try:
            "".encode(source.encoding)
        except (LookupError, UnicodeError):
            log.mistake(f"没有叫“{source.encoding}”的编码", "可用：UTF-8、GB18030、GBK、Big5、UTF-16", "encoding")
            return None
    wide = None if source.encoding else wide_encoding(data)
    encoding = wide or text_encoding(data, source.encoding)
    if encoding is None:
        return _mixed(data, source, log)
    if not source.encoding and encoding.lower() not in _CERTAIN:
        sample = sample_of(dict.fromkeys(_WORD.findall(data[:1 << 16])), encoding) if wide is None else ""
        log.line("", "encoding", encoding, "assumed", f"文件没有标明编码，按字节判断为 {encoding}" +
                 (f"，读出：{sample}" if sample else ""), "核对文字；不对时在研究文件写明 encoding")
    elif not source.encoding and encoding == "utf-8" and _TWO_LETTERS.search(data) and gb_or_latin([data]) == (0, 0):
        words = dict.fromkeys(_WORD.findall(data[:1 << 16]))
        log.line("", "encoding", encoding, "assumed", f"文件没有标明编码，按 UTF-8 读出：{sample_of(words, encoding)}；"
                 f"按 GB18030 则是：{sample_of(words, 'gb18030')}", "核对文字；不对时在研究文件写明 encoding")
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    if text.endswith("\ufffd"):
        log.line("", "", "", "note", "文件在一个字的中间结束，可能没有传完", "重新复制或下载")
    nulls = text.count("\0")
    if nulls > 0.1 * len(text):
        log.problem(f"文件里有 {nulls} 个空字节，不是完整的文本表", "重新复制或下载")
        return None
    if nulls:
        number = text[:text.index("\0")].count("\n") + 1
        log.line("", "", nulls, "repaired", f"去掉了 {nulls} 个空字节（最先在第 {number} 行），文件可能没有写完", "核对该行，重新导出")
        text = text.replace("\0", "")
    return text, encoding


def _mixed(data: bytes, source: LayerSource, log: FileLog) -> tuple[str, str] | None:
    """Text of a file whose lines are in UTF-8 and in GB18030; None = a problem was logged.

    Such files arise where tables of two offices are joined.
    """
    lines = data.split(b"\n")
    if source.encoding:
        bad = _first_bad(data, source.encoding)
        log.problem(f"编码不是 {source.encoding}（第 {bad} 行起读不出）", "改正或删去 encoding，让程序自己判断", "encoding")
        return None
    other = [number for number, line in enumerate(lines, start=1) if not decodes(line, "utf-8")]
    lost = [number for number in other if not _strict(lines[number - 1], "gb18030")]
    if lost:
        log.problem(f"编码认不出（第 {lost[0]} 行既不是 UTF-8 也不是 GB18030）", "在研究文件写明 encoding，或另存为 UTF-8", "encoding")
        return None
    log.rows([str(number) for number in other], "encoding", "gb18030", "repaired",
             "文件是 UTF-8，这些行按 GB18030 解读（几处来源拼成一个文件）", f"核对文字（首行是第 {other[0]} 行），统一另存为 UTF-8")
    wide = set(other)
    return "\n".join(line.decode("gb18030" if number in wide else "utf-8")
                     for number, line in enumerate(lines, start=1)).removeprefix("\ufeff"), "utf-8"


def _strict(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _first_bad(data: bytes, encoding: str) -> int:
    """First line that an encoding cannot read."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data[:error.start].count(b"\n") + 1
    return 1


def _find_delimiter(text: str, known: frozenset[str], log: FileLog) -> str:
    """The delimiter that gives the best header; of equals the most regular one."""
    sample: list[str] = []
    start = 0
    while len(sample) < _SAMPLE_LINES and start < len(text):
        end = text.index("\n", start)
        if text[start:end].strip():
            sample.append(_QUOTED.sub(lambda found: found[0].strip('"').translate(_HIDDEN), text[start:end]))
        start = end + 1

    def fitness(delimiter: str) -> tuple[int, float, int]:
        split = [line.split(None if delimiter == " " else delimiter) for line in sample]
        widths = [len(cells) for cells in split]
        usual = max(sorted(set(widths)), key=widths.count)
        score = max(find_header([(1, [cell or None for cell in cells])], known).score
                    for cells in split[:HEADER_SEARCH_ROWS])
        return score if usual > 1 else 0, widths.count(usual) / len(widths) if usual > 1 else 0.0, usual

    if not sample:
        return ","
    found = max(_DELIMITERS, key=fitness)
    if fitness(found)[0] == 0 and fitness(" ")[:2] > fitness(found)[:2]:
        found = " "
    if found in " ，":
        log.line("", "", "空白" if found == " " else found, "assumed", "按空白分隔各列" if found == " " else "按全角逗号分隔各列", "核对各列")
    return found


_HIDDEN = str.maketrans(dict.fromkeys(_DELIMITERS + " ", "_"))
"""Delimiters inside quotes do not count."""


@dataclass(frozen=True)
class _Cells:
    """All cells one after the other (a list per record would cost more in garbage collection than the reading).

    ``numbers`` and ``widths`` are the file line and the number of cells of each record.
    """

    flat: list[str]
    numbers: list[int]
    widths: list[int]

    def records(self, first: int, last: int | None = None) -> list[Record]:
        """Records by their places, with None for empty cells."""
        start, out = sum(self.widths[:first]), []
        for number, width in zip(self.numbers[first:last], self.widths[first:last], strict=True):
            out.append((number, [cell if cell and not cell.isspace() else None
                                 for cell in self.flat[start:start + width]]))
            start += width
        return out


def _plain_cells(text: str, delimiter: str) -> _Cells:
    """Cells of a text without quotes: one record a line."""
    blank = f"{delimiter} \t"
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip(blank)]
    numbers = [number for number, _ in lines]
    if delimiter == " ":
        split = [line.split() for _, line in lines]
        return _Cells([cell for cells in split for cell in cells], numbers, [len(cells) for cells in split])
    return _Cells(delimiter.join([line for _, line in lines]).split(delimiter), numbers,
                  [line.count(delimiter) + 1 for _, line in lines])


def _quoted_cells(text: str, delimiter: str, log: FileLog) -> _Cells | None:
    """Cells of a text with quotes; None = a quote swallows lines, which was logged."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    out = _Cells([], [], [])
    start, last = 1, text.count("\n")
    remedy = "在该行补上或删去引号，或用表格软件另存为 CSV UTF-8"
    most = csv.field_size_limit(_MAX_LINE)  # WKT of a village is longer than the 131,072 allowed else
    try:
        for record in reader:
            end = reader.line_num
            odd = end >= last and sum(line.count('"') for line in text.split("\n")[start - 1:]) % 2 == 1
            if end > start and (odd or _swallows(record, end - start, delimiter, out.widths[0] if out.widths else 0)):
                log.problem(f"第 {start} 行的引号没有成对，吞掉了后面的行（到第 {end} 行）", remedy)
                return None
            if "".join(record).strip():
                out.flat.extend(record)
                out.numbers.append(start)
                out.widths.append(len(record))
            start = end + 1
    except csv.Error:
        log.problem(f"第 {start} 行起格式错误（引号没有成对，或单元格过长）", remedy)
        return None
    finally:
        csv.field_size_limit(most)
    return out


def _swallows(record: Sequence[str], lines: int, delimiter: str, width: int) -> bool:
    """Whether a record over several lines is an unmatched quote: too long, or whole records stand in a cell."""
    return lines >= _MAX_RECORD_LINES or any(
        line.count(delimiter) >= max(2, width - 1) for cell in record if "\n" in cell for line in cell.split("\n"))


def _table(cells: _Cells, source: LayerSource, encoding: str, log: FileLog) -> RawTable | None:
    """The table of all cells; where all records are as wide as the header it is cut column by column."""
    header = find_header(cells.records(0, HEADER_SEARCH_ROWS + 2), known_words(log.layer, source))
    width, below = len(header.names), header.below
    if set(cells.widths[below:]) != {width}:
        return make_table(cells.records(0), source, encoding, log)
    log_header(header, cells.numbers[0], log)
    start = sum(cells.widths[:below])
    columns: list[list[str | None]] = []
    for place in range(width):
        column = np.array(cells.flat[start + place::width], dtype=object)
        column[column == ""] = None
        columns.append(column.tolist())
    rows = np.array([str(number) for number in cells.numbers[below:]], dtype=object)
    return table_of(unique_names(header.names, log), columns, rows, source, encoding, log)


def _decimal_points(raw: RawTable, log: FileLog) -> RawTable:
    """Columns of numbers with a decimal comma, made numbers with a point; groups of thousands are left alone."""
    frame = raw.frame.copy()
    changed = []
    for column in frame.columns:
        cells = [cell for cell in frame[column] if cell is not None]
        found = [_DECIMAL.fullmatch(cell) for cell in cells]
        parts = [match[1] for match in found if match and match[1]]
        if parts and all(found) and not all(len(part) == 3 for part in parts):
            frame[column] = [None if cell is None else cell.replace(",", ".") for cell in frame[column]]
            changed.append(str(column))
    if changed:
        log.line("", "、".join(changed), "", "repaired", "小数点写作逗号，已换成小数点", "核对数值")
    return RawTable(frame, raw.rows, raw.geometry, raw.crs, raw.encoding, raw.made)
