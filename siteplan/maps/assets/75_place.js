/* Coordinates under the pointer, going to coordinates, scale, north arrow, years, title block. */
(function (SP) {
  "use strict";
  var t = SP.t,
    data = SP.data,
    map = SP.map,
    make = SP.make,
    shown = null;

  var scale = L.control.scale({ imperial: false, maxWidth: 160, position: "bottomleft" });
  var north = L.control({ position: "topright" }),
    coords = L.control({ position: "bottomleft" }),
    block = L.control({ position: "bottomright" });
  north.onAdd = function () {
    var holder = make("div", "sp-box sp-north", t("north")),
      arrow = SP.svg("svg", { width: 22, height: 30, viewBox: "0 0 22 30" });
    arrow.appendChild(SP.svg("path", { d: "M11 1 L20 28 L11 22 L2 28 Z", fill: SP.DARK }));
    holder.appendChild(make("br"));
    holder.appendChild(arrow);
    return holder;
  };
  coords.onAdd = function () {
    var holder = make("div", "sp-box sp-coords"),
      degrees = make("div"),
      grid = make("div");
    function tell(at) {
      degrees.textContent = SP.lonLatText(at);
      grid.textContent = SP.gridText(at);
    }
    degrees.textContent = t("lonlat") + t("in_brackets", data.datum);
    if (data.projection) {
      grid.textContent = t("grid_axes") + t("in_brackets", data.projection.zone_text || data.projection.name);
    }
    holder.title = [data.datum, data.projection && data.projection.name].filter(Boolean).join(" · ");
    holder.appendChild(degrees);
    if (data.projection) {
      holder.appendChild(grid);
    }
    map.on("mousemove", function (e) {
      tell(e.latlng);
    });
    return holder;
  };
  block.onAdd = function () {
    var holder = make("details", "sp-block"),
      table = make("table"),
      line = make("summary"),
      closed = make("span", "sp-closed");
    /* closed, one line: project, day of the data, approval number, secrecy */
    line.appendChild(make("b", "", t("title_block")));
    data.title.slice(0, 4).forEach(function (pair, k) {
      closed.appendChild(make("span", "", ((k === 1 || k === 2) && pair[1].indexOf(pair[0]) < 0 ? pair[0] + " " : "") + pair[1]));
    });
    line.title = closed.textContent;
    line.appendChild(closed);
    holder.appendChild(line);
    data.title.forEach(function (pair) {
      var row = make("tr");
      row.appendChild(make("th", "", pair[0]));
      row.appendChild(make("td", "", pair[1]));
      table.appendChild(row);
    });
    holder.appendChild(table);
    holder.addEventListener("toggle", fitBlock);
    L.DomEvent.disableClickPropagation(holder);
    L.DomEvent.disableScrollPropagation(holder);
    return holder;
  };
  north.addTo(map);
  scale.addTo(map);
  coords.addTo(map);
  if (data.title && data.title.length) {
    block.addTo(map);
  }

  /* the closed line takes the room that the years leave over */
  function fitBlock() {
    var node = document.querySelector(".leaflet-bottom .sp-block"),
      beside = document.querySelector(".sp-years"),
      box = map.getContainer().getBoundingClientRect();
    if (!node) {
      return;
    }
    var left = beside && box.width > 700 ? beside.getBoundingClientRect().right : box.left;
    node.style.maxWidth = node.open ? "" : Math.max(120, Math.min(620, Math.floor(box.right - left - 20))) + "px";
  }
  map.on("resize", fitBlock);
  SP.hear("refreshed", fitBlock);

  /* a cross where somebody wanted to go */
  SP.showPlace = function (at) {
    if (shown) {
      map.removeLayer(shown);
    }
    SP.flyTo(at, 16);
    shown = L.marker(at, {
      pane: SP.pane("measure"),
      interactive: false,
      keyboard: false,
      icon: L.divIcon({ className: "sp-cross", html: SP.icon("M12 1 V23 M1 12 H23"), iconSize: [24, 24] })
    }).addTo(map);
    var box = SP.card(
      t("tool_goto"),
      [t("lonlat"), data.projection ? t("grid_axes") : "", ""],
      [SP.lonLatText(at), SP.gridText(at), ""]
    );
    SP.openCard(at, box);
  };
  SP.goTo = function () {
    if (!SP.enter("goto")) {
      return;
    }
    SP.mode = "";
    map.getContainer().classList.remove("sp-busy");
    var line = make("form", "sp-line"),
      input = make("input"),
      hint = make("p", "sp-hint", t("goto_hint")),
      told = make("p", "sp-warn");
    Object.assign(input, { id: "sp-goto", placeholder: "113.39, 22.51", autocomplete: "off" });
    input.setAttribute("aria-label", t("tool_goto"));
    told.hidden = true;
    line.appendChild(input);
    line.appendChild(make("button", "sp-main", t("go")));
    line.addEventListener("submit", function (e) {
      var place = SP.readPlace(input.value);
      e.preventDefault();
      told.hidden = Boolean(place);
      if (!place) {
        told.textContent = t("goto_unknown");
        return;
      }
      hint.textContent =
        place.note + (L.latLngBounds(data.bounds).pad(0.2).contains(place.at) ? "" : " " + t("goto_outside"));
      SP.showPlace(place.at);
    });
    SP.openTool("goto", t("tool_goto"), [line, told, hint]);
    input.focus();
  };

  /* years of construction: sites up to the one that is chosen */
  var years = data.phases ? data.phases.years : [];
  if (years.length) {
    var holder = make("div", "sp-years"),
      slider = make("input"),
      now = make("output"),
      note = make("small", "", data.phases.note || t("phase_note"));
    Object.assign(slider, { type: "range", min: 0, max: years.length, step: 1, value: years.length, id: "sp-year" });
    slider.setAttribute("aria-label", t("phase"));
    slider.addEventListener("input", function () {
      var k = Number(slider.value);
      if (SP.view.state === "before" && !SP.view.swipe) {
        SP.view.state = "after";
      }
      SP.set({ year: k < years.length ? years[k] : null });
    });
    var marks = make("div", "sp-marks"),
      row = make("div", "sp-yearrow"),
      head = make("b", "", t("phase"));
    years.concat([t("all_years")]).forEach(function (year, k) {
      var mark = SP.button("", year, function () {
        slider.value = k;
        slider.dispatchEvent(new Event("input"));
      });
      mark.tabIndex = -1;
      if (data.phases.counts && k < years.length) {
        mark.title = t("count_places", data.phases.counts[k]);
      }
      marks.appendChild(mark);
    });
    slider.style.width = marks.style.width = Math.min(420, 60 * (years.length + 1)) + "px";
    [head, slider, now].forEach(function (node) {
      row.appendChild(node);
    });
    holder.appendChild(row);
    row.insertBefore(make("div", "sp-track"), now);
    [slider, marks].forEach(function (node) {
      holder.querySelector(".sp-track").appendChild(node);
    });
    holder.appendChild(note);
    map.getContainer().appendChild(holder);
    L.DomEvent.disableClickPropagation(holder);
    L.DomEvent.disableScrollPropagation(holder);
    SP.hear("refreshed", function () {
      var year = SP.view.year,
        undated = SP.layersOf.proposed.items.filter(function (site) {
          return !site.year;
        }).length;
      slider.value = year === null ? years.length : years.indexOf(year);
      now.textContent = t("count_places", SP.proposedNow().length);
      marks.childNodes.forEach(function (mark, k) {
        mark.classList.toggle("on", year === null ? k === years.length : years[k] === year);
      });
      slider.setAttribute(
        "aria-valuetext",
        (year === null ? t("all_years") : t("until_year", year)) + " " + now.textContent
      );
      var empty = year === null ? "" : (data.phases.notes || [])[years.indexOf(year)];
      note.textContent =
        (empty ? empty + t("semicolon") : "") +
        (data.phases.note || t("phase_note")) +
        (year !== null && undated ? t("undated", undated) : "");
      holder.classList.toggle("idle", year === null);
    });
  }
})(SP);
