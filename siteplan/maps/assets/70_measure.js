/* Measuring lengths and areas; the tools' one box beside the toolbar. */
(function (SP) {
  "use strict";
  var t = SP.t,
    map = SP.map,
    make = SP.make,
    points = [],
    pointer = null,
    drawn = null,
    results = L.featureGroup(),
    finished = true;
  SP.mode = "";

  /* one box for whichever tool is in use */
  var box = make("div", "sp-tool"),
    head = make("h4"),
    body = make("div");
  box.hidden = true;
  box.setAttribute("role", "region");
  box.appendChild(head);
  box.appendChild(
    SP.button("sp-close", "×", function () {
      SP.leave();
    })
  );
  box.lastChild.setAttribute("aria-label", t("close"));
  box.appendChild(body);
  map.getContainer().appendChild(box);
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  SP.openTool = function (name, title, content) {
    head.textContent = title;
    box.setAttribute("aria-label", title);
    body.replaceChildren.apply(body, content);
    box.hidden = false;
    box.dataset.tool = name;
  };
  SP.enter = function (mode) {
    var again = SP.mode === mode || (box.dataset.tool === mode && !box.hidden);
    SP.leave();
    if (again) {
      return false;
    }
    SP.mode = mode;
    map.closePopup();
    map.getContainer().classList.toggle("sp-busy", Boolean(mode));
    SP.tell("mode");
    return true;
  };
  SP.leave = function () {
    SP.mode = "";
    box.hidden = true;
    map.getContainer().classList.remove("sp-busy");
    map.doubleClickZoom.enable();
    clear();
    SP.tell("mode");
  };

  function clear() {
    points = [];
    pointer = null;
    finished = true;
    results.clearLayers();
    drawn = null;
  }
  function lengthText(metres) {
    return metres < 1000 ? SP.grouped(metres, 1) + " m" : SP.grouped(metres / 1000, 3) + " km";
  }
  function areaText(m2) {
    return m2 < 1e4
      ? SP.grouped(m2, 0) + " m²"
      : m2 < 1e6
        ? SP.grouped(m2 / 1e4, 2) + " " + t("hectares")
        : SP.grouped(m2 / 1e6, 3) + " km²";
  }
  function total(ring) {
    var sum = 0;
    for (var i = 1; i < ring.length; i += 1) {
      sum += SP.distance(ring[i - 1], ring[i]);
    }
    return sum;
  }
  function draw() {
    var all = pointer && !finished ? points.concat([pointer]) : points,
      area = SP.mode === "area";
    var look = {
      pane: SP.pane("measure"),
      color: "#111827",
      weight: 3,
      dashArray: finished ? null : "6 5",
      interactive: false,
      fillColor: "#ffd84d",
      fillOpacity: 0.25
    };
    results.clearLayers();
    if (!all.length) {
      return;
    }
    results.addTo(map);
    drawn = (area && all.length > 2 ? L.polygon(all, look) : L.polyline(all, look)).addTo(results);
    points.forEach(function (at, k) {
      L.circleMarker(at, {
        pane: SP.pane("measure"),
        radius: 4.5,
        color: "#111827",
        weight: 2,
        fillColor: "#ffd84d",
        fillOpacity: 1,
        interactive: false
      }).addTo(results);
      if (!area && k) {
        mark(at, lengthText(total(points.slice(0, k + 1))));
      }
    });
    if (area && all.length > 2) {
      mark(drawn.getBounds().getCenter(), areaText(SP.area(all)));
    }
  }
  function mark(at, text) {
    L.marker(at, {
      pane: SP.pane("measure"),
      interactive: false,
      keyboard: false,
      icon: L.divIcon({ className: "sp-label-holder", html: make("div", "sp-measured", text), iconSize: [0, 0] })
    }).addTo(results);
  }
  function tellResult() {
    var all = pointer && !finished ? points.concat([pointer]) : points,
      area = SP.mode === "area",
      lines = [];
    var main = make("output", "sp-result", area ? areaText(all.length > 2 ? SP.area(all) : 0) : lengthText(total(all)));
    lines.push(main);
    if (area && all.length > 2) {
      lines.push(make("p", "", t("perimeter", lengthText(total(all.concat([all[0]]))))));
    }
    lines.push(make("p", "sp-hint", t(finished && points.length ? "measure_again" : "measure_how")));
    lines.push(make("p", "sp-hint", t("measure_accuracy")));
    SP.openTool(SP.mode, t(area ? "tool_area" : "tool_length"), lines);
  }
  function show() {
    draw();
    tellResult();
  }
  function finish() {
    finished = true;
    pointer = null;
    show();
  }
  SP.measure = function (mode) {
    if (!SP.enter(mode)) {
      return;
    }
    map.doubleClickZoom.disable();
    show();
  };
  SP.measured = function () {
    return { points: points.slice(), finished: finished, text: body.querySelector(".sp-result").textContent };
  };
  function measuring() {
    return SP.mode === "length" || SP.mode === "area";
  }
  SP.hear("clicked", function (e) {
    if (!measuring()) {
      return;
    }
    if (finished) {
      clear();
      finished = false;
    }
    var last = points[points.length - 1];
    if (last && map.latLngToContainerPoint(last).distanceTo(e.containerPoint) < 4) {
      return;
    }
    points.push(e.latlng);
    show();
  });
  map.on("mousemove", function (e) {
    if (!measuring() || finished) {
      return;
    }
    pointer = e.latlng;
    show();
  });
  map.on("dblclick", function () {
    if (measuring() && !finished) {
      finish();
    }
  });
  document.addEventListener("keydown", function (e) {
    if (!SP.mode && box.hidden) {
      return;
    }
    if (e.key === "Escape") {
      if (measuring() && !finished && points.length > 1) {
        finish();
      } else {
        SP.leave();
      }
    } else if (e.key === "Enter" && measuring() && !finished && !e.target.closest("button, input")) {
      finish();
    } else if (
      e.key === "Backspace" &&
      measuring() &&
      !finished &&
      points.length &&
      !e.target.closest("input, textarea")
    ) {
      points.pop();
      show();
    } else {
      return;
    }
    e.preventDefault();
  });
})(SP);
