/* Colours, panes, styles and the small pictures of the legend. */
(function (SP) {
  "use strict";
  var t = SP.t,
    on = SP.on,
    layersOf = SP.layersOf,
    map = SP.map,
    panes = {};
  var TIERS = ["#8e0152", "#c51b7d", "#de77ae", "#f1b6da", "#fde0ef", "#eadfb8"];
  var VERDICT = {
    pass: { colour: "#0b7a5b", mark: "✓", weight: 1.6, dash: null },
    fail: { colour: "#c8102e", mark: "✗", weight: 2.6, dash: null },
    not_assessable: { colour: "#5f6b78", mark: "?", weight: 1.6, dash: "3 4" }
  };
  var HOT = "#c2003d";
  /* reasons of gap areas; each has a hatch of its own in page.html */
  var REASON = {
    no_site: "#a3005c",
    terrain: "#14532d",
    buildings: "#101828",
    weak: "#3b1fa8",
    indoor: "#0e7490",
    "": "#57534e"
  };
  var FINDING = {
    in_gap: "#7a4a12",
    near_gap: "#c98a3c",
    operator_gap: "#2563eb",
    indoor_gap: "#0e7490",
    no_gap: "#ff1fa5",
    unknown: "#9aa4af"
  };
  var BUILT = { no: "#c8102e", unknown: "#f59e0b", yes: "#7b8490" };
  var BANNED = "#9f1239",
    WORKS = "#0369a1",
    PLANNED = "#b45309";
  SP.ZONE = "#5e2b97";
  SP.DARK = "#1d2630";
  SP.HOT = HOT;
  SP.REASON = REASON;
  SP.FINDING = FINDING;
  SP.BUILT = BUILT;
  SP.BANNED = BANNED;
  SP.WORKS = WORKS;
  SP.PLANNED = PLANNED;

  SP.tierColour = function (tier) {
    var place = layersOf.tiers.findIndex(function (one) {
      return one.tier === tier;
    });
    return TIERS[Math.min(Math.max(place, 0), TIERS.length - 1)];
  };
  SP.inkOn = function (colour) {
    var n = parseInt(colour.slice(1), 16);
    return (n >> 16) * 0.3 + ((n >> 8) & 255) * 0.59 + (n & 255) * 0.11 > 150 ? "#2a0018" : "#fff";
  };
  SP.verdictOf = function (item, state) {
    return VERDICT[item[state]] || VERDICT.not_assessable;
  };

  /* panes, lowest first; what lies higher is what the pointer meets: populated gaps before villages, villages before land.
     Each stands for itself ("") or, beside the divider, for one state */
  var ORDER = [
    "base",
    "relief",
    "water",
    "signal",
    "gained",
    "context",
    "land",
    "restricted",
    "villages",
    "zones",
    "gaps",
    "indoor",
    "stretches",
    "units",
    "works",
    "hot",
    "candidates",
    "points",
    "existing"
  ];
  var HIGH = { labels: 590, proposed: 600, pins: 620, measure: 630 };
  SP.pane = function (name, state) {
    var id = "sp-" + name + (state ? "-" + state : "");
    if (!panes[id]) {
      panes[id] = { node: map.createPane(id), state: state || "" };
      panes[id].node.style.zIndex = HIGH[name] || 210 + 20 * ORDER.indexOf(name);
      if (["base", "relief", "water", "signal", "gained", "context", "labels"].includes(name)) {
        panes[id].node.style.pointerEvents = "none";
      }
      SP.tell("pane", panes[id]);
    }
    return id;
  };
  SP.panes = panes;

  SP.styles = {
    villages: function (item, state) {
      var look = SP.verdictOf(item, state);
      return {
        color: look.colour,
        weight: look.weight,
        dashArray: look.dash,
        opacity: 0.95,
        fillColor: look.colour,
        fillOpacity: on.signal ? 0.06 : 0.42
      };
    },
    zones: function (item, state) {
      return {
        color: SP.ZONE,
        weight: 2.4,
        dashArray: "7 4",
        fillColor: SP.verdictOf(item, state).colour,
        fillOpacity: on.signal ? 0.1 : 0.3
      };
    },
    gaps: function (item) {
      var code = item.look in REASON ? item.look : "";
      return {
        color: REASON[code],
        weight: item.faint ? 0.9 : 2.2,
        opacity: item.faint ? 0.75 : 1,
        fillColor: "url(#sp-gap-" + (code || "none") + ")",
        fillOpacity: item.faint ? 0.5 : 1
      };
    },
    indoor: function () {
      return { color: REASON.indoor, weight: 1, fillColor: REASON.indoor, fillOpacity: 0.55 };
    },
    stretches: function () {
      return { color: HOT, weight: 5, opacity: 0.95 };
    },
    hot: function () {
      return { color: HOT, weight: 2.6, dashArray: "2 5", fillColor: HOT, fillOpacity: 0.12 };
    },
    restricted: function () {
      return {
        color: BANNED,
        weight: 1.4,
        dashArray: "6 3",
        fillColor: "url(#sp-banned)",
        fillOpacity: 0.8,
        radius: 5
      };
    },
    works: function (item) {
      var building = item.look === "planned_building";
      return {
        color: building ? PLANNED : WORKS,
        weight: building ? 2 : 4,
        opacity: 0.9,
        dashArray: building ? null : "10 5",
        fillColor: building ? PLANNED : WORKS,
        fillOpacity: 0.25,
        radius: 6
      };
    },
    complaints: function (item) {
      var odd = item.look === "no_gap";
      return {
        radius: odd ? 6 : 4.5,
        color: odd ? FINDING.no_gap : "#fff",
        weight: odd ? 3 : 1,
        fillColor: odd ? "#fff" : FINDING[item.look] || FINDING.unknown,
        fillOpacity: 0.95
      };
    },
    buildings: function (item) {
      return { radius: 5, color: SP.DARK, weight: 1.2, fillColor: BUILT[item.look], fillOpacity: 1 };
    }
  };

  /* symbols of the points layer */
  SP.disc = function (radius, fill, edge, width, shape) {
    return {
      radius: radius + width,
      draw: function (context) {
        context.beginPath();
        if (shape === "square") {
          context.rect(-radius, -radius, 2 * radius, 2 * radius);
        } else {
          context.arc(0, 0, radius, 0, 7);
        }
        context.fillStyle = fill;
        context.fill();
        context.strokeStyle = edge;
        context.lineWidth = width;
        context.stroke();
      }
    };
  };

  /* small pictures of the legend */
  SP.swatch = function (kind, colour, edge, extra) {
    var drawing = SP.svg("svg", { width: 24, height: 14, "aria-hidden": "true" });
    var look =
      kind === "line"
        ? { x1: 1, x2: 23, y1: 7, y2: 7 }
        : kind === "dot"
          ? { cx: 12, cy: 7, r: 5 }
          : kind === "square"
            ? { x: 7, y: 2, width: 10, height: 10, rx: 2 }
            : { x: 1.5, y: 1.5, width: 21, height: 11 };
    Object.assign(
      look,
      { fill: kind === "line" ? "none" : colour, stroke: edge || colour, "stroke-width": 1.5 },
      extra || {}
    );
    drawing.appendChild(SP.svg(kind === "line" ? "line" : kind === "dot" ? "circle" : "rect", look));
    return drawing;
  };
  SP.legends = {
    classes: function (rows) {
      return rows.map(function (c) {
        if (!c.colours) {
          return [SP.swatch("area", c.colour, "#8a95a1", { "stroke-width": 0.5, "fill-opacity": 0.85 }), c.text];
        }
        var strip = SP.svg("svg", { width: 7 * c.colours.length, height: 14, "aria-hidden": "true" });
        c.colours.forEach(function (colour, k) {
          strip.appendChild(SP.svg("rect", { x: 7 * k, y: 1.5, width: 7, height: 11, fill: colour }));
        });
        return [strip, c.text];
      });
    },
    verdicts: function (edge) {
      return Object.keys(VERDICT).map(function (key) {
        var look = VERDICT[key];
        return [
          SP.swatch("area", look.colour, edge || look.colour, {
            "fill-opacity": on.signal ? 0.12 : 0.45,
            "stroke-dasharray": edge ? "5 3" : look.dash || "none",
            "stroke-width": edge ? 2 : look.weight
          }),
          look.mark + " " + t("verdict_" + key)
        ];
      });
    },
    tiers: function (kind) {
      return layersOf.tiers.map(function (one) {
        return [SP.swatch(kind, SP.tierColour(one.tier), "#3a0022"), one.name];
      });
    },
    gaps: function (state) {
      var items = layersOf["gaps_" + state].items;
      var pairs = layersOf.reasons
        .filter(function (r) {
          return items.some(function (item) {
            return item.look === r[0];
          });
        })
        .map(function (r) {
          return [SP.swatch("area", "url(#sp-gap-" + (r[0] || "none") + ")", REASON[r[0]]), r[1]];
        });
      if (
        items.some(function (item) {
          return item.faint;
        })
      ) {
        pairs.push([SP.make("b", "", ""), t("gap_edges")]);
      }
      return pairs;
    }
  };
  SP.chip = function (site) {
    var node = SP.make("div", "sp-no" + (site.kind === "micro" ? " micro" : ""), site.no);
    node.style.background = SP.tierColour(site.tier);
    node.style.color = SP.inkOn(SP.tierColour(site.tier));
    return node;
  };
})(SP);
