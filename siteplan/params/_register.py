"""Settings of the register that a study stands on."""

from __future__ import annotations

import datetime as dt

from pydantic import Field, StrictBool

from siteplan.params._base import Settings


class RegisterParams(Settings):
    """The ``[register]`` table: where decisions, fees and agreements stand, and what is built and committed."""

    path: str | None = Field(
        None, min_length=1, description="GeoPackage of the register, relative to the study file, or the address of a "
                                        "database without password")
    url_env: str | None = Field(
        None, min_length=1, description="environment variable that holds the address of the database")
    as_of: dt.date | None = Field(
        None, description="the register as it stood at the end of this day; study.as_of when absent, else as it stands")
    use_built: StrictBool = Field(True, description="sites on air count as existing stations")
    use_commitments: StrictBool = Field(
        True, description="approved sites and sites being built are kept in their year, withdrawn ones are banned")
    same_site_m: float = Field(
        50.0, ge=0, le=500, description="a site on air so near to a station of the layer stations is the same site, m")
