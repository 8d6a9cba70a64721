/* The toolbar, printing, what stands behind "about", and the start. */
(function (SP) {
  "use strict";
  var t = SP.t,
    data = SP.data,
    map = SP.map,
    view = SP.view,
    on = SP.on,
    make = SP.make;
  var ICONS = {
    home: "M3 11 L12 4 L21 11 M6 9.5 V20 H18 V9.5",
    length: "M3 17 L17 3 L21 7 L7 21 Z M8 12 l2 2 M11 9 l2 2 M14 6 l2 2",
    area: "M4 8 L14 4 L20 12 L15 20 L6 18 Z",
    goto: "M12 2 V6 M12 18 V22 M2 12 H6 M18 12 H22 M18 12 a6 6 0 1 1 -12 0 a6 6 0 1 1 12 0",
    pin: "M4 5 H20 V16 H12 L7 20 V16 H4 Z M8 9 H16 M8 12 H13",
    print: "M7 9 V4 H17 V9 M7 17 H4 V9 H20 V17 H17 M7 14 H17 V20 H7 Z",
    about: "M12 11 V17 M12 7 V7.5 M21 12 a9 9 0 1 1 -18 0 a9 9 0 1 1 18 0"
  };

  /* the whole study between the controls; what room is left over stays at the right, where the title block is */
  function fit() {
    var size,
      small,
      west,
      east,
      left,
      below,
      sheet = document.documentElement.classList.contains("sp-print");
    map.invalidateSize({ animate: false });
    if (SP.moved) {
      return;
    }
    size = map.getSize();
    small = size.x < 700;
    left = sheet ? 10 : small ? 8 : 64;
    below = sheet ? 10 : small ? 60 : data.phases && data.phases.years.length ? 76 : 12;
    map.fitBounds(data.bounds, {
      paddingTopLeft: [left, small && !sheet ? 90 : 10],
      paddingBottomRight: [10, below],
      animate: false
    });
    if (small || sheet) {
      return;
    }
    west = map.latLngToContainerPoint(data.bounds[0]).x;
    east = map.latLngToContainerPoint(data.bounds[1]).x;
    map.panBy([Math.max(0, Math.min(west - 64, size.x - 10 - east)), 0], { animate: false });
  }
  function about() {
    var box = SP.byId("sp-about"),
      table = make("table"),
      head = make("tr");
    box.replaceChildren(make("h3", "", data.name), make("p", "", t("about_text")));
    data.statements.forEach(function (line) {
      box.appendChild(make("p", "sp-meaning", line));
    });
    box.appendChild(make("h4", "", t("about_keys")));
    box.appendChild(make("p", "", t("about_keys_text")));
    box.appendChild(make("h4", "", t("about_licences")));
    ["licence_name", "licence_version", "licence_text"].forEach(function (key) {
      head.appendChild(make("th", "", t(key)));
    });
    table.appendChild(head);
    data.licences.forEach(function (entry) {
      var row = make("tr");
      entry.forEach(function (text) {
        row.appendChild(make("td", "", text));
      });
      table.appendChild(row);
    });
    box.appendChild(table);
    box.appendChild(
      SP.button("sp-main", t("close"), function () {
        box.close();
      })
    );
    box.showModal();
  }
  var acts = {
    home: function () {
      SP.moved = false;
      fit();
    },
    length: function () {
      SP.measure("length");
    },
    area: function () {
      SP.measure("area");
    },
    goto: SP.goTo,
    pin: SP.comment,
    print: function () {
      window.print();
    },
    about: about
  };
  var bar = L.control({ position: "topleft" });
  bar.onAdd = function () {
    var holder = make("div", "sp-bar leaflet-bar");
    holder.setAttribute("role", "toolbar");
    Object.keys(acts).forEach(function (name) {
      if (!acts[name]) {
        return;
      }
      var button = SP.button("", null, acts[name]);
      button.dataset.tool = name;
      button.title = t("tip_" + name);
      button.appendChild(SP.icon(ICONS[name]));
      button.appendChild(make("span", "", t("short_" + name)));
      holder.appendChild(button);
    });
    L.DomEvent.disableClickPropagation(holder);
    return holder;
  };
  L.control.zoom({ position: "topleft", zoomInTitle: t("zoom_in"), zoomOutTitle: t("zoom_out") }).addTo(map);
  bar.addTo(map);
  SP.hear("mode", function () {
    document.querySelectorAll(".sp-bar button").forEach(function (b) {
      b.classList.toggle("on", SP.mode === b.dataset.tool);
      b.setAttribute("aria-pressed", SP.mode === b.dataset.tool);
    });
  });

  /* printing: the page takes the size of a sheet first, so that the map is drawn for it */
  /* the legend in three columns, then smaller, until all of it stands on the sheet; told where it does not */
  function fitLegend(yes) {
    var legend = SP.byId("sp-layers"),
      told = SP.byId("sp-cut");
    function cut() {
      return yes && legend.scrollWidth > legend.clientWidth + 2;
    }
    legend.style.zoom = "";
    document.documentElement.classList.remove("sp-tight");
    document.documentElement.classList.toggle("sp-tight", cut());
    for (var size = 0.95; size > 0.55 && cut(); size -= 0.05) {
      legend.style.zoom = size;
    }
    told.hidden = !cut();
  }
  function forPrint(yes) {
    var centre = map.getCenter(),
      block = document.querySelector(".sp-block");
    if (block) {
      (yes ? SP.byId("sp-side") : document.querySelector(".leaflet-bottom.leaflet-right")).appendChild(block);
    }
    if (block) {
      block.open = yes;
    }
    document.documentElement.classList.toggle("sp-print", yes);
    map.invalidateSize({ animate: false });
    if (SP.moved) {
      map.setView(centre, map.getZoom(), { animate: false });
    } else {
      fit();
    }
    SP.declutter();
    fitLegend(yes);
  }
  SP.forPrint = forPrint;
  window.addEventListener("beforeprint", function () {
    forPrint(true);
  });
  window.addEventListener("afterprint", function () {
    forPrint(false);
  });

  /* the address may say what to show: #state=before&on=candidates&off=signal&tab=sites&cover=probability&year=2027&swipe=40 */
  function readAddress() {
    new URLSearchParams(location.hash.slice(1)).forEach(function (value, key) {
      if (key === "state" && (value === "before" || value === "after")) {
        view.state = value;
      }
      if (key === "tab" && SP.tabs.includes(value)) {
        SP.openTab(value);
      }
      if (key === "cover" && SP.covers.includes(value)) {
        view.cover = value;
      }
      if (key === "year" && data.phases && data.phases.years.includes(Number(value))) {
        view.year = Number(value);
      }
      if (key === "swipe" && value > 0 && value < 100) {
        view.swipe = true;
        SP.swipeTo(value / 100);
      }
      if (key === "on" || key === "off") {
        value.split(",").forEach(function (id) {
          if (id in on) {
            on[id] = key === "on";
          }
        });
      }
      if (key === "site" && data.layers.proposed.items[value - 1]) {
        setTimeout(function () {
          SP.goToSite(data.layers.proposed.items[value - 1]);
        }, 0);
      }
    });
  }
  readAddress();
  ["mousedown", "wheel", "touchstart", "keydown"].forEach(function (kind) {
    map.getContainer().addEventListener(
      kind,
      function (e) {
        if (!e.target.closest(".leaflet-control, .sp-search, .sp-tool, .sp-years, .sp-divider")) {
          SP.moved = true;
        }
      },
      { capture: true, passive: true }
    );
  });
  fit();
  map.setMinZoom(Math.floor(map.getZoom()) - 1);
  SP.refresh();
  map.on("zoomend", SP.declutter);
  window.addEventListener("resize", function () {
    if (!document.documentElement.classList.contains("sp-print")) {
      fit();
    }
  });
  SP.hear("resized", fit);
})(SP);
