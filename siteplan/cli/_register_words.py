"""Names and values of the register as the command line says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    from siteplan.register.dictionary import RegisterTable


def table_named(text: str) -> RegisterTable:
    """A table by its name or its Chinese name."""
    from siteplan.register import register_tables

    tables = register_tables()
    found = tables.get(text) or next((spec for spec in tables.values() if spec.zh == text), None)
    if found is None:
        known = "、".join(f"{name}({spec.zh})" for name, spec in tables.items())
        raise RegisterError("没有这张表:", [Problem("register", "", "", text, "储备库没有这张表", f"可用:{known}")])
    return found


def table_of_id(row_id: str) -> RegisterTable:
    """The table that an id belongs to."""
    from siteplan.register import register_tables

    for spec in register_tables().values():
        if row_id.startswith(spec.prefix) and row_id[len(spec.prefix):].isdigit():
            return spec
    raise RegisterError("没有这样的编号:", [Problem("register", "", row_id, "id", "编号由两个字母和数字组成,如 ZZ000001",
                                              "用 siteplan register list 查编号")])


def assignment(spec: RegisterTable, text: str) -> tuple[str, Any]:
    """``字段=值`` as field and typed value; 清空 stays as it is."""
    from siteplan.register.edits import EMPTY_WORD
    from siteplan.register.store.values import ValueFault, typed
    from siteplan.schema import match_columns

    word, mark, value = text.partition("=")
    found = match_columns([word.strip()], [held.spec for held in spec.fields.values()]).columns
    names = [name for name in found if word.strip() in (name, spec.fields[name].spec.zh)] or list(found)
    if not mark or not names:
        known = "、".join(f"{held.spec.zh}({name})" for name, held in spec.fields.items())
        raise RegisterError("不能使用:", [Problem(spec.name, "", "", word, "没有这个字段" if mark else "没有写成 字段=值",
                                              f"可用:{known}")])
    if value.strip() == EMPTY_WORD:
        return names[0], EMPTY_WORD
    checked = typed(spec.fields[names[0]], value.strip())
    if isinstance(checked, ValueFault):
        raise RegisterError("不能使用:", [Problem(spec.name, "", "", names[0], checked.reason, checked.remedy)])
    return names[0], checked


def zh_of(spec: RegisterTable, name: str) -> str:
    """Chinese name of a field."""
    return spec.fields[name].spec.zh if name in spec.fields else "位置"


def shown(spec: RegisterTable, name: str, value: Any) -> str:
    """A value as planners read it; empty for nothing."""
    from siteplan.register._edit_cells import python_value, shown_value

    field = spec.fields.get(name)
    plain = python_value(value, is_whole=field is not None and field.spec.type == "int")
    return "" if plain is None else shown_value(spec, name, plain)
