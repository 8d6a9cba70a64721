/* The page's data, words and small makers, in the one name that every file of the script shares.
   Text of the data only ever becomes textContent: no markup, no code. */
var SP = {};
(function (SP) {
  "use strict";
  SP.data = JSON.parse(document.getElementById("siteplan-data").textContent);
  SP.layersOf = SP.data.layers;
  SP.map = map_siteplan;
  /* a public page lacks some tables */
  ["villages", "zones", "gaps_before", "gaps_after", "proposed"].forEach(function (name) {
    SP.layersOf[name] = SP.layersOf[name] || { fields: [], items: [] };
  });
  ["boundary", "tiers", "reasons"].forEach(function (name) {
    SP.layersOf[name] = SP.layersOf[name] || [];
  });
  SP.layersOf.context = SP.layersOf.context || {};
  SP.on = {};
  SP.view = { state: "after", swipe: false, year: null, cover: "signal", opacity: 0.75 };

  /* the page's own words; {0}, {1} stand for what is filled in */
  SP.t = function (key) {
    var fills = Array.prototype.slice.call(arguments, 1),
      text = SP.data.words[key];
    return (text === undefined ? key : text).replace(/\{(\d)\}/g, function (all, n) {
      return n in fills ? fills[n] : all;
    });
  };
  SP.make = function (tag, className, text) {
    var node = document.createElement(tag);
    if (className) {
      node.className = className;
    }
    if (text !== undefined && text !== null) {
      node.textContent = text;
    }
    return node;
  };
  SP.byId = function (id) {
    return document.getElementById(id);
  };
  SP.button = function (className, text, click) {
    var node = SP.make("button", className, text);
    node.type = "button";
    node.addEventListener("click", click);
    return node;
  };
  SP.svg = function (tag, look) {
    var node = document.createElementNS("http:" + "//www.w3.org/2000/svg", tag);
    Object.keys(look || {}).forEach(function (key) {
      node.setAttribute(key, look[key]);
    });
    return node;
  };
  SP.icon = function (path) {
    var node = SP.svg("svg", {
      viewBox: "0 0 24 24",
      width: 20,
      height: 20,
      "aria-hidden": "true",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 2,
      "stroke-linecap": "round",
      "stroke-linejoin": "round"
    });
    node.appendChild(SP.svg("path", { d: path }));
    return node;
  };

  var heard = {};
  SP.hear = function (name, visit) {
    (heard[name] = heard[name] || []).push(visit);
  };
  SP.tell = function (name, what) {
    (heard[name] || []).forEach(function (visit) {
      visit(what);
    });
  };

  /* what is said in a corner for a moment, and to screen readers */
  var leaving = 0;
  SP.say = function (text) {
    var box = SP.byId("sp-said");
    box.textContent = text;
    box.hidden = !text;
    clearTimeout(leaving);
    leaving = setTimeout(function () {
      box.hidden = true;
    }, 6000);
  };

  SP.fold = function (text) {
    text = String(text);
    return (text.normalize ? text.normalize("NFKC") : text).toLowerCase().trim();
  };
  SP.today = function () {
    var now = new Date();
    function two(n) {
      return (n < 10 ? "0" : "") + n;
    }
    return now.getFullYear() + "-" + two(now.getMonth() + 1) + "-" + two(now.getDate());
  };
  SP.grouped = function (number, digits) {
    var parts = number.toFixed(digits || 0).split(".");
    parts[0] = parts[0].replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    return parts.join(".");
  };

  /* packed points: numbers as base64, words kept once; a column is unpacked when somebody asks for it */
  function bytes(text) {
    var raw = atob(text),
      out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i += 1) {
      out[i] = raw.charCodeAt(i);
    }
    return out;
  }
  var unpacked = {};
  SP.packed = function (name) {
    if (unpacked[name]) {
      return unpacked[name];
    }
    var layer = SP.layersOf[name];
    if (!layer || !layer.count) {
      return null;
    }
    var at = new Int32Array(bytes(layer.at).buffer),
      columns = [];
    function column(number) {
      columns[number] = columns[number] || new Uint32Array(bytes(layer.texts[number]).buffer);
      return columns[number];
    }
    unpacked[name] = {
      name: name,
      count: layer.count,
      fields: layer.fields,
      words: layer.words,
      tier: bytes(layer.tier),
      column: column,
      lat: function (i) {
        return at[2 * i] / 1e6;
      },
      lon: function (i) {
        return at[2 * i + 1] / 1e6;
      },
      title: function (i) {
        return layer.words[column(0)[i]];
      },
      values: function (i) {
        return layer.fields.map(function (_, k) {
          return layer.words[column(k + 1)[i]];
        });
      },
      id: function (i) {
        return layer.words[column(layer.texts.length - 1)[i]];
      }
    };
    return unpacked[name];
  };
  SP.countOf = function (name) {
    var layer = SP.layersOf[name];
    return !layer ? 0 : layer.items ? layer.items.length : layer.count || 0;
  };
  SP.siteId = function (site) {
    return site.id || site.values[site.values.length - 1];
  };

  SP.card = function (title, fields, values, first) {
    var box = SP.make("div", "sp-card"),
      list = SP.make("dl");
    box.appendChild(SP.make("h4", "", title));
    if (first !== undefined) {
      box.appendChild(SP.make("p", "sp-warn", "⚠ " + fields[first] + SP.t("colon") + values[first]));
    }
    fields.forEach(function (field, k) {
      if (values[k] && k !== first) {
        list.appendChild(SP.make("dt", "", field));
        list.appendChild(SP.make("dd", "", values[k]));
      }
    });
    box.appendChild(list);
    return box;
  };
  /* the card of a site: with a button that comments on it */
  SP.siteCard = function (site) {
    var box = SP.card(site.title, site.fields, site.values, site.first);
    if (SP.data.decisions && site.id) {
      box.insertBefore(
        SP.button("sp-plain sp-comment", SP.t("pin_this"), function () {
          SP.tell("comment", site);
        }),
        box.firstChild.nextSibling
      );
    }
    return box;
  };
  SP.openCard = function (at, node) {
    var size = SP.map.getSize();
    L.popup({
      minWidth: Math.min(290, size.x - 90),
      maxWidth: Math.min(360, size.x - 60),
      autoPanPaddingTopLeft: size.x > 700 ? [64, 56] : [12, 12],
      autoPanPaddingBottomRight: [12, 12],
      maxHeight: Math.max(140, Math.min(430, size.y - 110))
    })
      .setLatLng(at)
      .setContent(node)
      .openOn(SP.map);
  };
  SP.openPacked = function (name, i) {
    var p = SP.packed(name);
    SP.openCard([p.lat(i), p.lon(i)], SP.siteCard(SP.packedSite(name, i)));
  };
  SP.packedSite = function (name, i) {
    var p = SP.packed(name);
    return {
      id: p.id(i),
      title: p.title(i),
      fields: p.fields,
      values: p.values(i),
      at: [p.lat(i), p.lon(i)],
      layer: name
    };
  };
  SP.openSite = function (site) {
    SP.openCard(
      site.at,
      SP.siteCard({
        id: SP.siteId(site),
        title: SP.t("site_no", site.no) + " " + site.title,
        at: site.at,
        fields: SP.layersOf.proposed.fields,
        values: site.values,
        first: site.first,
        layer: "proposed",
        name: site.title
      })
    );
  };
  /* proposed sites up to the year that is looked at */
  SP.proposedNow = function () {
    return SP.layersOf.proposed.items.filter(function (site) {
      return SP.view.year === null || (site.year && site.year <= SP.view.year);
    });
  };
  SP.lonLatText = function (at, digits) {
    var k = digits === undefined ? (SP.data.public ? 3 : 6) : digits;
    return at.lng.toFixed(k) + "°E  " + at.lat.toFixed(k) + "°N";
  };
})(SP);
