/* Map of progress: sites by state on one canvas, filters, a card of each site. Text of the data is only ever textContent. */
(function (SP) {
  "use strict";
  var data = SP.data,
    map = SP.map,
    make = SP.make,
    byId = SP.byId,
    states = data.states,
    shown = states.map(function () {
      return true;
    }),
    pick = { county: "", town: "", year: "" },
    layer = null,
    index = [];
  var MOST_FOUND = 40,
    points = SP.packed("sites");

  /* what a mark looks like: a shape of its own for each state, readable without colour */
  function draw(context, look, r) {
    context.beginPath();
    if (look.mark === "^") {
      context.moveTo(0, -r);
      context.lineTo(r, r * 0.8);
      context.lineTo(-r, r * 0.8);
      context.closePath();
    } else if (look.mark === "s") {
      context.rect(-r * 0.8, -r * 0.8, r * 1.6, r * 1.6);
    } else if (look.mark === "D") {
      context.moveTo(0, -r);
      context.lineTo(r, 0);
      context.lineTo(0, r);
      context.lineTo(-r, 0);
      context.closePath();
    } else if (look.mark === "x" || look.mark === "X") {
      context.moveTo(-r * 0.8, -r * 0.8);
      context.lineTo(r * 0.8, r * 0.8);
      context.moveTo(-r * 0.8, r * 0.8);
      context.lineTo(r * 0.8, -r * 0.8);
      context.lineWidth = look.mark === "X" ? 5 : 3.5;
      context.strokeStyle = "#fff";
      context.stroke();
      context.lineWidth = look.mark === "X" ? 3 : 1.6;
      context.strokeStyle = look.colour;
      context.stroke();
      return;
    } else {
      context.arc(0, 0, r * 0.85, 0, 7);
    }
    context.fillStyle = look.colour;
    context.fill();
    context.lineWidth = 1.2;
    context.strokeStyle = "#fff";
    context.stroke();
  }
  function swatch(look) {
    var canvas = make("canvas"),
      context = canvas.getContext("2d");
    canvas.width = canvas.height = 18;
    context.translate(9, 9);
    draw(context, look, 7);
    return canvas;
  }

  function fieldColumn(name) {
    var k = points ? points.fields.indexOf(name) : -1;
    return k < 0 ? null : points.column(k + 1);
  }
  var columns = { county: fieldColumn("县区"), town: fieldColumn("镇街"), year: fieldColumn("计划年度") };
  function word(column, i) {
    return column ? points.words[column[i]] : "";
  }
  function matches(i) {
    return (
      shown[points.tier[i]] &&
      ["county", "town", "year"].every(function (name) {
        return pick[name] === "" || word(columns[name], i) === pick[name].slice(1);
      })
    );
  }
  function redraw() {
    var i;
    index = [];
    for (i = 0; points && i < points.count; i += 1) {
      if (matches(i)) {
        index.push(i);
      }
    }
    if (layer) {
      map.removeLayer(layer);
      layer = null;
    }
    if (index.length) {
      var tier = new Uint8Array(index.length);
      for (i = 0; i < index.length; i += 1) {
        tier[i] = points.tier[index[i]];
      }
      layer = new SP.Points(
        SP.pointSource(
          index.length,
          function (k) {
            return points.lat(index[k]);
          },
          function (k) {
            return points.lon(index[k]);
          },
          tier
        ),
        {
          pane: "sp-sites",
          gather: true,
          ranks: states.map(function (state) {
            return state.rank;
          }),
          symbol: function (state) {
            return {
              radius: 8,
              draw: function (context) {
                draw(context, states[state], 7);
              }
            };
          },
          bubble: {
            colour: function () {
              return "#0a3f7a";
            }
          }
        }
      );
      layer.addTo(map);
    }
    byId("sp-shown").textContent = "显示 " + SP.grouped(index.length) + " 处,共 " + SP.grouped(points ? points.count : 0) + " 处";
    find();
  }
  function open(i) {
    SP.openCard([points.lat(i), points.lon(i)], SP.card(points.title(i), points.fields, points.values(i)));
  }
  function find() {
    var asked = SP.fold(byId("sp-find").value),
      list = byId("sp-found"),
      number = 0;
    list.replaceChildren();
    if (!asked) {
      return;
    }
    for (var k = 0; k < index.length && number < MOST_FOUND; k += 1) {
      var i = index[k];
      if (SP.fold(points.title(i)).indexOf(asked) >= 0 || SP.fold(points.id(i)).indexOf(asked) >= 0) {
        number += 1;
        list.appendChild(entry(i));
      }
    }
    if (!number) {
      list.appendChild(make("li", "", "没有找到"));
    } else if (number === MOST_FOUND) {
      list.appendChild(make("li", "", "列出前 " + MOST_FOUND + " 处"));
    }
  }
  function entry(i) {
    var row = make("li");
    row.appendChild(
      SP.button("", points.title(i) + " · " + states[points.tier[i]].zh, function () {
        map.setView([points.lat(i), points.lon(i)], Math.max(map.getZoom(), 15), { animate: false });
        open(i);
      })
    );
    return row;
  }

  function choices(name) {
    var select = byId("sp-" + name),
      column = columns[name],
      seen = {};
    for (var i = 0; column && i < points.count; i += 1) {
      if (name !== "town" || pick.county === "" || word(columns.county, i) === pick.county.slice(1)) {
        seen["=" + word(column, i)] = true;
      }
    }
    select.replaceChildren(new Option("全部", ""));
    Object.keys(seen)
      .sort()
      .forEach(function (key) {
        select.appendChild(new Option(key.slice(1) || "(未写)", key));
      });
    if (!seen[pick[name]]) {
      pick[name] = "";
    }
    select.value = pick[name];
  }
  ["county", "town", "year"].forEach(function (name) {
    choices(name);
    byId("sp-" + name).addEventListener("change", function (event) {
      pick[name] = event.target.value;
      if (name === "county") {
        choices("town");
      }
      redraw();
    });
  });
  byId("sp-find").addEventListener("input", find);

  states.forEach(function (look, k) {
    var row = make("label"),
      box = make("input");
    box.type = "checkbox";
    box.checked = true;
    box.dataset.state = look.state;
    box.addEventListener("change", function () {
      shown[k] = box.checked;
      redraw();
    });
    row.append(box, swatch(look), document.createTextNode(look.zh), make("span", "", SP.grouped(look.number)));
    byId("sp-states").appendChild(row);
  });
  function table(into, title, rows) {
    var body = make("table");
    rows.forEach(function (row) {
      var line = make("tr");
      row.forEach(function (text) {
        line.appendChild(make("td", "", text));
      });
      body.appendChild(line);
    });
    byId(into).append(make("h3", "", title), body);
  }
  table("sp-numbers", "总体情况", data.numbers);
  table("sp-block", "图签", data.title);
  byId("sp-name").textContent = data.name;
  byId("sp-sub").textContent = data.sub;
  byId("sp-day").textContent = data.day;
  data.statements.forEach(function (line) {
    byId("sp-foot").appendChild(make("p", "", line));
  });

  map.createPane("sp-sites").style.zIndex = 450;
  map.createPane("sp-names").style.zIndex = 440;
  map.getPane("sp-names").style.pointerEvents = "none";
  data.areas.forEach(function (area) {
    L.geoJSON(area.shape, { interactive: false, style: area.style }).addTo(map);
    if (area.at) {
      L.tooltip({ permanent: true, direction: "center", className: "sp-name " + area.kind, pane: "sp-names", interactive: false })
        .setLatLng(area.at)
        .setContent(make("span", "", area.title))
        .addTo(map);
    }
  });
  L.control.zoom({ position: "topleft", zoomInTitle: "放大", zoomOutTitle: "缩小" }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  map.on("click", function (event) {
    var hit = layer && layer.hit(event.containerPoint, 12);
    if (!hit) {
      return;
    }
    if (hit.number) {
      map.setView(hit.at, map.getZoom() + 1.5);
      return;
    }
    open(index[hit.i]);
  });
  map.on("mousemove", function (event) {
    map.getContainer().style.cursor = layer && layer.hit(event.containerPoint, 12) ? "pointer" : "";
  });
  function fit() {
    map.invalidateSize({ animate: false });
    map.fitBounds(data.bounds, { padding: [16, 16], animate: false });
  }
  fit();
  window.addEventListener("resize", function () {
    map.invalidateSize({ animate: false });
  });
  redraw();
  SP.progress = {
    shown: function () {
      return index.length;
    },
    layer: function () {
      return layer;
    },
    open: open
  };
})(SP);
