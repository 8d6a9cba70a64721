"""Which text encoding bytes really are in: what a file says is tried first, and tested against the bytes.

GB18030 decodes nearly any bytes, and so do the one-byte code pages, so a strict decoding proves little. The judgement
here looks at which characters come out: GB 2312 and Big5 both keep the characters in daily use in one range of lead
bytes (GB 2312 level 1: 0xB0-0xD7; Big5 level 1: 0xA4-0xC6), and text read in the wrong one of the two falls outside it.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.dbf import dbf_texts, read_dbf_header

_LDID = {0x4D: "gbk", 0x7A: "gbk", 0x78: "big5", 0x79: "cp949", 0x7B: "cp932", 0x4F: "big5", 0x4E: "cp949",
         0x13: "cp932"}
"""Language bytes of a .dbf that name one code page; others (0x00, 0x03, 0x57) say nothing certain."""
_ALIASES = {"big5": "cp950", "big-5": "cp950", "big5-eten": "cp950", "ldid/77": "gbk", "ldid/120": "cp950", "oem": "",
            "0": "", "system": "", "windowssimpchinese": "gbk", "windowstradchinese": "cp950",
            "windowslatin1": "cp1252", "windowslatin2": "cp1250", "neutral": "", "none": ""}
_WIDER = {"gbk": "gb18030", "gb2312": "gb18030", "cp950": "big5hkscs"}
"""An encoding and one that holds it, tried where the first has no such character."""
_SURE, _DOUBT, _CLEAR, _FEW = 0.9, 0.6, 0.2, 6
_MOST_TEXTS = 20_000
_HANZI = range(0x2E80, 0x2FA20)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_UTF8_LEADS, _GB_SECONDS, _LEVEL_2 = range(0xC2, 0xE0), range(0xA1, 0xC0), 0xD8
"""Bytes that make a two-byte character in UTF-8 as well as a Hanzi of GB 2312, and the first lead byte of level 2."""
_SIGNS = re.compile(rb"\xc2[\xab\xb0-\xb3\xb5\xbb]")
"""Quotes and units (° ± ² ³ µ) in UTF-8, which stand beside letters of any script."""
_LATIN, _USUAL_LEADS = frozenset(b"\xc3\xc4\xc5"), frozenset(b"\xc2\xc3\xc4\xc5\xce\xd0")
"""Lead bytes in UTF-8 of accented Latin letters; of signs and Latin, Greek, Cyrillic letters in daily use."""


@dataclass(frozen=True)
class Judgement:
    """Encoding that texts are most likely in.

    Attributes
    ----------
    encoding : str
        Python name of the codec.
    score : float
        Share of the characters beyond ASCII that are in daily use, 0..1.
    sample : str
        Some of the text, decoded.
    """

    encoding: str
    score: float
    sample: str


def decodes(data: bytes, encoding: str) -> bool:
    """Whether bytes are valid in an encoding; a character cut at the end is forgiven.

    >>> decodes("基站".encode("gbk"), "utf-8"), decodes("基站".encode("gbk"), "gb18030")
    (False, True)
    """
    try:
        "".encode(encoding)  # rot13 and the like are no text encodings
        codecs.getincrementaldecoder(encoding)("strict").decode(data, False)
    except (UnicodeError, LookupError):
        return False
    return True


def codec_of(name: str) -> str | None:
    """Python name of a code page as .cpg files, language bytes and MapInfo headers write it; None when unknown.

    >>> codec_of("ANSI 936"), codec_of("WindowsSimpChinese"), codec_of("88591"), codec_of("<html>")
    ('gbk', 'gbk', 'iso8859-1', None)
    """
    plain = name.strip().strip("\0\"'").lower()
    plain = _ALIASES.get(plain, plain.replace("ansi ", "cp").replace("ldid/", ""))
    latin = f"iso8859-{plain[4:].strip('-_')}" if plain.startswith("8859") else plain
    for attempt in (plain, f"cp{plain}", latin):
        try:
            found = codecs.lookup(attempt)
            "".encode(found.name)
        except (LookupError, ValueError):
            continue
        return _ALIASES.get(found.name, found.name)
    return None


def language_byte(data: bytes) -> str | None:
    """Code page that byte 29 of a .dbf names.

    >>> language_byte(bytes(29) + bytes([0x4D]) + bytes(3)), language_byte(b"")
    ('gbk', None)
    """
    return _LDID.get(data[29]) if len(data) > 29 else None


def text_encoding(data: bytes, wanted: str | None) -> str | None:
    """Encoding of a text file: the one named, BOM, strict UTF-8, GB18030 or Big5; None when none fits.

    >>> text_encoding("站名".encode("gbk"), None), text_encoding(b"a,b", None)
    ('gb18030', 'utf-8')
    >>> text_encoding("臺灣省政府，學校與醫院".encode("big5"), None)
    'cp950'
    >>> text_encoding("学校".encode("gbk"), None), text_encoding("Привет, Zürich".encode(), None)
    ('gb18030', 'utf-8')
    """
    if wanted:
        return wanted if decodes(data, wanted) else None
    for bom, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
                          (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(bom):
            return encoding
    if decodes(data, "utf-8"):
        return "gb18030" if _rather_gb([data[:1 << 20]]) else "utf-8"
    texts = [line for line in data[:1 << 20].splitlines() if not line.isascii()]
    fitting = [encoding for encoding in ("gb18030", "cp950") if decodes(data, encoding)]
    return max(fitting, key=lambda encoding: _score(texts, encoding)) if fitting else None


def judge(texts: Sequence[bytes]) -> Judgement:
    """Encoding of short texts: UTF-8, GB18030, Big5 or, where none gives sense, Western European (CP1252).

    >>> judge(["基站名称".encode("gbk")]).encoding, judge(["國語".encode("big5")]).encoding
    ('gb18030', 'cp950')
    >>> judge(["村名".encode()]).encoding, judge(["2ñandú".encode("latin-1")]).encoding, judge([b"abc"]).encoding
    ('utf-8', 'cp1252', 'utf-8')
    """
    high = [text for text in dict.fromkeys(texts) if not text.isascii()][:_MOST_TEXTS]
    if not high:
        return Judgement("utf-8", 1.0, "")
    whole = all(decodes(text, "utf-8") for text in high) and not _rather_gb(high)
    if whole and any(not text.decode("utf-8", "ignore").isascii() for text in high):  # more than ends that were cut
        return Judgement("utf-8", 1.0, sample_of(high, "utf-8"))
    scores = {encoding: _score(high, encoding) for encoding in ("gb18030", "cp950")}
    best = max(scores, key=scores.__getitem__)
    if scores[best] < _DOUBT and (latin := _latin_score(high)) > scores[best]:
        best = "cp1252" if all(_whole(text, "cp1252") for text in high) else "iso8859-1"
        return Judgement(best, latin, sample_of(high, best))
    return Judgement(best, scores[best], sample_of(high, best))


def sample_of(texts: Iterable[bytes], encoding: str) -> str:
    """A few of the texts, decoded, at most 40 characters; longest first, that the reader sees words.

    >>> sample_of([b"a", "站".encode("gbk")], "gbk")
    '站、a'
    """
    few = sorted(list(texts)[:200], key=len, reverse=True)[:3]
    return "、".join(text.decode(encoding, "ignore") for text in few)[:40]


def choose_encoding(texts: Sequence[bytes], said: Sequence[tuple[str, str]], wanted: str | None, log: FileLog) -> str:
    """Encoding of the texts of a file, with a ledger line wherever it is not simply what the file says.

    Parameters
    ----------
    texts : sequence of bytes
        Field names and values that hold bytes beyond ASCII.
    said : sequence of (str, str)
        Who says which encoding, such as ``(".cpg", "UTF-8")``, most trusted first.
    wanted : str or None
        Encoding of the study file: taken unless the bytes forbid it.
    log : FileLog

    Returns
    -------
    str
        Python name of the codec.

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> log = FileLog("poles", "p.shp", InputLedger())
    >>> choose_encoding(["灯杆".encode("gbk")], [(".cpg", "UTF-8")], None, log), [line.action for line in log.ledger]
    ('gb18030', ['repaired'])
    """
    texts = [text for text in texts if not text.isascii()]
    found = judge(texts)
    doubted = False
    for source, name in ([("研究文件", wanted)] if wanted else []) + [pair for pair in said if pair[1].strip("\0 ")]:
        encoding = codec_of(name)
        if encoding is None:
            if texts or source == "研究文件":
                log.line("", "encoding", name[:40], "note", f"{source} 写的编码“{name[:40]}”不认识，未采用", "改正或删去")
            continue
        encoding = encoding if _fits(texts, encoding) else _WIDER.get(encoding, encoding)
        if _fits(texts, encoding):
            if wanted and source == "研究文件":
                _warn_of_study(texts, encoding, found, log)
                return encoding
            if not _contradicted(texts, encoding, found):
                return encoding
        log.line("", "encoding", name[:40], "repaired",
                 f"{source} 说是 {name[:40]}，与文件的字节不符，按 {found.encoding} 读出：{found.sample}",
                 "核对文字；不对时在研究文件写明 encoding")
        doubted = True
    if texts and not doubted:
        sure = "按字节判断" if found.score >= _SURE else "按字节判断，把握不大"
        log.line("", "encoding", f"{found.encoding}：{found.sample}", "assumed",
                 f"没有写明编码，{sure}为 {found.encoding}，读出：{found.sample}", "核对文字；不对时在研究文件写明 encoding")
    return found.encoding


def dbf_encoding(path: Path, wanted: str | None, log: FileLog, cpg: Path | None = None) -> str:
    """Encoding of a .dbf: the study's, that of the .cpg, of its language byte, or what the bytes say.

    Parameters
    ----------
    path : Path
        The .dbf, or another file of its stem.
    wanted : str or None
        Encoding of the study file.
    log : FileLog
    cpg : Path, optional
        The .cpg; looked for beside the .dbf when absent.
    """
    beside = {item.suffix.lower(): item for item in path.parent.iterdir() if item.stem == path.stem}
    dbf, cpg = path if path.suffix.lower() == ".dbf" else beside.get(".dbf"), cpg or beside.get(".cpg")
    table = None if dbf is None else read_dbf_header(dbf)
    if dbf is None or table is None:
        return "utf-8"
    said = [] if cpg is None else [(".cpg", cpg.read_bytes()[:200].decode("utf-8-sig", "replace").strip())]
    if (language := language_byte(table.language)) is not None:
        said.append(("LDID", language))
    return choose_encoding(dbf_texts(dbf, table), said, wanted, log)


def decode_text(data: bytes, encoding: str, width: int | None = None) -> tuple[str, str]:
    """Text of bytes, and what had to be done: '' nothing, ``cut`` half a character at the end dropped, else a codec.

    Parameters
    ----------
    data : bytes
    encoding : str
        Codec of the file.
    width : int, optional
        Bytes that the field holds; only a text that fills it may end in half a character. None = any may.

    Returns
    -------
    text, note : str

    Examples
    --------
    >>> decode_text("站名".encode("gbk"), "utf-8"), decode_text("基站名称".encode()[:10], "utf-8", 10)
    (('站名', 'gb18030'), ('基站名', 'cut'))
    """
    try:
        return data.decode(encoding), ""
    except UnicodeError:
        pass
    if (width is None or len(data) >= width - 1) and decodes(data, encoding):
        return data.decode(encoding, "ignore"), "cut"
    for other in ("utf-8", "gb18030"):
        if other != encoding and _whole(data, other):
            return data.decode(other), other
    return data.decode(encoding, "replace"), "broken"


def mojibake(values: Sequence[str]) -> str:
    """What garbled text was meant to be; empty when it is not garbled, or not surely.

    Two accidents are known: GBK or UTF-8 bytes taken for Western European, and UTF-8 bytes taken for GBK.

    >>> mojibake(["»ùÕ¾Ãû³Æ"]), mojibake(["瑙勫垝鍩虹珯"]), mojibake(["住宅", "砖2"]), mojibake(["Zürich"])
    ('基站名称', '规划基站', '', '')
    """
    for taken in ("latin-1", "cp1252"):
        try:
            data = [value.encode(taken) for value in values if not value.isascii()]
        except UnicodeError:
            continue
        found = judge(data)
        chinese = any(ord(letter) in _HANZI for letter in found.sample)
        if chinese and found.encoding != "cp950" and found.score >= _SURE and _latin_score(data) < _DOUBT:
            return found.sample
    try:
        data = [value.encode("gb18030") for value in values if not value.isascii()]
    except UnicodeError:
        return ""
    if data and all(_whole(text, "utf-8") for text in data):
        meant = "".join(text.decode("utf-8") for text in data)
        high = [ord(letter) in _HANZI for letter in meant if not letter.isascii()]
        return sample_of(data, "utf-8") if 2 * sum(high) >= len(high) else ""  # 住宅 would be two letters of Hebrew
    return ""


def _fits(texts: Sequence[bytes], encoding: str) -> bool:
    return all(decodes(text, encoding) for text in texts)


def _whole(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeError:
        return False
    return True


def _contradicted(texts: Sequence[bytes], encoding: str, found: Judgement) -> bool:
    """Whether what a file says gives nonsense where another encoding gives sense, though the bytes allow both."""
    if not texts or _same(encoding, found.encoding):
        return False
    if found.encoding == "utf-8":  # well-formed three-byte characters do not come by chance; two-byte ones do
        chance = gb_or_latin(texts) if encoding.startswith(("gb", "cp9", "big5")) else None
        return chance is None or chance[1] > chance[0]
    if encoding in ("gb18030", "gbk", "gb2312", "cp950", "big5hkscs"):
        amount = sum(len(text) for text in texts) // 2
        return amount >= _FEW and found.score >= max(_SURE, _score(texts, encoding) + _CLEAR)
    one_byte = not encoding.startswith(("utf", "cp93", "cp94", "euc", "shift", "iso2022", "hz", "johab"))
    return one_byte and found.encoding in ("gb18030", "cp950") and found.score > _latin_score(texts)


def _same(encoding: str, other: str) -> bool:
    return encoding == other or _WIDER.get(encoding, encoding) == other


def _warn_of_study(texts: Sequence[bytes], encoding: str, found: Judgement, log: FileLog) -> None:
    if _contradicted(texts, encoding, found):
        log.line("", "encoding", encoding, "note",
                 f"按研究文件写的 {encoding} 读出：{sample_of(texts, encoding)}；按 {found.encoding} 则是：{found.sample}",
                 "核对哪一种文字是对的")


def gb_or_latin(texts: Iterable[bytes]) -> tuple[int, int] | None:
    """How much speaks for GB 2312, and for UTF-8, in texts that both can read; None when one of them cannot.

    Both read two bytes as one character where the first is in `_UTF8_LEADS` and the second in `_GB_SECONDS`. Such texts
    count as Hanzi where the letters in UTF-8 would be of several kinds in a row or of none in daily use (学校 would be
    ѧУ), as UTF-8 where they are Latin letters beside ASCII ones; a lone Ω, or letters of one kind, count as neither.

    >>> gb_or_latin(["学校".encode("gbk"), "né".encode()]), gb_or_latin(["зона".encode()]), gb_or_latin(["站".encode()])
    ((2, 1), (0, 0), None)
    """
    hanzi = latin = rare = total = 0
    for text in texts:
        for found in _HIGH_RUN.finditer(text):
            run = found[0][:-1] if found.end() == len(text) and len(found[0]) % 2 else found[0]
            if len(run) % 2 or not all(lead in _UTF8_LEADS for lead in run[::2]) or not all(
                    second in _GB_SECONDS for second in run[1::2]):
                return None
            total += len(run) // 2
            rare += sum(lead >= _LEVEL_2 for lead in run[::2])
            leads = set(_SIGNS.sub(b"", run)[::2])
            beside = text[max(found.start() - 1, 0):found.start()], text[found.end():found.end() + 1]
            if leads and leads <= _LATIN and any(letter.isalpha() for letter in beside):
                latin += len(run) // 2
            elif len(leads) > 1 or not leads <= _USUAL_LEADS:
                hanzi += len(run) // 2
    return (hanzi, latin) if total and rare <= (1 - _SURE) * total else None


def _rather_gb(texts: Iterable[bytes]) -> bool:
    """Whether valid UTF-8 is GB 2312 by its characters: common Hanzi there, a medley of scripts in UTF-8."""
    found = gb_or_latin(texts)
    return found is not None and found[0] > found[1]


def _latin_share(text: str) -> float:
    """Share of the letters beyond ASCII that stand beside an ASCII letter."""
    beside = total = 0
    for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if ord(letter) > 0x7F:
            total += 1
            beside += letter.isalpha() and (_is_plain(before) or _is_plain(after))
    return beside / total if total else 0.0


def _is_plain(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def _latin_score(texts: Sequence[bytes]) -> float:
    return _latin_share(" ".join(text.decode("cp1252", "replace") for text in texts))


def _score(texts: Iterable[bytes], encoding: str) -> float:
    """Share of the characters beyond ASCII that are in daily use in the encoding, 0..1; 0 where a text is not in it."""
    good, total, met = 0, 0, Counter[str]()
    own = {"gbk": "gb18030", "gb2312": "gb18030", "big5hkscs": "cp950"}.get(encoding, encoding)
    low, high = {"gb18030": (0xB0, 0xD7), "cp950": (0xA4, 0xC6)}[own]
    for text in texts:
        cut = text if _whole(text, encoding) else text[:-1]
        try:
            met.update(cut.decode(encoding))
        except UnicodeError:
            return 0.0
        total += len(text) - len(cut)
    second = 0xA1 if own == "gb18030" else 0x40
    for letter, times in met.items():
        if ord(letter) >= 0x80:
            pair = letter.encode(encoding, "ignore")  # Big5-HKSCS has pairs of letters that no letter alone gives
            usual = len(pair) == 2 and (low <= pair[0] <= high or 0xA1 <= pair[0] <= 0xA3) and pair[1] >= second
            total, good = total + times, good + times * usual
    return good / total if total else 1.0

