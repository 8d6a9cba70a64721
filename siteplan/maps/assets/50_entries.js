/* Every layer once: id, group, on at the start, builder, legend, count. */
(function (SP) {
  "use strict";
  var t = SP.t,
    on = SP.on,
    view = SP.view,
    data = SP.data,
    layersOf = SP.layersOf,
    map = SP.map,
    build = SP.build,
    swatch = SP.swatch;
  var context = layersOf.context,
    roadGrey = "#6f7a86";
  SP.covers = ["signal"].concat(
    ["probability", "server"].filter(function (name) {
      return data.pictures[name + "_after"];
    })
  );

  function one(unit, name) {
    return function () {
      return t("count_" + unit, SP.grouped(SP.countOf(name)));
    };
  }
  function some(unit, name) {
    return function () {
      var layer = layersOf[name],
        shown = SP.countOf(name),
        total = layer.total === undefined ? shown : layer.total;
      return shown < total ? t("count_shown", shown, t("count_" + unit, total)) : t("count_" + unit, total);
    };
  }
  function nowState() {
    return view.state === "before" && !view.swipe ? "before" : "after";
  }
  function outline(look, shapes, pane) {
    return build.outlines(shapes, pane || "context", look);
  }
  function line(colour, look, word) {
    return function () {
      return [[swatch("line", "", colour, look), t(word)]];
    };
  }

  /* steady: the same in every state; after: only as planned; else one for each state. key: what a built layer depends on */
  var entries = [
    {
      id: "signal",
      group: "coverage",
      on: true,
      make: build.cover,
      key: function () {
        return view.cover;
      },
      legend: function () {
        return SP.legends.classes(view.cover === "signal" ? data.signal : data.legends[view.cover]);
      }
    },
    {
      id: "gained",
      group: "coverage",
      after: true,
      make: build.gained,
      legend: function () {
        return [[swatch("area", data.gained_colour, "#8a6d00"), t("gained_means")]];
      }
    },
    {
      id: "gaps",
      group: "coverage",
      on: true,
      make: function (state) {
        return build.areas("gaps_" + state, "gaps", SP.styles.gaps, function (item) {
          return item.no ? { text: t("gap_no", item.no), kind: "gap", colour: SP.REASON[item.look], order: 2.5 } : null;
        })(state);
      },
      count: function () {
        return t("gaps_" + nowState(), SP.countOf("gaps_" + nowState()));
      },
      legend: function () {
        return SP.legends.gaps(nowState());
      }
    },
    {
      id: "indoor_gaps",
      group: "coverage",
      after: true,
      make: build.areas("indoor_gaps", "indoor", SP.styles.indoor),
      count: some("places", "indoor_gaps"),
      legend: function () {
        return [[swatch("area", SP.REASON.indoor, SP.REASON.indoor, { "fill-opacity": 0.55 }), t("indoor_gap_means")]];
      }
    },
    {
      id: "stretches",
      group: "coverage",
      after: true,
      make: build.areas("stretches", "stretches", SP.styles.stretches),
      count: function () {
        return t("count_length", layersOf.stretches.items.length, layersOf.stretches.total);
      },
      legend: line(SP.HOT, { "stroke-width": 5 }, "stretch_means")
    },
    {
      id: "indoor_buildings",
      group: "coverage",
      after: true,
      make: build.points("indoor_buildings", SP.styles.buildings),
      count: some("buildings", "indoor_buildings"),
      legend: function () {
        return layersOf.indoor_buildings.states
          .map(function (s) {
            return [swatch("dot", SP.BUILT[s[0]], SP.DARK), s[1] + " " + s[2]];
          })
          .concat([[SP.make("b", "", ""), t("building_rule")]]);
      }
    },
    {
      id: "hot_spots",
      group: "complaints",
      on: true,
      steady: true,
      count: some("places", "hot_spots"),
      make: build.areas("hot_spots", "hot", SP.styles.hot, function (item) {
        return { text: t("hot_no", item.no), colour: SP.HOT, order: 1.5 };
      }),
      legend: function () {
        return [[swatch("area", SP.HOT, SP.HOT, { "fill-opacity": 0.12, "stroke-dasharray": "2 3" }), t("hot_means")]];
      }
    },
    {
      id: "complaints",
      group: "complaints",
      steady: true,
      count: some("cases", "complaints"),
      make: build.points("complaints", SP.styles.complaints),
      legend: function () {
        return layersOf.complaints.findings.map(function (f) {
          var odd = f[0] === "no_gap";
          return [
            swatch("dot", odd ? "#fff" : SP.FINDING[f[0]] || SP.FINDING.unknown, odd ? SP.FINDING.no_gap : "#fff"),
            f[1] + " " + f[2]
          ];
        });
      }
    },
    {
      id: "villages",
      group: "goals",
      on: true,
      count: one("areas", "villages"),
      key: function () {
        return on.signal;
      },
      make: build.areas("villages", "villages", SP.styles.villages, function (item, state) {
        var look = SP.verdictOf(item, state);
        return { text: look.mark + " " + item.title, colour: look.colour, order: item[state] === "pass" ? 3 : 2 };
      }),
      legend: function () {
        return SP.legends.verdicts();
      }
    },
    {
      id: "zones",
      group: "goals",
      on: true,
      count: one("areas", "zones"),
      key: function () {
        return on.signal;
      },
      make: build.areas("zones", "zones", SP.styles.zones, function (item, state) {
        return { text: SP.verdictOf(item, state).mark + " " + item.title, colour: SP.ZONE, order: 1 };
      }),
      legend: function () {
        return SP.legends.verdicts(SP.ZONE);
      }
    },
    {
      id: "proposed",
      group: "sites",
      on: true,
      after: true,
      always: true,
      make: build.proposed,
      key: function () {
        return view.year;
      },
      count: function () {
        return t("count_places", SP.proposedNow().length);
      },
      legend: function () {
        return [
          [swatch("dot", "#fff", "#3a0022"), t("macro")],
          [swatch("square", "#fff", "#3a0022"), t("micro")]
        ].concat(SP.legends.tiers("area"));
      }
    },
    {
      id: "existing",
      group: "sites",
      on: true,
      steady: true,
      count: one("places", "existing"),
      make: build.existing,
      legend: function () {
        return [
          [
            swatch("dot", SP.DARK, "#fff"),
            t((layersOf.existing.ticks || []).length ? "existing_ticks" : "existing_plain")
          ]
        ];
      }
    },
    {
      id: "candidates",
      group: "sites",
      steady: true,
      count: one("places", "candidates"),
      make: build.candidates,
      legend: function () {
        return SP.legends.tiers("dot").concat([[swatch("dot", "#fff", "#888"), t("bubble_means")]]);
      }
    },
    {
      id: "refused",
      group: "sites",
      steady: true,
      count: one("places", "refused"),
      make: build.refused,
      legend: function () {
        return [[swatch("square", "#7b8490", "#333"), t("refused_means")]];
      }
    },
    {
      id: "restricted",
      group: "limits",
      steady: true,
      count: one("areas", "restricted"),
      make: build.areas("restricted", "restricted", SP.styles.restricted),
      legend: function () {
        return [[swatch("area", "url(#sp-banned)", SP.BANNED), t("restricted_means")]];
      }
    },
    {
      id: "works",
      group: "limits",
      steady: true,
      count: one("places", "works"),
      make: build.areas("works", "works", SP.styles.works),
      legend: function () {
        return [
          ["planned_building", swatch("area", SP.PLANNED, SP.PLANNED, { "fill-opacity": 0.25 }), "planned_means"],
          ["", swatch("line", "", SP.WORKS, { "stroke-width": 4, "stroke-dasharray": "8 4" }), "works_means"]
        ]
          .filter(function (kind) {
            return layersOf.works.items.some(function (item) {
              return (item.look === "planned_building") === Boolean(kind[0]);
            });
          })
          .map(function (kind) {
            return [kind[1], t(kind[2])];
          });
      }
    },
    {
      id: "poles",
      group: "limits",
      steady: true,
      count: one("poles", "poles"),
      make: build.poles,
      legend: function () {
        return [[swatch("dot", "#fef3c7", "#92400e"), t("poles_means")]];
      }
    },
    {
      id: "boundary",
      group: "base",
      on: true,
      steady: true,
      shapes: layersOf.boundary,
      look: { color: SP.DARK, weight: 2.5, dashArray: "10 4 2 4", fill: false },
      legend: line(SP.DARK, { "stroke-dasharray": "8 3 2 3", "stroke-width": 2.5 }, "boundary_means")
    },
    {
      id: "towns",
      group: "base",
      on: true,
      steady: true,
      need: context.towns,
      make: function () {
        return build.towns(context.towns)();
      },
      legend: line("#4a5563", { "stroke-dasharray": "2 3" }, "towns_means")
    },
    {
      id: "counties",
      group: "base",
      on: true,
      steady: true,
      shapes: context.counties,
      look: { color: "#4a5563", weight: 2, dashArray: "8 4", fill: false },
      legend: line("#4a5563", { "stroke-dasharray": "8 4", "stroke-width": 2 }, "counties_means")
    },
    {
      id: "main_roads",
      group: "base",
      on: true,
      steady: true,
      shapes: context.main_roads,
      look: { color: roadGrey, weight: 2.2, fill: false },
      legend: line(roadGrey, { "stroke-width": 2.2 }, "main_roads_means")
    },
    {
      id: "roads",
      group: "base",
      on: !context.main_roads,
      steady: true,
      shapes: context.roads,
      look: { color: roadGrey, weight: 1, opacity: 0.8, fill: false },
      name: context.main_roads ? "" : "layer_all_roads",
      legend: line(roadGrey, { "stroke-width": 1 }, "roads_means")
    },
    {
      id: "rail",
      group: "base",
      on: true,
      steady: true,
      shapes: context.rail,
      look: { color: "#222", weight: 1.6, dashArray: "8 5", fill: false },
      legend: line("#222", { "stroke-dasharray": "6 4" }, "rail_means")
    },
    {
      id: "water",
      group: "base",
      on: true,
      steady: true,
      shapes: context.water,
      pane: "water",
      look: { color: "#5b8fa8", weight: 1, fillColor: "#a9cfe0", fillOpacity: 1 },
      legend: function () {
        return [[swatch("area", "#a9cfe0", "#5b8fa8"), t("water_means")]];
      }
    },
    {
      id: "relief",
      group: "base",
      on: true,
      steady: true,
      need: data.pictures.relief,
      make: build.picture("relief", 0.75),
      legend: function () {
        return [];
      }
    },
    {
      id: "base",
      group: "base",
      on: true,
      steady: true,
      need: data.pictures.base || data.base,
      make: function () {
        var found = data.pictures.base || data.base;
        return L.imageOverlay(found.uri, found.bounds, { pane: SP.pane("base"), alt: "" });
      },
      legend: function () {
        return [];
      }
    }
  ];
  var TABLES = (
    "villages zones proposed existing candidates refused restricted works poles indoor_gaps stretches " +
    "indoor_buildings hot_spots complaints"
  ).split(" ");
  entries.forEach(function (entry) {
    if (entry.look) {
      entry.need = entry.shapes;
      entry.make = function () {
        return outline(entry.look, entry.shapes, entry.pane)();
      };
    } else if (TABLES.includes(entry.id)) {
      entry.need = entry.always || SP.countOf(entry.id);
    }
    entry.title = t(entry.name || "layer_" + entry.id);
    on[entry.id] = Boolean(entry.on);
  });
  SP.entries = entries.filter(function (entry) {
    return !("need" in entry) || (entry.need && (entry.need.length === undefined || entry.need.length > 0));
  });
  SP.entry = function (id) {
    return SP.entries.find(function (entry) {
      return entry.id === id;
    });
  };
  SP.shown = function (entry) {
    return on[entry.id] && (!entry.after || nowState() === "after");
  };
})(SP);
