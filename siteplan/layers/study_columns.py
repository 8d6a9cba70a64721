"""The ``columns`` that a study file names for a layer, against the columns its files have."""

from __future__ import annotations

from siteplan.errors import Problem
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.typing_rows import fit_columns
from siteplan.layers.where import column_remedy, nearest_field, override_keys
from siteplan.params import LayerSource


class ColumnCheck:
    """One source of a layer: what none of its files has is a mistake of the study file."""

    def __init__(self, layer: str, source: LayerSource, files: str) -> None:
        self.layer = layer
        self.source = source
        self.files = files
        self.met: set[str] = set()
        self.have: dict[str, None] = {}

    def fit(self, raw: RawTable, log: FileLog) -> LayerSource:
        """The source with the columns this table has; one line for each it has not."""
        columns = [str(column) for column in raw.frame.columns]
        if not columns or (not len(raw.frame) and log.file.lower().endswith(".pbf")):  # tags come with the features
            return self.source.model_copy(update={"columns": {}})
        fitted = fit_columns(raw, self.source)
        self.met |= set(fitted.columns)
        self.have |= dict.fromkeys(columns)
        for field, column in self.source.columns.items():
            if field not in fitted.columns:
                log.line("", f"columns.{field}", column, "note", "这个文件没有 columns 写的这一列，按列名自动识别", "核对列名")
        return fitted

    def mistakes(self) -> list[Problem]:
        """Fields the layer does not know, and columns that none of its files has."""
        found = []
        for field, column in self.source.columns.items():
            place = (self.layer, self.files, "", f"columns.{field}")
            if field not in override_keys(self.layer):
                near = nearest_field(self.layer, field)
                remedy = f"是否应为 {near}？" if near else f"可用：{'、'.join(override_keys(self.layer))}"
                found.append(Problem(*place, f"图层 {self.layer} 没有这个字段", remedy))
            elif self.have and field not in self.met:
                found.append(Problem(*place, f"文件没有“{column}”这一列", column_remedy(column, list(self.have))))
        return found
