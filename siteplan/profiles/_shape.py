"""The keys of a profile file and of its fields, and what a wrong one is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from siteplan.profiles._nouns import FieldType, GeometryKind
from siteplan.setting_faults import suggestion, value_fault, written

Fault = tuple[str, str, str, str]
"""Field of the profile, key, reason, remedy; the field is empty for keys of the profile itself."""
Text = Annotated[str, Field(min_length=1, max_length=200, strict=True)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class FieldShape(_Shape):
    """One field, complete."""

    zh: Text
    name_zh: Text | None = None
    type: FieldType = "text"
    width: StrictInt | None = None
    decimals: StrictInt = 0
    source: StrictStr = ""
    value: StrictStr | StrictInt | StrictFloat | dt.date | None = None
    codes: dict[StrictStr, StrictStr] = {}
    other_codes: Literal["error", "keep"] = "error"
    mandatory: StrictBool = False
    over_long: Literal["error", "cut"] = "error"
    note: StrictStr = ""
    between: Annotated[str, Field(max_length=3, strict=True)] = ""


class ProfileShape(_Shape):
    """The keys of a profile besides its fields, complete."""

    id: Text | None = None
    zh: Text
    layer: Text
    out: Text
    geometry: GeometryKind
    key: Text
    where: dict[StrictStr, list[StrictStr]] = {}
    crs: StrictStr = ""
    encoding: Literal["UTF-8", "GBK", "GB18030"] = "UTF-8"
    style: StrictStr = ""
    source: StrictStr = ""
    replace: dict[StrictStr, StrictStr] = {}


FIELD_KEYS = (*FieldShape.model_fields, "was", "after")
"""Keys of a field; the last two only where a profile is ``like`` another one."""
PROFILE_KEYS = (*ProfileShape.model_fields, "fields", "like", "keep", "drop")
_TABLES = {"where": "写作 [where] 一节,其下逐行写 列名 = [\"取值\"]", "codes": "写作 codes = { \"原词\" = \"代码\" },代码加引号",
           "replace": "写作 [replace] 一节,其下逐行写 \"原字\" = \"替换字\"",
           "value": "写文字(加引号)、数或日期", "geometry": "Point 点,LineString 线,Polygon 面",
           "type": "text 文字,int 整数,float 小数,date 日期"}


def shape_faults(name: str, error: ValidationError, own: Mapping[str, Any]) -> Iterator[Fault]:
    """What pydantic found, one fault for each key."""
    told = set()
    for fault in error.errors():
        key = str(fault["loc"][0])
        if key in told:  # one alternative of a union after the other
            continue
        told.add(key)
        if fault["type"] == "extra_forbidden":
            yield (name, key, "没有这个键(unknown key)", suggestion(key, FIELD_KEYS if name else PROFILE_KEYS))
        elif fault["type"] == "missing":
            yield name, key, "缺少必需的键", f"增加 {key} = …"
        else:
            reason = "取值不对" if key == "value" else value_fault(fault)
            yield name, key, f"{reason}(现为 {written(own.get(key))})", _TABLES.get(key, "见 docs/profiles.md")
