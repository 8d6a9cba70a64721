/* Search by name or number, and by coordinates. */
(function (SP) {
  "use strict";
  var t = SP.t,
    map = SP.map,
    layersOf = SP.layersOf,
    MOST = 50,
    box,
    input,
    list,
    found = [],
    current = -1,
    waiting = 0,
    folded = {};

  function openArea(layer, item) {
    return function () {
      var at = SP.centreOf(item);
      SP.flyTo(at, 14);
      SP.openCard(at, SP.card(item.title, layer.fields || [], item.values || []));
    };
  }
  function turnOn(id, open) {
    return function () {
      var entry = SP.entry(id);
      if (entry && !SP.shown(entry)) {
        SP.on[id] = true;
        if (entry.after && !SP.view.swipe) {
          SP.view.state = "after";
        }
        SP.refresh();
      }
      open();
    };
  }
  /* rank of a name: 0 the same, 1 it begins so, 2 it holds it; -1 it does not */
  function rank(name, wanted) {
    var place = name.indexOf(wanted);
    return place < 0 ? -1 : name === wanted ? 0 : place === 0 ? 1 : 2;
  }
  function fromItems(kind, layer, id, wanted, out, also) {
    if (!layer || !layer.items) {
      return;
    }
    layer.items.forEach(function (item) {
      var ranks = [item.title]
        .concat(also ? also(item) : [])
        .map(function (name) {
          return rank(SP.fold(name), wanted);
        })
        .filter(function (r) {
          return r >= 0;
        });
      if (ranks.length) {
        out.push({
          kind: kind,
          title: item.title,
          more: (item.values || [])[0] || "",
          rank: Math.min.apply(null, ranks),
          go: turnOn(id, openArea(layer, item))
        });
      }
    });
  }
  function fromPacked(name, wanted, out) {
    var p = SP.packed(name),
      taken = 0;
    if (!p) {
      return;
    }
    folded[name] = folded[name] || p.words.map(SP.fold);
    var ranks = new Int8Array(p.words.length),
      any = false,
      titles = p.column(0),
      ids = p.column(p.fields.length),
      best = [[], [], []];
    folded[name].forEach(function (word, k) {
      ranks[k] = rank(word, wanted);
      any = any || ranks[k] >= 0;
    });
    for (var i = 0; any && i < p.count && taken < 3000; i += 1) {
      var a = ranks[titles[i]],
        b = ranks[ids[i]],
        r = a < 0 ? b : b < 0 ? a : Math.min(a, b);
      if (r >= 0 && best[r].length < MOST) {
        best[r].push(i);
        taken += 1;
      }
    }
    best.forEach(function (places, r) {
      places.forEach(function (i) {
        out.push({
          kind: name,
          title: p.title(i),
          more: p.id(i),
          rank: r,
          go: turnOn(name, function () {
            SP.flyTo([p.lat(i), p.lon(i)], 17);
            SP.onMap(name).forEach(function (layer) {
              layer.mark(i);
            });
            SP.openPacked(name, i);
          })
        });
      });
    });
  }
  SP.search = function (text) {
    var wanted = SP.fold(text),
      out = [],
      state = SP.view.state,
      order = ["place", "proposed"];
    if (!wanted) {
      return out;
    }
    var place = SP.readPlace(text);
    if (place) {
      out.push({
        kind: "place",
        title: SP.lonLatText(place.at),
        more: place.note,
        rank: -1,
        go: function () {
          SP.showPlace(place.at);
        }
      });
    }
    layersOf.proposed.items.forEach(function (site) {
      var r = [
        rank(SP.fold(site.title), wanted),
        rank(SP.fold(SP.siteId(site)), wanted),
        String(site.no) === wanted ? 0 : -1
      ].filter(function (one) {
        return one >= 0;
      });
      if (r.length) {
        out.push({
          kind: "proposed",
          title: t("site_no", site.no) + " " + site.title,
          more: site.values[1],
          rank: Math.min.apply(null, r),
          go: function () {
            if (SP.view.year !== null && !(site.year <= SP.view.year)) {
              SP.view.year = null;
            }
            SP.goToSite(site);
          }
        });
      }
    });
    fromItems("towns", { items: layersOf.context.towns }, "towns", wanted, out);
    fromItems("villages", layersOf.villages, "villages", wanted, out);
    fromItems("zones", layersOf.zones, "zones", wanted, out);
    fromItems("gaps", layersOf["gaps_" + state], "gaps", wanted, out, function (gap) {
      return gap.no ? [t("gap_no", gap.no)] : [];
    });
    fromItems("hot_spots", layersOf.hot_spots, "hot_spots", wanted, out);
    fromItems("units", layersOf.units, "units", wanted, out, function (unit) {
      return [unit.code];
    });
    fromItems("restricted", layersOf.restricted, "restricted", wanted, out);
    fromItems("works", layersOf.works, "works", wanted, out);
    ["existing", "candidates", "refused", "poles"].forEach(function (name) {
      fromPacked(name, wanted, out);
    });
    order = order.concat([
      "towns",
      "villages",
      "zones",
      "units",
      "gaps",
      "hot_spots",
      "existing",
      "works",
      "restricted",
      "candidates",
      "refused",
      "poles"
    ]);
    out.forEach(function (one, k) {
      one.number = k;
      one.order = order.indexOf(one.kind);
    });
    out.sort(function (a, b) {
      return a.rank - b.rank || a.order - b.order || a.number - b.number;
    });
    return out;
  };

  function choose(number) {
    current = number;
    list.childNodes.forEach(function (row, k) {
      row.classList.toggle("on", k === current);
      row.setAttribute("aria-selected", k === current);
      if (k === current) {
        input.setAttribute("aria-activedescendant", row.id);
        row.scrollIntoView({ block: "nearest" });
      }
    });
  }
  function close() {
    list.hidden = true;
    found = [];
    input.setAttribute("aria-expanded", false);
  }
  function go(number) {
    var one = found[number];
    if (!one) {
      return;
    }
    input.value = one.kind === "place" ? input.value : one.title;
    close();
    one.go();
  }
  function fill() {
    clearTimeout(waiting);
    waiting = 0;
    var all = SP.search(input.value);
    found = all.slice(0, MOST);
    list.replaceChildren();
    found.forEach(function (one, k) {
      var row = SP.make("li", "");
      row.id = "sp-hit-" + k;
      row.setAttribute("role", "option");
      row.appendChild(SP.make("i", "k-" + one.kind, t("kind_" + one.kind)));
      row.appendChild(SP.make("b", "", one.title));
      row.appendChild(SP.make("small", "", one.more));
      row.addEventListener("click", function () {
        go(k);
      });
      list.appendChild(row);
    });
    if (!found.length) {
      list.appendChild(SP.make("li", "none", t("search_none")));
    }
    if (all.length > MOST) {
      list.appendChild(SP.make("li", "none", t("search_more", MOST, all.length)));
    }
    list.hidden = !SP.fold(input.value);
    input.setAttribute("aria-expanded", !list.hidden);
    choose(found.length ? 0 : -1);
    list.scrollTop = 0;
  }
  box = SP.make("div", "sp-search");
  input = SP.make("input");
  list = SP.make("ul");
  Object.assign(input, {
    type: "search",
    id: "sp-search",
    placeholder: t("search_hint"),
    autocomplete: "off",
    spellcheck: false
  });
  [
    ["role", "combobox"],
    ["aria-expanded", false],
    ["aria-controls", "sp-hits"],
    ["aria-label", t("search_hint")]
  ].forEach(function (pair) {
    input.setAttribute(pair[0], pair[1]);
  });
  Object.assign(list, { id: "sp-hits", hidden: true });
  list.setAttribute("role", "listbox");
  input.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(fill, 120);
  });
  input.addEventListener("focus", function () {
    if (input.value && list.hidden) {
      fill();
    }
  });
  input.addEventListener("keydown", function (e) {
    if (e.key === "Enter") {
      if (waiting || list.hidden) {
        fill();
      }
      go(current);
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      if (list.hidden) {
        fill();
      }
      choose(Math.max(0, Math.min(found.length - 1, current + (e.key === "ArrowDown" ? 1 : -1))));
    } else if (e.key === "Escape") {
      if (list.hidden) {
        input.value = "";
      }
      close();
    } else {
      return;
    }
    e.preventDefault();
    e.stopPropagation();
  });
  document.addEventListener("mousedown", function (e) {
    if (!box.contains(e.target)) {
      close();
    }
  });
  box.appendChild(input);
  box.appendChild(list);
  map.getContainer().appendChild(box);
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  box.addEventListener("keydown", function (e) {
    e.stopPropagation();
  });
})(SP);
