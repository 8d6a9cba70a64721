"""Review map: one HTML page of a plan that opens without a network; see :func:`write_review_map`."""

from siteplan.maps._offline import inline_page
from siteplan.maps._page import render_review_map, write_review_map

__all__ = ["inline_page", "render_review_map", "write_review_map"]
