"""Master layers: all of a plan that exchange files, sheets and lists are made from; from a plan or its folder."""

from siteplan.export.master.gather import plan_layers
from siteplan.export.master.plan_layers import PlanLayers, read_plan_layers

__all__ = ["PlanLayers", "plan_layers", "read_plan_layers"]
