"""Zip archives: members listed without trust, one layer chosen, only its files unpacked and counted meanwhile."""

from __future__ import annotations

import fnmatch
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.catalogue import format_of
from siteplan.layers.formats.safety import Fault, escapes, open_zip, xml_fault
from siteplan.params import LayerSource

_READ_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)
_WEAK_SUFFIXES = (".txt", ".json", ".dbf")
"""Endings that read-me files, metadata and side files have too: taken only where nothing else can be read."""
_JUNK = (".ds_store", "thumbs.db", "desktop.ini")
_HOSTILE = re.compile(r"[^\w.\-()（）]+")
_BLOCK = 1 << 20
_OFFICE_PARTS_BYTES = {"xl/sharedstrings.xml": 1 << 27, "xl/styles.xml": 1 << 24}
_OFFICE_WHOLE = ("xl/workbook", "[content_types]", "docprops/", "_rels/", "xl/_rels/", "xl/theme/",
                 "xl/worksheets/_rels/")
_OFFICE_WHOLE_BYTES = 1 << 24
_OFFICE_STREAM_BYTES = 1 << 30
"""Greatest parts of a workbook: those that are taken into memory whole, and those that are read piece by piece."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    A whole province of building outlines unpacks to about 4 GiB, so 8 GiB in all; real layers shrink 3 to 60 times
    (tables of repeated words 100 times), so a large member that shrank more than 200 times is a bomb; a File GDB of 200
    layers has some 2,000 files, so 10,000 members.
    """

    total_bytes: int = 8 << 30
    ratio: float = 200.0
    ratio_from_bytes: int = 50 << 20
    members: int = 10_000


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """A file or folder (.gdb) in an archive that can be read: its name, and all entries that belong to it."""

    name: str
    entries: tuple[tuple[str, zipfile.ZipInfo], ...]


class _BombError(Exception):
    """More bytes came out than is allowed."""


@contextmanager
def unpacked(path: Path, source: LayerSource, kinds: Sequence[str], log: FileLog, limits: Limits = LIMITS,
             ) -> Iterator[list[tuple[str, Path]]]:
    """Unpack the wanted members of a zip for as long as the context lasts.

    Parameters
    ----------
    path : Path
        A zip.
    source : LayerSource
        Its ``member`` chooses; without it the only readable member of the `kinds` is taken.
    kinds : sequence of str
        ``vector``, ``table``, ``raster``.
    log : FileLog
        Gets what is wrong.
    limits : Limits

    Yields
    ------
    list of (str, Path)
        Name in the archive and unpacked file; empty when a problem was logged.
    """
    opened = open_zip(path)
    if isinstance(opened, Fault):
        log.problem(opened.reason, opened.remedy)
        yield []
        return
    with opened as archive, tempfile.TemporaryDirectory(prefix="siteplan-", ignore_cleanup_errors=True) as folder:
        chosen = _choose(archive, source, kinds, log, limits)
        yield _unpack_all(archive, chosen, Path(folder), log, limits)


def _unpack_all(archive: zipfile.ZipFile, chosen: Sequence[Member], folder: Path, log: FileLog, limits: Limits,
                ) -> list[tuple[str, Path]]:
    if not _fits(chosen, folder, log, limits):
        return []
    try:
        return [(member.name, _unpack(archive, member, folder / str(number), limits))
                for number, member in enumerate(chosen)]
    except _BombError as error:
        log.problem(f"疑似压缩炸弹：{error}", "向提供单位核实，用普通软件重新压缩")
    except _READ_ERRORS as error:
        log.problem(f"压缩包已损坏，解不开（{str(error)[:160]}）", "重新复制或下载，或重新压缩为 .zip")
    return []


def _choose(archive: zipfile.ZipFile, source: LayerSource, kinds: Sequence[str], log: FileLog, limits: Limits,
            ) -> list[Member]:
    """The members to read; empty = a problem was logged."""
    entries = _entries(archive, log, limits)
    if entries is None:
        return []
    members = _members(entries)
    fitting = [member for member in members if (found := format_of(member.name)) and found.kind in kinds]
    if source.member:
        wanted = source.member
        fitting = [member for member in fitting if is_meant(member.name, wanted)]
        if not fitting:
            names = "、".join(member.name for member in members[:20]) or "没有可读的文件"
            log.mistake(f"压缩包里没有能用的“{source.member}”", f"核对 member；包里有：{names}", "member")
        return sorted(fitting, key=lambda member: member.name)
    strong = [member for member in fitting if not member.name.lower().endswith(_WEAK_SUFFIXES)] or fitting
    if len(strong) == 1:
        nested = _nested(entries)
        if nested:
            log.line("", "member", "、".join(nested[:10]), "note", "压缩包里还有压缩包，未读", "需要时先解开，再写解出的文件")
        return strong
    if strong:
        log.problem(f"压缩包里有 {len(strong)} 个可读的文件：{'、'.join(member.name for member in strong[:20])}",
                    "在研究文件用 member 指定要读的文件（* 代表任意文字，如 member = \"*.shp\" 全部读入）", "member")
    else:
        _log_nothing(entries, members, log)
    return []


