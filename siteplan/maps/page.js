/* Draws the plan of #siteplan-data on the Leaflet map `map_siteplan`.
   Text of the data only ever becomes textContent: no markup, no code. */
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("siteplan-data").textContent);
  var layersOf = data.layers, map = map_siteplan;
  var TIERS = ["#8e0152", "#c51b7d", "#de77ae", "#f1b6da", "#fde0ef", "#eadfb8"];
  var VERDICT = {
    pass: { colour: "#0b7a5b", mark: "✓", text: "达标", weight: 1.6, dash: null },
    fail: { colour: "#c8102e", mark: "✗", text: "未达标", weight: 2.6, dash: null },
    not_assessable: { colour: "#5f6b78", mark: "?", text: "无法判定", weight: 1.6, dash: "3 4" }
  };
  /* layers that look the same in every state, and carry no label: built once */
  var STEADY = ["gained", "existing", "candidates", "refused", "boundary", "counties", "main_roads", "roads", "rail", "water", "relief",
    "indoor_gaps", "stretches", "complaints", "indoor_buildings"];
  var POPUP = { minWidth: 290, maxWidth: 360, maxHeight: 430 };
  var ZONE = "#5e2b97", DARK = "#1d2630", HOT = "#c2003d";
  /* reasons of gap areas; each has a hatch of its own in page.html */
  var REASON = { no_site: "#a3005c", terrain: "#14532d", buildings: "#101828", weak: "#3b1fa8", indoor: "#0e7490", "": "#57534e" };
  var FINDING = { in_gap: "#7a4a12", near_gap: "#c98a3c", operator_gap: "#2563eb", indoor_gap: "#0e7490", no_gap: "#ff1fa5", unknown: "#9aa4af" };
  var BUILT = { no: "#c8102e", unknown: "#f59e0b", yes: "#7b8490" };
  var TABS = ["layers", "goals", "sites"];
  var state = "after", on = {}, built = {}, labels = [], numbered = [];

  function make(tag, className, text) {
    var node = document.createElement(tag);
    if (className) { node.className = className; }
    if (text !== undefined && text !== null) { node.textContent = text; }
    return node;
  }
  function byId(id) { return document.getElementById(id); }
  function tierColour(tier) {
    var place = layersOf.tiers.findIndex(function (t) { return t.tier === tier; });
    return TIERS[Math.min(Math.max(place, 0), TIERS.length - 1)];
  }
  function inkOn(colour) {
    var n = parseInt(colour.slice(1), 16);
    return (n >> 16) * 0.3 + (n >> 8 & 255) * 0.59 + (n & 255) * 0.11 > 150 ? "#2a0018" : "#fff";
  }
  function card(title, fields, values, first) {
    var box = make("div", "sp-card"), list = make("dl");
    box.appendChild(make("h4", "", title));
    if (first !== undefined) { box.appendChild(make("p", "sp-warn", "⚠ " + fields[first] + ":" + values[first])); }
    fields.forEach(function (field, k) {
      if (values[k] && k !== first) { list.appendChild(make("dt", "", field)); list.appendChild(make("dd", "", values[k])); }
    });
    box.appendChild(list);
    return box;
  }
  function verdictOf(item) { return VERDICT[item[state]] || VERDICT.not_assessable; }

  /* panes, lowest first; what lies higher is what the pointer meets: populated gaps before villages, villages before land */
  ["relief", "water", "signal", "gained", "context", "land", "villages", "zones", "gaps", "indoor", "stretches", "hot", "candidates", "points",
    "existing"].forEach(function (name, k) { map.createPane("sp-" + name).style.zIndex = 210 + 20 * k; });
  map.createPane("sp-labels").style.zIndex = 590;
  map.getPane("sp-labels").style.pointerEvents = "none";
  var contextCanvas = L.canvas({ pane: "sp-context", padding: 0.3 });

  /* builders: each gives a Leaflet layer for the state of the moment */
  function picture(name, opacity) {
    return function () {
      var found = data.pictures[name === "signal" ? state : name];
      return L.imageOverlay(found.uri, found.bounds, { pane: "sp-" + name, opacity: opacity, alt: "" });
    };
  }
  function outlines(shapes, pane, style) {
    return function () {
      return L.geoJSON({ type: "FeatureCollection", features: shapes.map(function (shape) {
        return { type: "Feature", properties: {}, geometry: shape };
      }) }, { pane: pane, interactive: false, renderer: pane === "sp-context" ? contextCanvas : undefined,
        style: style, pointToLayer: function (f, at) { return L.circleMarker(at, { radius: 2, pane: pane }); } });
    };
  }
  function areas(name, style, labelled) {
    return function () {
      var layer = layersOf[name], group = L.featureGroup();
      var order = ["pass", "not_assessable", "fail"];
      layer.items.slice().sort(function (a, b) { return order.indexOf(a[state]) - order.indexOf(b[state]); }).forEach(function (item) {
        L.geoJSON(item.shape, { pane: "sp-" + (item.faint ? "land" : name.split("_")[0]), style: function () { return style(item); } })
          .bindTooltip(function () { return card(item.title, layer.fields, item.values); }, { sticky: true, opacity: 1 })
          .addTo(group);
        var look = labelled ? labelled(item) : null;
        if (look) { addLabel(group, item, look); }
      });
      return group;
    };
  }
  function addLabel(group, item, look) {
    if (!item.at) { return; }
    var text = make("div", "sp-label " + (look.kind || ""), look.text);
    text.style.color = look.colour || "";
    L.marker(item.at, { pane: "sp-labels", interactive: false, keyboard: false,
      icon: L.divIcon({ className: "sp-label-holder", html: text, iconSize: [0, 0] }) }).addTo(group);
    labels.push({ node: text, at: L.latLng(item.at), order: look.order, group: group });
  }
  function points(name, style) {
    return function () {
      var layer = layersOf[name], group = L.featureGroup();
      layer.items.forEach(function (item) {
        L.circleMarker(item.at, Object.assign({ pane: "sp-points" }, style(item)))
          .bindTooltip(function () { return card(item.title, layer.fields, item.values); }, { opacity: 1 }).addTo(group);
      });
      return group;
    };
  }
  function many(name, style) {
    return function () {
      var layer = layersOf[name];
      var points = layer.rows.map(function (row) {
        return L.circleMarker([row[0], row[1]], Object.assign({ pane: "sp-candidates", tier: row[2] }, style(row[2])))
          .bindPopup(function () {
            return card(layer.words[row[3]], layer.fields, row.slice(4).map(function (k) { return layer.words[k]; }));
          }, POPUP);
      });
      if (points.length <= 400) { return L.featureGroup(points); }
      return L.markerClusterGroup({ disableClusteringAtZoom: name === "refused" ? 17 : 15, maxClusterRadius: name === "refused" ? 90 : 64, showCoverageOnHover: false,
        animate: false, clusterPane: "sp-candidates", iconCreateFunction: function (cluster) {
          var best = Math.min.apply(null, cluster.getAllChildMarkers().map(function (m) { return m.options.tier; }));
          var bubble = make("div", "sp-bubble " + name, cluster.getChildCount());
          bubble.style.borderColor = style(best).fillColor;
          return L.divIcon({ className: "", html: bubble, iconSize: [30, 30] });
        } }).addLayers(points);
    };
  }
  function existing() {
    var layer = layersOf.existing, group = L.featureGroup(), ticks = L.featureGroup();
    function drawTicks() {
      var length = map.getZoom() >= 15 ? 24 : map.getZoom() >= 13 ? 15 : 10;
      ticks.clearLayers();
      layer.ticks.forEach(function (t) {
        var from = map.latLngToLayerPoint([t[0], t[1]]), corners = [from];
        [-25, 0, 25].forEach(function (turn) {
          var angle = (t[2] + turn) * Math.PI / 180;
          corners.push(L.point(from.x + length * Math.sin(angle), from.y - length * Math.cos(angle)));
        });
        L.polygon(corners.map(function (p) { return map.layerPointToLatLng(p); }), { pane: "sp-existing",
          interactive: false, color: "#fff", weight: 0.6, fillColor: DARK, fillOpacity: 0.75 }).addTo(ticks);
      });
    }
    group.addLayer(ticks);
    group.on("add", function () { drawTicks(); map.on("zoomend", drawTicks); })
      .on("remove", function () { map.off("zoomend", drawTicks); });
    layer.rows.forEach(function (row) {
      L.circleMarker([row[0], row[1]], { pane: "sp-existing", radius: 4, color: "#fff", weight: 1.2, fillColor: DARK, fillOpacity: 1 })
        .bindPopup(function () {
          return card(layer.words[row[3]], layer.fields, row.slice(4).map(function (k) { return layer.words[k]; }));
        }, POPUP).addTo(group);
    });
    return group;
  }
  function chip(site) {
    var node = make("div", "sp-no" + (site.kind === "micro" ? " micro" : ""), site.no);
    node.style.background = tierColour(site.tier);
    node.style.color = inkOn(tierColour(site.tier));
    return node;
  }
  function proposed() {
    var group = L.featureGroup();
    layersOf.proposed.items.forEach(function (site) {
      var marker = L.marker(site.at, { zIndexOffset: 1000 - site.no, riseOnHover: true, title: site.no + " " + site.title,
        icon: L.divIcon({ className: "sp-site", html: chip(site), iconSize: [26, 26] }) })
        .bindPopup(function () { return card(site.no + "号 " + site.title, layersOf.proposed.fields, site.values, site.first); },
POPUP).addTo(group);
      numbered.push({ marker: marker, site: site });
    });
    return group;
  }

  /* styles */
  function areaStyle(item) {
    var look = verdictOf(item);
    return { color: look.colour, weight: look.weight, dashArray: look.dash, opacity: 0.95, fillColor: look.colour,
      fillOpacity: on.signal ? 0.06 : 0.42 };
  }
  function zoneStyle(item) {
    return { color: ZONE, weight: 2.4, dashArray: "7 4", fillColor: verdictOf(item).colour, fillOpacity: on.signal ? 0.1 : 0.3 };
  }
  function gapStyle(item) {
    var code = item.look in REASON ? item.look : "";
    return { color: REASON[code], weight: item.faint ? 0.9 : 2.2, opacity: item.faint ? 0.75 : 1,
      fillColor: "url(#sp-gap-" + (code || "none") + ")", fillOpacity: item.faint ? 0.5 : 1 };
  }
  function indoorStyle() { return { color: REASON.indoor, weight: 1, fillColor: REASON.indoor, fillOpacity: 0.55 }; }
  function stretchStyle() { return { color: HOT, weight: 5, opacity: 0.95 }; }
  function hotStyle() { return { color: HOT, weight: 2.6, dashArray: "2 5", fillColor: HOT, fillOpacity: 0.12 }; }
  function complaintStyle(item) {
    var odd = item.look === "no_gap";
    return { radius: odd ? 6 : 4.5, color: odd ? FINDING.no_gap : "#fff", weight: odd ? 3 : 1, fillColor: odd ? "#fff" : FINDING[item.look] || FINDING.unknown,
      fillOpacity: 0.95 };
  }
  function buildingStyle(item) { return { radius: 5, color: DARK, weight: 1.2, fillColor: BUILT[item.look], fillOpacity: 1 }; }
  function candidateStyle(tier) {
    return { radius: 4.5, color: "#3a0022", weight: 0.8, fillColor: tierColour(tier), fillOpacity: 0.95 };
  }
  function refusedStyle() { return { radius: 4, color: "#333", weight: 1.4, fillColor: "#7b8490", fillOpacity: 0.9 }; }

  /* small pictures of the legend */
  function swatch(kind, colour, edge, extra) {
    var ns = "http:" + "//www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
    svg.setAttribute("width", 24); svg.setAttribute("height", 14);
    var shape = document.createElementNS(ns, kind === "line" ? "line" : kind === "dot" ? "circle" : "rect");
    var look = kind === "line" ? { x1: 1, x2: 23, y1: 7, y2: 7 } : kind === "dot" ? { cx: 12, cy: 7, r: 5 }
      : kind === "square" ? { x: 7, y: 2, width: 10, height: 10, rx: 2 } : { x: 1.5, y: 1.5, width: 21, height: 11 };
    Object.assign(look, { fill: kind === "line" ? "none" : colour, stroke: edge || colour, "stroke-width": 1.5 }, extra || {});
    Object.keys(look).forEach(function (key) { shape.setAttribute(key, look[key]); });
    svg.appendChild(shape);
    return svg;
  }
  function verdictLegend(edge) {
    return Object.keys(VERDICT).map(function (key) {
      var look = VERDICT[key];
      return [swatch("area", look.colour, edge || look.colour, { "fill-opacity": on.signal ? 0.12 : 0.45,
        "stroke-dasharray": edge ? "5 3" : look.dash || "none", "stroke-width": edge ? 2 : look.weight }), look.mark + " " + look.text];
    });
  }
  function tierLegend(kind) {
    return layersOf.tiers.map(function (t) { return [swatch(kind, tierColour(t.tier), "#3a0022"), t.name]; });
  }

  function gapLegend() {
    var items = layersOf["gaps_" + state].items;
    var pairs = layersOf.reasons.filter(function (r) { return items.some(function (item) { return item.look === r[0]; }); })
      .map(function (r) { return [swatch("area", "url(#sp-gap-" + (r[0] || "none") + ")", REASON[r[0]]), r[1]]; });
    if (items.some(function (item) { return item.faint; })) { pairs.push([make("b", "", ""), "粗边:聚居;浅色:零散土地"]); }
    return pairs;
  }
  function countOf(name, unit) {
    return function () {
      var layer = layersOf[name], shown = layer.items.length, total = layer.total === undefined ? shown : layer.total;
      return shown < total ? "显示 " + shown + " / 共 " + total + " " + unit : total + " " + unit;
    };
  }

  /* every layer once: id, name, on at the start, builder, legend, count, states */
  var context = layersOf.context, roadGrey = "#6f7a86";
  var groups = [
    ["覆盖预测(" + "SS-RSRP,dBm)", [
      { id: "signal", name: "信号强度", on: true, make: picture("signal", 0.75), legend: function () {
        return data.signal.map(function (c) { return [swatch("area", c.colour, "#8a95a1", { "stroke-width": 0.5, "fill-opacity": 0.8 }), c.text]; }); } },
      { id: "gained", name: "新增覆盖区", on: false, only: "after", make: picture("gained", 0.9), legend: function () {
        return [[swatch("area", data.gained_colour, "#8a6d00"), "现状未覆盖,规划后覆盖"]]; } },
      { id: "gaps", name: "覆盖空洞", on: true, count: function () { return (state === "after" ? "规划后仍有 " : "现状 ") + layersOf["gaps_" + state].items.length + " 处"; },
        make: function () {
          return areas("gaps_" + state, gapStyle, function (item) {
            return item.no ? { text: "空洞" + item.no, kind: "gap", colour: REASON[item.look], order: 2.5 } : null;
          })();
        }, legend: gapLegend },
      { id: "indoor_gaps", name: "室内空洞", on: false, only: "after", need: layersOf.indoor_gaps, count: countOf("indoor_gaps", "处"),
        make: areas("indoor_gaps", indoorStyle), legend: function () {
          return [[swatch("area", REASON.indoor, REASON.indoor, { "fill-opacity": 0.55 }), "室外已覆盖,仅室内未覆盖"]]; } },
      { id: "stretches", name: "未覆盖路段", on: false, only: "after", need: layersOf.stretches,
        count: function () { return layersOf.stretches.items.length + " 处,共 " + layersOf.stretches.total; },
        make: areas("stretches", stretchStyle), legend: function () {
          return [[swatch("line", "", HOT, { "stroke-width": 5 }), "道路、铁路、河流未覆盖处"]]; } },
      { id: "indoor_buildings", name: "应建室内覆盖未达建筑", on: false, only: "after", need: layersOf.indoor_buildings,
        count: countOf("indoor_buildings", "栋"), make: points("indoor_buildings", buildingStyle), legend: function () {
          return layersOf.indoor_buildings.states.map(function (s) { return [swatch("dot", BUILT[s[0]], DARK), s[1] + " " + s[2]]; })
            .concat([[make("b", "", ""), "规则 GB 51456:应建,宏站室内未达"]]); } }]],
    ["投诉(与现状覆盖对照)", [
      { id: "hot_spots", name: "投诉热点", on: true, need: layersOf.hot_spots, count: countOf("hot_spots", "处"),
        make: areas("hot_spots", hotStyle, function (item) { return { text: "热点" + item.no, colour: HOT, order: 2.6 }; }),
        legend: function () { return [[swatch("area", HOT, HOT, { "fill-opacity": 0.12, "stroke-dasharray": "2 3", "stroke-width": 2.2 }), "投诉集中处"]]; } },
      { id: "complaints", name: "投诉点", on: false, need: layersOf.complaints, count: countOf("complaints", "件"),
        make: points("complaints", complaintStyle), legend: function () {
          return layersOf.complaints.findings.map(function (f) {
            var odd = f[0] === "no_gap";
            return [swatch("dot", odd ? "#fff" : FINDING[f[0]] || FINDING.unknown, odd ? FINDING.no_gap : "#fff", odd ? { "stroke-width": 3 } : {}), f[1] + " " + f[2]];
          }); } }]],
    ["评判对象", [
      { id: "villages", name: "行政村", on: true, need: layersOf.villages.items, count: function () { return layersOf.villages.items.length + " 个"; },
        make: areas("villages", areaStyle, function (item) {
          var look = verdictOf(item);
          return { text: look.mark + " " + item.title, colour: look.colour, order: item[state] === "pass" ? 3 : 2 };
        }), legend: function () { return verdictLegend(); } },
      { id: "zones", name: "重点区域", on: true, need: layersOf.zones.items, count: function () { return layersOf.zones.items.length + " 个"; },
        make: areas("zones", zoneStyle, function (item) {
          return { text: verdictOf(item).mark + " " + item.title, colour: ZONE, order: 1 };
        }), legend: function () { return verdictLegend(ZONE); } }]],
    ["站址", [
      { id: "proposed", name: "规划站址(编号 = 优先次序)", on: true, only: "after", make: proposed,
        count: function () { return layersOf.proposed.items.length + " 处"; }, legend: function () {
          return [[swatch("dot", "#fff", "#3a0022"), "宏站"], [swatch("square", "#fff", "#3a0022"), "微站"]].concat(tierLegend("area")); } },
      { id: "existing", name: "现有基站", on: true, need: layersOf.existing.rows, make: existing,
        count: function () { return layersOf.existing.rows.length + " 处"; }, legend: function () {
          return [[swatch("dot", DARK, "#fff"), layersOf.existing.ticks.length ? "站址,扇形为小区方位" : "站址"]]; } },
      { id: "candidates", name: "候选站址", on: false, need: layersOf.candidates.rows, make: many("candidates", candidateStyle),
        count: function () { return layersOf.candidates.rows.length + " 处"; }, legend: function () {
          return tierLegend("dot").concat([[swatch("dot", "#fff", "#888"), "圈内数字为个数"]]); } },
      { id: "refused", name: "不可用站址", on: false, need: layersOf.refused.rows, make: many("refused", refusedStyle),
        count: function () { return layersOf.refused.rows.length + " 处"; }, legend: function () {
          return [[swatch("dot", "#7b8490", "#333"), "点击查看原因"]]; } }]],
    ["底图", [
      { id: "boundary", name: "规划范围", on: true, need: layersOf.boundary, make: outlines(layersOf.boundary, "sp-context",
        { color: DARK, weight: 2.5, dashArray: "10 4 2 4", fill: false }), legend: function () {
        return [[swatch("line", "", DARK, { "stroke-dasharray": "8 3 2 3", "stroke-width": 2.5 }), "范围线"]]; } },
      { id: "towns", name: "镇街", on: true, need: context.towns, make: function () {
        var group = L.featureGroup([outlines(context.towns.map(function (t) { return t.shape; }), "sp-context",
          { color: "#4a5563", weight: 1.4, dashArray: "2 4", fill: false })()]);
        context.towns.forEach(function (t) { addLabel(group, t, { text: t.title, kind: "town", order: 4 }); });
        return group;
      }, legend: function () { return [[swatch("line", "", "#4a5563", { "stroke-dasharray": "2 3" }), "镇街界"]]; } },
      { id: "counties", name: "县区", on: true, need: context.counties, make: outlines(context.counties, "sp-context",
        { color: "#4a5563", weight: 2, dashArray: "8 4", fill: false }), legend: function () {
        return [[swatch("line", "", "#4a5563", { "stroke-dasharray": "8 4", "stroke-width": 2 }), "县区界"]]; } },
      { id: "main_roads", name: "主要道路", on: true, need: context.main_roads, make: outlines(context.main_roads, "sp-context",
        { color: roadGrey, weight: 2.2, fill: false }), legend: function () {
        return [[swatch("line", "", roadGrey, { "stroke-width": 2.2 }), "主要道路"]]; } },
      { id: "roads", name: context.main_roads ? "其他道路" : "道路", on: !context.main_roads, need: context.roads,
        make: outlines(context.roads, "sp-context", { color: roadGrey, weight: 1, opacity: 0.8, fill: false }), legend: function () {
          return [[swatch("line", "", roadGrey, { "stroke-width": 1 }), "道路"]]; } },
      { id: "rail", name: "铁路", on: true, need: context.rail, make: outlines(context.rail, "sp-context",
        { color: "#222", weight: 1.6, dashArray: "8 5", fill: false }), legend: function () {
        return [[swatch("line", "", "#222", { "stroke-dasharray": "6 4" }), "铁路"]]; } },
      { id: "water", name: "水系", on: true, need: context.water, make: outlines(context.water, "sp-water",
        { color: "#5b8fa8", weight: 1, fillColor: "#a9cfe0", fillOpacity: 1 }), legend: function () {
        return [[swatch("area", "#a9cfe0", "#5b8fa8"), "水面、河流"]]; } },
      { id: "relief", name: "地形晕渲", on: true, need: data.pictures.relief, make: picture("relief", 0.75), legend: function () { return []; } }]]
  ];
  var moved = false;
  function each(visit) { groups.forEach(function (g) { g[1].forEach(visit); }); }
  function present(entry) { return !("need" in entry) || (entry.need && (entry.need.length === undefined || entry.need.length > 0)); }
  function shown(entry) { return on[entry.id] && (!entry.only || entry.only === state); }

  function refresh() {
    labels = [];
    numbered = [];
    each(function (entry) {
      if (!present(entry)) { return; }
      if (built[entry.id]) { map.removeLayer(built[entry.id]); }
      if (!shown(entry)) { return; }
      if (!built[entry.id] || !STEADY.includes(entry.id)) { built[entry.id] = entry.make(); }
      built[entry.id].addTo(map);
    });
    fillLayers();
    declutter();
    document.body.dataset.state = state;
    document.querySelectorAll("#sp-state button").forEach(function (b) { b.classList.toggle("on", b.dataset.state === state); });
    document.querySelectorAll("#sp-indicators td[data-state]").forEach(function (td) { td.classList.toggle("now", td.dataset.state === state); });
  }
  function declutter() {
    var taken = [];
    function free(box) {
      return taken.every(function (t) { return box[2] < t[0] || box[0] > t[2] || box[3] < t[1] || box[1] > t[3]; });
    }
    numbered.forEach(function (n) {
      var p = map.latLngToLayerPoint(n.marker.getLatLng()), box = [p.x - 12, p.y - 12, p.x + 12, p.y + 12];
      var fits = free(box);
      if (n.marker._icon) { n.marker._icon.classList.toggle("small", !fits); }
      taken.push(fits ? box : [p.x - 6, p.y - 6, p.x + 6, p.y + 6]);
    });
    labels.slice().sort(function (a, b) { return a.order - b.order; }).forEach(function (l) {
      var p = map.latLngToLayerPoint(l.at), w = l.node.offsetWidth / 2 + 3, tries = [0, -20, 20, -36, 36], placed = false;
      tries.forEach(function (shift) {
        var box = [p.x - w, p.y + shift - 9, p.x + w, p.y + shift + 9];
        if (!placed && free(box)) { placed = true; taken.push(box); l.node.style.marginTop = shift + "px"; }
      });
      l.node.style.visibility = placed ? "visible" : "hidden";
    });
  }

  /* side panel */
  function fillLayers() {
    var box = byId("sp-layers"), top = box.scrollTop;
    box.replaceChildren();
    groups.forEach(function (group) {
      var entries = group[1].filter(present);
      if (!entries.length) { return; }
      box.appendChild(make("h3", "", group[0]));
      entries.forEach(function (entry) {
        var row = make("label", shown(entry) ? "shown" : ""), tick = make("input");
        tick.type = "checkbox"; tick.checked = Boolean(on[entry.id]); tick.dataset.layer = entry.id;
        tick.addEventListener("change", function () { on[entry.id] = tick.checked; refresh(); });
        row.appendChild(tick); row.appendChild(document.createTextNode(entry.name));
        if (entry.only && entry.only !== state) { row.className = "idle"; row.appendChild(make("span", "", "切换到“规划后”显示")); }
        else if (entry.count) { row.appendChild(make("span", "", entry.count())); }
        box.appendChild(row);
        var pairs = shown(entry) ? entry.legend() : [];
        if (pairs.length) {
          var legend = make("div", "sp-legend");
          pairs.forEach(function (pair) { var i = make("i"); i.appendChild(pair[0]); i.appendChild(make("span", "", pair[1])); legend.appendChild(i); });
          box.appendChild(legend);
        }
      });
    });
    box.scrollTop = top;
  }
  function fillIndicators() {
    var box = byId("sp-indicators"), table = make("table"), head = make("tr");
    ["", "现状", "规划后"].forEach(function (text) { head.appendChild(make("th", "", text)); });
    table.appendChild(head);
    data.indicators.forEach(function (row) {
      if (row.rows) { return; }
      var line = make("tr"), note = make("tr", "note"), cell = make("td", "", row.note);
      line.appendChild(make("td", "", row.label));
      ["before", "after"].forEach(function (s) { var td = make("td", "", row[s]); td.dataset.state = s; line.appendChild(td); });
      cell.colSpan = 3; note.appendChild(cell); table.appendChild(line); table.appendChild(note);
    });
    box.appendChild(table);
    var sum = make("div", "sp-sum"), tiers = make("div", "sp-tiers"), bound = data.bound;
    sum.appendChild(make("b", "", "规划站址 " + bound.sites + " 处"));
    sum.appendChild(document.createTextNode((data.kinds ? "(" + data.kinds + ")" : "") + (bound.cost ? ",估算 " + bound.cost : "")));
    data.site_counts.forEach(function (t) { tiers.appendChild(make("span", "", t.name + " " + (t.macro + t.micro))); });
    sum.appendChild(make("div", "", "已服务加权需求 " + bound.covered + (bound.limits ? ";" + bound.limits : "")));
    sum.appendChild(make("div", "sp-proof", bound.proof));
    box.appendChild(sum);
    byId("sp-sites").appendChild(tiers);
    byId("sp-sites").appendChild(make("p", "sp-meaning", [bound.sizes, bound.stopped].filter(Boolean).join(";")));
  }
  function fillGoals() {
    var groups = data.indicators.filter(function (row) { return row.rows; });
    document.querySelector("#sp-tabs [data-tab=goals]").hidden = !groups.length;
    groups.forEach(function (group) {
      var box = make("details", "sp-group"), table = make("table"), head = make("tr");
      box.open = group.open;
      box.appendChild(make("summary", "", group.label));
      box.appendChild(make("p", "", group.note));
      group.columns.forEach(function (text) { head.appendChild(make("th", "", text)); });
      table.appendChild(head);
      group.rows.forEach(function (row) {
        var line = make("tr"), note = make("tr", "note"), cell = make("td", "", row.note);
        [row.label, row.before, row.after].forEach(function (text) { line.appendChild(make("td", "", text)); });
        table.appendChild(line);
        cell.colSpan = 3; note.appendChild(cell);
        if (row.note) { table.appendChild(note); }
      });
      box.appendChild(table);
      byId("sp-goals").appendChild(box);
    });
  }
  function fillSites() {
    var list = make("ol");
    layersOf.proposed.items.forEach(function (site) {
      var row = make("li"), text = make("div");
      text.appendChild(make("b", "", site.title));
      text.appendChild(make("small", "", [site.values[0], site.values[1], site.values[8] || site.values[7]].filter(Boolean).join(" · ")));
      if (site.mark) { text.appendChild(make("span", "sp-warn", site.mark)); }
      row.appendChild(chip(site)); row.appendChild(text); row.appendChild(make("span", "", site.gain ? "+" + site.gain : ""));
      row.addEventListener("click", function () {
        moved = true; on.proposed = true; if (state !== "after") { state = "after"; } refresh();
        map.setView(site.at, Math.max(map.getZoom(), 15), { animate: false });
        numbered.forEach(function (n) {
          if (n.site === site) { n.marker.openPopup(); }
          n.marker._icon.classList.toggle("sp-found", n.site === site);
        });
      });
      list.appendChild(row);
    });
    byId("sp-sites").appendChild(list);
    if (!layersOf.proposed.items.length) { byId("sp-sites").appendChild(make("p", "", "没有规划站址")); }
  }
  function fillFrame() {
    byId("sp-name").textContent = data.name;
    data.badges.forEach(function (text) { byId("sp-badges").appendChild(make("span", "sp-badge", text)); });
    data.statements.forEach(function (text) { byId("sp-foot").appendChild(make("span", "", text)); });
    document.querySelectorAll("#sp-state button").forEach(function (b) {
      b.addEventListener("click", function () { state = b.dataset.state; refresh(); });
    });
    document.querySelectorAll("#sp-tabs button").forEach(function (b) {
      b.addEventListener("click", function () { openTab(b.dataset.tab); });
    });
    openTab("layers");
  }
  function openTab(name) {
    document.querySelectorAll("#sp-tabs button").forEach(function (b) { b.classList.toggle("on", b.dataset.tab === name); });
    TABS.forEach(function (tab) { byId("sp-" + tab).hidden = tab !== name; });
  }
  function addControls() {
    L.control.zoom({ position: "topleft", zoomInTitle: "放大", zoomOutTitle: "缩小" }).addTo(map);
    L.control.scale({ imperial: false, maxWidth: 160, position: "bottomleft" }).addTo(map);
    var north = L.control({ position: "topright" }), coords = L.control({ position: "bottomright" });
    north.onAdd = function () {
      var box = make("div", "sp-box sp-north", "北"), arrow = swatch("area", "none", "none");
      arrow.setAttribute("width", 22); arrow.setAttribute("height", 30); arrow.setAttribute("viewBox", "0 0 22 30");
      var path = document.createElementNS(arrow.namespaceURI, "path");
      path.setAttribute("d", "M11 1 L20 28 L11 22 L2 28 Z"); path.setAttribute("fill", DARK);
      arrow.replaceChildren(path); box.appendChild(make("br")); box.appendChild(arrow);
      return box;
    };
    coords.onAdd = function () {
      var box = make("div", "sp-box sp-coords", "经纬度(" + data.datum + ")");
      map.on("mousemove", function (e) { box.textContent = e.latlng.lng.toFixed(5) + "°E  " + e.latlng.lat.toFixed(5) + "°N"; });
      return box;
    };
    north.addTo(map); coords.addTo(map);
  }

  /* the address may say what to show: #state=before&on=candidates&off=signal&tab=sites */
  function readAddress() {
    new URLSearchParams(location.hash.slice(1)).forEach(function (value, key) {
      if (key === "state" && (value === "before" || value === "after")) { state = value; }
      if (key === "tab" && TABS.includes(value)) { openTab(value); }
      if (key === "on" || key === "off") { value.split(",").forEach(function (id) { if (id in on) { on[id] = key === "on"; } }); }
      if (key === "site") { var rows = document.querySelectorAll("#sp-sites li"); if (rows[value - 1]) { setTimeout(function () { rows[value - 1].click(); }, 0); } }
    });
  }
  each(function (entry) { on[entry.id] = entry.on; });
  fillFrame(); fillIndicators(); fillGoals(); fillSites(); addControls();
  readAddress();
  /* the whole study stays in view until somebody moves the map */
  function fit() {
    map.invalidateSize({ animate: false });
    if (!moved) { map.fitBounds(data.bounds, { padding: [12, 12], animate: false }); }
  }
  ["mousedown", "wheel", "touchstart", "keydown"].forEach(function (kind) {
    map.getContainer().addEventListener(kind, function () { moved = true; }, { capture: true, passive: true });
  });
  fit();
  map.setMinZoom(Math.floor(map.getZoom()) - 1);
  refresh();
  map.on("zoomend", declutter);
  window.addEventListener("resize", fit);
})();
