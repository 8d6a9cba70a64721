"""Verifying a plan: what its certificate claims, recounted by plain code that shares nothing with the solver."""

from siteplan.verify._check import CertificateError, Check, Verdict
from siteplan.verify._told import HEADINGS, Told, told_of
from siteplan.verify._verdict import verify

__all__ = ["HEADINGS", "CertificateError", "Check", "Told", "Verdict", "told_of", "verify"]