def is_meant(name: str, member: str) -> bool:
    """Whether a study file's ``member`` means this name: only ``*`` is special, a bare name is found in any folder."""
    pattern = member.replace("\\", "/").casefold().replace("[", "[[]").replace("?", "[?]")
    plain = name.casefold()
    return fnmatch.fnmatchcase(plain, pattern) or (
        "/" not in pattern and fnmatch.fnmatchcase(plain.rpartition("/")[2], pattern))


def _nested(entries: Mapping[str, zipfile.ZipInfo]) -> list[str]:
    return [name for name in entries if (found := format_of(name)) and (found.kind == "archive"
                                                                       or found.id == "other_archive")]


def _log_nothing(entries: Mapping[str, zipfile.ZipInfo], members: Sequence[Member], log: FileLog) -> None:
    nested = _nested(entries)
    refused = [name for name in entries if (found := format_of(name)) and found.kind == "refused" and found.advice]
    if members:
        kinds = {"raster": "栅格", "vector": "矢量图层", "table": "表"}
        have = "、".join(f"{member.name}（{kinds[found.kind]}）" for member in members[:10]
                        if (found := format_of(member.name)))
        log.problem(f"压缩包里的文件不是这个图层要的类型：{have}", "核对图层和文件")
    elif nested:
        log.problem(f"压缩包里还是压缩包：{'、'.join(nested[:10])}", "先解开里层的压缩包，再写解出的文件")
    elif refused:
        found = format_of(refused[0])
        log.problem(f"压缩包里没有可读的文件；有：{'、'.join(refused[:10])}", found.advice if found else "核对文件")
    else:
        have = "、".join(list(entries)[:10]) or "空的"
        log.problem(f"压缩包里没有可读的文件（{have}）", "核对是否压缩了正确的文件夹（Shapefile 要含 .shp、.shx、.dbf、.prj）")


def _entries(archive: zipfile.ZipFile, log: FileLog, limits: Limits) -> dict[str, zipfile.ZipInfo] | None:
    """Files of an archive by safe name; None = a problem was logged."""
    infos = archive.infolist()
    if len(infos) > limits.members:
        log.problem(f"压缩包有 {len(infos)} 个成员，多于 {limits.members} 个", "只压缩要用的文件")
        return None
    out: dict[str, zipfile.ZipInfo] = {}
    guessed, twice = 0, set()
    for info in infos:
        name, legacy = _member_name(info)
        guessed += legacy
        if escapes(name):
            log.problem(f"压缩包成员的路径指向包外：{name[:120]!r}", "来源可疑：核实后用普通软件重新压缩")
            return None
        if stat.S_ISLNK(info.external_attr >> 16):
            log.problem(f"压缩包成员是链接：{name[:120]!r}", "用真正的文件代替链接后重新压缩")
            return None
        base = name.rpartition("/")[2].lower()
        if not base or base in _JUNK or base.startswith("._") or name.lower().startswith("__macosx/"):
            continue
        if name in out:
            twice.add(name)
        out[name] = info
    for name in sorted(twice):
        log.problem(f"压缩包里有两个成员同名：{name[:120]}", "来源可疑：解压后写解出的文件，或重新压缩")
        return None
    if guessed:
        log.line("", "member", next(iter(out), ""), "assumed", f"{guessed} 个成员的文件名没有 UTF-8 标记，按 GBK 解读", "无需处理")
    return out


def _member_name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """Name of a member with ``/``, and whether its bytes were taken for GBK."""
    name, legacy = info.filename, False
    if not info.flag_bits & 0x800 and not name.isascii():
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name, legacy = raw.decode(encoding), encoding == "gb18030"
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/").removeprefix("./"), legacy


def _members(entries: Mapping[str, zipfile.ZipInfo]) -> list[Member]:
    """Everything in an archive that can be read, each with the entries that belong to it."""
    out: dict[str, Member] = {}
    for name in sorted(entries):
        parts = PurePosixPath(name).parts
        folder = next((place for place, part in enumerate(parts[:-1], start=1) if part.lower().endswith(".gdb")), 0)
        if folder:
            home = "/".join(parts[:folder])
            inside = tuple((other, info) for other, info in entries.items() if other.startswith(f"{home}/"))
            out.setdefault(home, Member(home, inside))
            continue
        found = format_of(name)
        if found is None or found.kind not in ("vector", "table", "raster") or found.id in ("vrt", "filegdb"):
            continue
        start = f"{name[:len(name) - len(PurePosixPath(name).suffix)]}.".casefold()
        beside = tuple((other, info) for other, info in entries.items()
                       if other.casefold().startswith(start) and "/" not in other[len(start):])
        out[name] = Member(name, beside)
    mains = {name[:-4].casefold() for name in out if name.lower().endswith((".shp", ".tab", ".mif"))}
    return [member for name, member in out.items()
            if not (name.lower().endswith(".dbf") and name[:-4].casefold() in mains)]


