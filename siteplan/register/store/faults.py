"""Faults of a database in the words of a planner."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from siteplan.errors import Problem, RegisterError

_LOCKED = ("database is locked", "database table is locked", "lock timeout", "could not serialize", "deadlock")
_DAMAGED = ("malformed", "not a database", "file is encrypted", "could not decode to utf-8", "short read")
_FULL = ("disk is full", "no space", "could not extend file")
_REACH = ("connection", "could not translate", "authentication", "does not exist", "refused")
_UNWRITTEN = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC", "SQLITE_IOERR_TRUNCATE",
              "SQLITE_IOERR_DELETE", "SQLITE_IOERR_COMMIT_ATOMIC")


def is_damage(error: BaseException) -> bool:
    """Whether a fault says that the file itself is broken."""
    words = str(getattr(error, "orig", None) or error).casefold()
    return any(word in words for word in _DAMAGED) or ("disk i/o error" in words and _code(error) not in _UNWRITTEN)


def damaged(shown: str) -> RegisterError:
    """The register's file is broken."""
    return RegisterError(f"储备库 {shown} 已损坏:", [Problem(
        "register", shown, "", "", "文件内容不完整或被改动,不能读取", "用备份替换,或运行 siteplan register rescue 取出还能读的内容")])


def with_rescue(error: RegisterError, path: Path | None) -> RegisterError:
    """The error of a damaged file with what can still be read of it."""
    if path is None:
        return error
    from siteplan.register.store.salvage import salvage_sentence

    return RegisterError(f"{str(error.args[0]).splitlines()[0]}{salvage_sentence(path)}", error.problems)


def fault_of(error: BaseException, shown: str, wait_s: float, secret: str = "") -> RegisterError:
    """What a fault of the database means to a planner."""
    words = str(getattr(error, "orig", None) or error)
    low, code = words.casefold(), _code(error)
    if any(word in low for word in _LOCKED):
        return RegisterError(f"另一个程序正在使用储备库 {shown},等了 {wait_s:g} 秒仍未结束,没有写入任何内容:"
                             "关闭 QGIS 等打开它的程序,稍后再试")
    if is_damage(error):
        return damaged(shown)
    if any(word in low for word in _FULL) or code in _UNWRITTEN:
        return RegisterError(f"磁盘已满或超出限额,储备库 {shown} 没有写入任何内容:腾出空间后再试")
    if "unable to open" in low:
        return RegisterError(f"打不开储备库 {shown}:", [Problem(
            "register", shown, "", "", "文件或其所在文件夹不存在、没有权限或不能写入", "核对路径和权限;新建用 siteplan register init")])
    if "readonly" in low or "read-only" in low:
        return RegisterError(f"储备库 {shown} 或其所在文件夹是只读的,没有写入任何内容:去掉只读属性,或复制到可写的位置")
    first = words.strip().splitlines()[0] if words.strip() else type(error).__name__
    if secret:
        first = first.replace(secret, "***")
    if any(word in low for word in _REACH):
        return RegisterError(f"连接不上储备库 {shown}:{first}。核对地址、用户、密码和服务器是否运行")
    return RegisterError(f"储备库 {shown} 操作失败:{first}")


def _code(error: BaseException) -> str:
    found = getattr(error, "orig", None) or error
    return str(getattr(found, "sqlite_errorname", "")) if isinstance(found, sqlite3.Error) else ""
