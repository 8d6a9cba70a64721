"""Errors: one root class; every problem says where, why and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input, in words a planner can act on.

    Attributes
    ----------
    layer : str
        Layer name (``stations``), or ``study`` for the study file.
    file : str
        File as named in the study file.
    row : str
        Row number, feature id or key; empty when the whole file is meant.
    field : str
        Column or key; empty when the whole row is meant.
    reason, remedy : str
        What is wrong, and how to mend it.
    """

    layer: str
    file: str
    row: str
    field: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = " / ".join(part for part in (self.layer, self.file, self.row, self.field) if part)
        return f"{where}: {self.reason} -> {self.remedy}"


class SiteplanError(Exception):
    """Root of every error that siteplan raises on purpose."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        lines = [message, *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class StudyError(SiteplanError, ValueError):
    """The study file cannot be used; all its problems are listed."""


class LayerError(SiteplanError, ValueError):
    """A required layer cannot be used; all problems of all layers are listed."""


class CrsError(SiteplanError, ValueError):
    """A coordinate reference system is missing, geographic, or not allowed."""


class ModelError(SiteplanError, ValueError):
    """An argument of a radio, coverage, gap or selection function is out of its domain."""


class PlanError(SiteplanError, ValueError):
    """No plan meets every limit, or none was found; which limits conflict, and what to relax by how much.

    ``parts``: further lists, such as limits to be relaxed together, each under a heading of its own, so that they are
    not read as conflicts. ``problems`` are those of all lists.
    """

    def __init__(self, message: str, problems: Iterable[Problem] = (),
                 parts: Iterable[tuple[str, Iterable[Problem]]] = ()) -> None:
        lists = [(message, tuple(problems)), *((heading, tuple(more)) for heading, more in parts)]
        super().__init__(message, [problem for _, more in lists for problem in more])
        self.args = ("\n".join(line for heading, more in lists
                               for line in (heading, *(f"  - {problem}" for problem in more))),)


class RegisterError(SiteplanError, ValueError):
    """The register cannot be opened, read or written as asked; every problem is listed."""


class ExportError(SiteplanError, OSError):
    """A deliverable could not be written, or did not read back as it was written."""