def _fits(chosen: Sequence[Member], folder: Path, log: FileLog, limits: Limits) -> bool:
    """Whether what the members claim to be is within the limits and on the disk, and none needs a password."""
    infos = [info for member in chosen for _, info in member.entries]
    if any(info.flag_bits & 0x1 for info in infos):
        log.problem("压缩包加了密码", "解压后写解出的文件，或重新压缩时不加密码")
        return False
    total = sum(info.file_size for info in infos)
    steep = next((info for info in infos if info.file_size > limits.ratio_from_bytes
                  and info.file_size > limits.ratio * max(info.compress_size, 1)), None)
    if steep is not None or total > limits.total_bytes:
        what = f"{_member_name(steep)[0]} 解压后大 {steep.file_size / max(steep.compress_size, 1):.0f} 倍" if steep else \
            f"解压后共 {total / (1 << 30):.1f} GiB"
        log.problem(f"疑似压缩炸弹：{what}", "向提供单位核实，用普通软件重新压缩")
        return False
    if total > shutil.disk_usage(folder).free:
        log.problem(f"磁盘空间不够解压（要 {total / (1 << 30):.1f} GiB）", "清理磁盘，或解压到别处后写解出的文件")
        return False
    return True


def _unpack(archive: zipfile.ZipFile, member: Member, home: Path, limits: Limits) -> Path:
    """Write the entries of a member into a new folder under plain names; the file to open."""
    home.mkdir()
    gdb = member.name.lower().endswith(".gdb")
    base = PurePosixPath(member.name)
    main = home / f"{_HOSTILE.sub('_', base.stem)[:60] or 'member'}{base.suffix.lower()}"
    if gdb:
        main.mkdir()
    budget = limits.total_bytes
    for name, info in member.entries:
        if gdb:
            place = main / _HOSTILE.sub("_", name[len(member.name) + 1:].replace("/", "_"))[:120]
        else:
            place = home / (main.stem + name[len(member.name) - len(base.suffix):].lower())
        if not place.exists():  # A.DBF beside a.dbf: the first counts
            budget -= _write(archive, info, place, budget, limits)
    return main


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path, budget: int, limits: Limits) -> int:
    """Unpack one entry, counting what really comes out."""
    written = 0
    with archive.open(info) as stream, place.open("xb") as out:
        while block := stream.read(_BLOCK):
            written += len(block)
            steep = written > limits.ratio_from_bytes and written > limits.ratio * max(info.compress_size, 1)
            if steep or written > budget:
                raise _BombError(f"{_member_name(info)[0]} 解出 {written / (1 << 20):.0f} MiB 仍未完")
            out.write(block)
    return written


def office_fault(path: Path, limits: Limits = LIMITS) -> Fault | None:
    """What forbids opening an office file: its size unpacked, a password, entities in its XML.

    Shared texts are held in memory (128 MiB of them make some 400 MiB), sheets are read row by row (1 GiB).
    """
    opened = open_zip(path)
    if isinstance(opened, Fault):
        return opened
    remedy = "用表格软件打开，另存为 .xlsx；数据很多时另存为 CSV"
    with opened as archive:
        infos = archive.infolist()
        if len(infos) > limits.members:
            return Fault(f"工作簿有 {len(infos)} 个部件", remedy)
        for info in infos:
            name = info.filename.lower()
            most = _OFFICE_PARTS_BYTES.get(name, _OFFICE_WHOLE_BYTES if name.startswith(_OFFICE_WHOLE)
                                           else _OFFICE_STREAM_BYTES)
            steep = info.file_size > max(limits.ratio_from_bytes, limits.ratio * max(info.compress_size, 1))
            if not name.endswith((".xml", ".rels")):
                continue
            if info.file_size > most or steep:
                return Fault(f"疑似压缩炸弹：{info.filename} 解压后 {info.file_size / (1 << 20):.0f} MiB", remedy)
            if info.flag_bits & 0x1:
                return Fault("工作簿加了密码", "去掉密码后另存为 .xlsx")
            try:
                with archive.open(info) as stream:
                    fault = xml_fault(stream.read(_BLOCK))
            except _READ_ERRORS as error:
                return Fault(f"工作簿已损坏（{info.filename}：{error}）", remedy)
            if fault:
                return Fault(f"{info.filename}：{fault.reason}", fault.remedy)
    return None


def zip_names(path: Path) -> list[str]:
    """Names of the members of a zip, as it gives them; empty when it cannot be listed."""
    opened = open_zip(path)
    if isinstance(opened, Fault):
        return []
    with opened as archive:
        return archive.namelist()
