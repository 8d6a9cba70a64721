/* The side panel: indicators, layers with their legend, targets, the list of sites. */
(function (SP) {
  "use strict";
  var t = SP.t,
    data = SP.data,
    on = SP.on,
    view = SP.view,
    byId = SP.byId,
    make = SP.make,
    map = SP.map;
  var TABS = ["layers", "goals", "sites", "pins"];

  /* layers */
  function coverChoice() {
    var box = make("div", "sp-cover"),
      choice = make("div", "sp-choice"),
      slider = make("input"),
      label = make("label", "sp-fade");
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", t("layer_signal"));
    SP.covers.forEach(function (name) {
      var pick = SP.button(view.cover === name ? "on" : "", t("cover_" + name), function () {
        on.signal = true;
        SP.set({ cover: name });
      });
      pick.dataset.cover = name;
      pick.setAttribute("aria-pressed", view.cover === name);
      choice.appendChild(pick);
    });
    Object.assign(slider, {
      type: "range",
      min: 0,
      max: 100,
      step: 5,
      value: Math.round(view.opacity * 100),
      id: "sp-opacity"
    });
    slider.addEventListener("input", function () {
      SP.fade(slider.value / 100);
    });
    label.appendChild(document.createTextNode(t("opacity")));
    label.appendChild(slider);
    if (SP.covers.length > 1) {
      box.appendChild(choice);
    }
    box.appendChild(label);
    return box;
  }
  function fillLayers() {
    var box = byId("sp-layers"),
      top = box.scrollTop,
      focused = document.activeElement,
      keep = "";
    if (focused && box.contains(focused)) {
      keep = focused.dataset.layer
        ? "[data-layer=" + focused.dataset.layer + "]"
        : focused.dataset.cover
          ? "[data-cover=" + focused.dataset.cover + "]"
          : "";
    }
    box.replaceChildren();
    var group = "";
    SP.entries.forEach(function (entry) {
      var shown = SP.shown(entry),
        heads = entry.group !== group;
      if (heads) {
        var any = SP.entries.some(function (other) {
          return other.group === entry.group && SP.shown(other);
        });
        box.appendChild(make("h3", any ? "" : "idle", t("group_" + entry.group)));
        group = entry.group;
      }
      var row = make("label", shown ? "shown" : ""),
        tick = make("input");
      tick.type = "checkbox";
      tick.checked = on[entry.id];
      tick.dataset.layer = entry.id;
      tick.addEventListener("change", function () {
        on[entry.id] = tick.checked;
        SP.refresh();
      });
      row.appendChild(tick);
      row.appendChild(document.createTextNode(entry.title));
      if (entry.after && view.state === "before" && !view.swipe) {
        row.className = "idle";
        row.appendChild(make("span", "", t("switch_after")));
      } else if (entry.count) {
        row.appendChild(make("span", "", entry.count()));
      }
      box.appendChild(row);
      if (entry.id === "signal" && shown) {
        box.appendChild(coverChoice());
      }
      var pairs = shown ? entry.legend() : [];
      if (!pairs.length) {
        return;
      }
      var legend = make("div", "sp-legend");
      pairs.forEach(function (pair) {
        var i = make("i");
        i.appendChild(pair[0]);
        i.appendChild(make("span", "", pair[1]));
        legend.appendChild(i);
      });
      box.appendChild(legend);
    });
    box.scrollTop = top;
    if (keep && box.querySelector(keep)) {
      box.querySelector(keep).focus({ preventScroll: true });
    }
  }

  /* indicators: the rules behind them open with the row, all of them with one button */
  function fillIndicators() {
    var box = byId("sp-indicators"),
      table = make("table"),
      head = make("tr"),
      notes = [];
    var all = SP.button("sp-plain", t("rules_show"), function () {
      var show = notes.some(function (note) {
        return note.hidden;
      });
      notes.forEach(function (note) {
        note.hidden = !show;
      });
      all.textContent = t(show ? "rules_hide" : "rules_show");
    });
    all.id = "sp-rules";
    var first = make("th");
    first.appendChild(all);
    head.appendChild(first);
    ["before", "after"].forEach(function (state) {
      head.appendChild(make("th", "", t("state_" + state)));
    });
    table.appendChild(head);
    data.indicators.forEach(function (row) {
      if (row.rows) {
        return;
      }
      var line = make("tr"),
        note = make("tr", "note"),
        cell = make("td", "", row.note),
        name = make("td");
      name.appendChild(
        SP.button("sp-row", row.label, function () {
          note.hidden = !note.hidden;
        })
      );
      name.title = row.note || "";
      line.appendChild(name);
      ["before", "after"].forEach(function (state) {
        var td = make("td", "", row[state]);
        td.dataset.state = state;
        line.appendChild(td);
      });
      cell.colSpan = 3;
      note.hidden = true;
      note.appendChild(cell);
      notes.push(note);
      table.appendChild(line);
      table.appendChild(note);
    });
    box.appendChild(table);
    var sum = make("div", "sp-sum"),
      bound = data.bound;
    sum.appendChild(make("b", "", t("sum_sites", bound.sites)));
    sum.appendChild(
      document.createTextNode(
        (data.kinds ? t("in_brackets", data.kinds) : "") + (bound.cost ? t("sum_cost", bound.cost) : "")
      )
    );
    if (bound.covered) {
      sum.appendChild(
        make("div", "", t("sum_covered", bound.covered) + (bound.limits ? t("semicolon") + bound.limits : ""))
      );
    }
    sum.appendChild(make("div", "sp-proof", bound.proof));
    box.appendChild(sum);
  }
  function fillGoals() {
    var groups = data.indicators.filter(function (row) {
      return row.rows;
    });
    document.querySelector("#sp-tabs [data-tab=goals]").hidden = !groups.length;
    groups.forEach(function (group) {
      var box = make("details", "sp-group"),
        table = make("table"),
        head = make("tr");
      box.open = group.open;
      box.appendChild(make("summary", "", group.label));
      box.appendChild(make("p", "", group.note));
      group.columns.forEach(function (text) {
        head.appendChild(make("th", "", text));
      });
      table.appendChild(head);
      group.rows.forEach(function (row) {
        var line = make("tr"),
          note = make("tr", "note"),
          cell = make("td", "", row.note);
        [row.label, row.before, row.after].forEach(function (text) {
          line.appendChild(make("td", "", text));
        });
        table.appendChild(line);
        cell.colSpan = 3;
        note.appendChild(cell);
        if (row.note) {
          table.appendChild(note);
        }
      });
      box.appendChild(table);
      byId("sp-goals").appendChild(box);
    });
  }

  /* sites, those of the years that are looked at */
  SP.goToSite = function (site) {
    on.proposed = true;
    SP.set({ state: view.swipe || view.state === "after" ? view.state : "after" });
    SP.flyTo(site.at, 15);
    SP.onMap("proposed").forEach(function (layer) {
      SP.numberedOf(layer).forEach(function (n) {
        n.marker._icon.classList.toggle("sp-found", n.site === site);
      });
      if (layer.spSites) {
        layer.mark(layer.spSites.indexOf(site));
      }
    });
    SP.openSite(site);
  };
  SP.flyTo = function (at, zoom) {
    SP.moved = true;
    map.setView(at, Math.max(map.getZoom(), zoom), { animate: false });
  };
  var MOST_ROWS = 2000;
  function fillSites() {
    var box = byId("sp-sites"),
      list = make("ol"),
      sites = SP.proposedNow(),
      tiers = make("div", "sp-tiers"),
      numbers = {};
    sites.forEach(function (site) {
      numbers[site.tier] = (numbers[site.tier] || 0) + 1;
    });
    box.replaceChildren();
    SP.layersOf.tiers.forEach(function (one) {
      if (numbers[one.tier]) {
        tiers.appendChild(make("span", "", one.name + " " + numbers[one.tier]));
      }
    });
    box.appendChild(
      make(
        "p",
        "sp-count",
        t("sum_sites", sites.length) + (view.year === null ? "" : t("in_brackets", t("until_year", view.year)))
      )
    );
    box.appendChild(tiers);
    box.appendChild(
      make("p", "sp-meaning", [data.bound.sizes, data.bound.stopped].filter(Boolean).join(t("semicolon")))
    );
    sites.slice(0, MOST_ROWS).forEach(function (site) {
      var row = make("li"),
        open = SP.button("sp-siterow", null, function () {
          SP.goToSite(site);
        }),
        text = make("div");
      text.appendChild(make("b", "", site.title));
      text.appendChild(
        make(
          "small",
          "",
          [
            site.year ? t("in_year", site.year) : "",
            site.values[0],
            site.values[1],
            data.public ? "" : site.values[8] || site.values[7]
          ]
            .filter(Boolean)
            .join(" · ")
        )
      );
      if (site.mark) {
        text.appendChild(make("span", "sp-warn", site.mark));
      }
      [SP.chip(site), text, make("span", "", site.gain ? "+" + site.gain : "")].forEach(function (part) {
        open.appendChild(part);
      });
      row.appendChild(open);
      list.appendChild(row);
    });
    box.appendChild(list);
    if (sites.length > MOST_ROWS) {
      box.appendChild(make("p", "", t("count_shown", MOST_ROWS, t("count_places", sites.length))));
    }
    if (!sites.length) {
      box.appendChild(make("p", "", t("no_sites")));
    }
  }

  SP.openTab = function (name) {
    document.querySelectorAll("#sp-tabs button").forEach(function (b) {
      b.classList.toggle("on", b.dataset.tab === name);
      b.setAttribute("aria-selected", b.dataset.tab === name);
    });
    TABS.forEach(function (tab) {
      byId("sp-" + tab).hidden = tab !== name;
    });
  };
  SP.tabs = TABS;
  function fillFrame() {
    document.querySelectorAll("[data-word]").forEach(function (node) {
      node.textContent = t(node.dataset.word);
    });
    document.querySelectorAll("[data-label]").forEach(function (node) {
      node.setAttribute("aria-label", t(node.dataset.label));
    });
    byId("sp-name").textContent = data.name;
    data.badges.forEach(function (text) {
      byId("sp-badges").appendChild(make("span", "sp-badge", text));
    });
    var foot = byId("sp-foot"),
      text = make("div", "sp-statements");
    data.statements.forEach(function (line) {
      text.appendChild(make("span", "", line));
    });
    foot.appendChild(text);
    foot.appendChild(
      SP.button("sp-plain", t("more"), function (e) {
        e.target.textContent = t(foot.classList.toggle("open") ? "less" : "more");
        SP.tell("resized");
      })
    );
    document.querySelectorAll("#sp-state button").forEach(function (b) {
      b.addEventListener("click", function () {
        SP.set(b.dataset.state === "swipe" ? { swipe: !view.swipe } : { state: b.dataset.state, swipe: false });
      });
    });
    document.querySelectorAll("#sp-tabs button").forEach(function (b) {
      b.addEventListener("click", function () {
        SP.openTab(b.dataset.tab);
      });
    });
    document.querySelector("#sp-tabs [data-tab=pins]").hidden = !data.decisions;
    SP.openTab("layers");
  }
  SP.hear("refreshed", function () {
    var now = view.swipe ? "swipe" : view.state;
    fillLayers();
    if (byId("sp-sites").dataset.year !== String(view.year)) {
      byId("sp-sites").dataset.year = String(view.year);
      fillSites();
    }
    document.querySelectorAll("#sp-state button").forEach(function (b) {
      b.classList.toggle("on", b.dataset.state === now);
      b.setAttribute("aria-pressed", b.dataset.state === now);
    });
    document.querySelectorAll("#sp-indicators td[data-state]").forEach(function (td) {
      td.classList.toggle("now", td.dataset.state === view.state);
    });
  });
  fillFrame();
  fillIndicators();
  fillGoals();
})(SP);
