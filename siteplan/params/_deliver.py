"""Settings of what leaves the toolkit: exchange files, the review map, printed sheets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictBool

from siteplan.params._base import Settings

Encoding = Literal["UTF-8", "GBK", "GB18030"]
"""Encodings of a Shapefile."""
FieldNames = Literal["pinyin", "chinese"]
"""Names of the fields of a Shapefile or MapInfo table: pinyin initials, or Chinese of at most 10 bytes in GBK."""


class TitleParams(Settings):
    """The ``[deliver.title]`` table: what the title block (图签) of maps and sheets says."""

    project: str = Field("", max_length=120, description="name of the project; that of the study when absent")
    institute: str = Field("", max_length=120, description="who made the plan (design institute, office)")
    drawn_by: str = Field("", max_length=60, description="drawn by")
    checked_by: str = Field("", max_length=60, description="checked by")
    approved_by: str = Field("", max_length=60, description="approved by")
    drawing_no: str = Field("", max_length=60, description="number of the drawing; sheets add their own number")
    secrecy: str = Field("内部资料", max_length=60, description="marking of maps and sheets that are not public")


class MapParams(Settings):
    """The ``[deliver.map]`` table: the review map."""

    language: Literal["zh", "en"] = Field("zh", description="language of the page; texts of the data stay as they are")
    base: str | None = Field(None, min_length=1, description="image under the map (GeoTIFF), from the study file")
    public: StrictBool = Field(False, description="write a public variant beside it: places rounded, nothing internal")
    public_step_m: float = Field(100.0, ge=10, le=10000, description="places of the public variant are rounded to, m")


class DeliverParams(Settings):
    """The ``[deliver]`` table: exchange files."""

    crs: str | None = Field(None, min_length=1, description="CRS of exchange files; that of the study when absent")
    county_crs: dict[str, str] = Field(
        default_factory=dict, description="CRS by county where a city spans two zones; a file for each CRS")
    encoding: Encoding | None = Field(None, description="encoding of Shapefiles; that of the profile when absent")
    names: FieldNames = Field("pinyin", description="names of fields in Shapefiles and MapInfo tables")
    profiles: list[str] = Field(
        default_factory=list, description="profile files of the bureau (TOML), relative to the study file")
    font: str | None = Field(None, min_length=1, description="font file or family with Chinese, for sheets")
    title: TitleParams = TitleParams()
    map: MapParams = MapParams()
