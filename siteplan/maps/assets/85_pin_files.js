/* Comments as CSVs in the shape of the study's table of decisions: decisions in one, remarks in another; read back. */
(function (SP) {
  "use strict";
  var t = SP.t,
    rules = SP.data.decisions,
    NAMES = ["id", "action", "value", "who", "date", "why"],
    MOST_BYTES = 8e6,
    MOST_ROWS = 5000;
  if (!rules) {
    return;
  }

  /* what the study's reader takes for a decision: a site, a known action, a year or a place where one is asked for */
  var actionOf = new Map();
  rules.actions.forEach(function (one) {
    [one.action, one.word].concat(one.words).forEach(function (word) {
      actionOf.set(SP.fold(word), one.action);
    });
  });
  function hasValue(action, value) {
    var plain = SP.fold(value),
      found;
    if (action === "year") {
      found = plain.replace(/\.0$/, "").match(/\d+/g) || [];
      return found.length === 1 && Number(found[0]) >= rules.years[0] && Number(found[0]) <= rules.years[1];
    }
    return action !== "move" || (plain.match(/-?\d+(?:\.\d+)?/g) || []).length === 2;
  }
  SP.valueFits = function (pin) {
    var action = actionOf.get(SP.fold(pin.action || ""));
    return Boolean(action) && hasValue(action, pin.value || "");
  };
  SP.isDecision = function (pin) {
    return Boolean(SP.fold(pin.id || "")) && SP.valueFits(pin);
  };

  /* a cell: never a formula, quoted where it has to be; the mark in front comes off again exactly, whatever the text */
  function cell(text) {
    var plain = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20']/.test(text) ? "'" + text : text;
    return /[",\r\n]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
  }
  /* a remark away from sites has its place as value, longitude first */
  function row(pin) {
    var value = pin.id || !pin.at ? pin.value : pin.at[1].toFixed(6) + "," + pin.at[0].toFixed(6);
    return [pin.id, pin.action, value, pin.who, pin.date, pin.why].map(function (text) {
      return text || "";
    });
  }
  SP.pinsText = function (decisions) {
    return (
      "\ufeff" +
      [rules.head]
        .concat(
          SP.pins
            .all()
            .filter(function (pin) {
              return SP.isDecision(pin) === decisions;
            })
            .map(row)
        )
        .map(function (cells) {
          return cells.map(cell).join(",") + "\r\n";
        })
        .join("")
    );
  };
  SP.writePins = function (decisions) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([SP.pinsText(decisions)], { type: "text/csv;charset=utf-8" }));
    link.download =
      [
        t("pin_file"),
        t(decisions ? "pin_file_decisions" : "pin_file_remarks"),
        SP.data.name.replace(/[^\w\u4e00-\u9fff-]+/g, "").slice(0, 40),
        SP.today()
      ].join("_") + ".csv";
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () {
      URL.revokeObjectURL(link.href);
    }, 10000);
    SP.pins.saved(decisions);
  };

  function parse(text) {
    var rows = [],
      cells = [],
      now = "",
      quoted = false,
      i = 0;
    function endCell() {
      cells.push(now);
      now = "";
    }
    function endRow() {
      endCell();
      if (
        cells.some(function (one) {
          return one;
        })
      ) {
        rows.push(cells);
      }
      cells = [];
    }
    for (; i < text.length; i += 1) {
      var c = text[i];
      if (quoted) {
        if (c !== '"') {
          now += c;
        } else if (text[i + 1] === '"') {
          now += c;
          i += 1;
        } else {
          quoted = false;
        }
      } else if (c === '"' && !now) {
        quoted = true;
      } else if (c === ",") {
        endCell();
      } else if (c === "\n") {
        endRow();
      } else if (c !== "\r") {
        now += c;
      }
    }
    if (now || cells.length) {
      endRow();
    }
    return rows;
  }
  function decode(buffer) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(buffer);
    } catch (error) {
      return new TextDecoder("gb18030").decode(buffer);
    }
  }
  /* where the site of a number is, and its name: found by a table that is made once, the proposed first */
  var sites = null;
  function findSite(id) {
    if (!sites) {
      sites = new Map();
      SP.layersOf.proposed.items.forEach(function (site) {
        if (!sites.has(SP.siteId(site))) {
          sites.set(SP.siteId(site), site);
        }
      });
      ["candidates", "existing", "refused"].forEach(function (name) {
        var p = SP.packed(name);
        for (var i = 0; p && i < p.count; i += 1) {
          if (!sites.has(p.id(i))) {
            sites.set(p.id(i), { packed: p, i: i });
          }
        }
      });
    }
    var found = sites.get(id);
    if (!found) {
      return { at: null, name: "" };
    }
    return found.packed
      ? { at: [found.packed.lat(found.i), found.packed.lon(found.i)], name: found.packed.title(found.i) }
      : { at: found.at, name: found.title };
  }
  SP.readPins = function (buffer) {
    if (buffer.byteLength > MOST_BYTES) {
      SP.say(t("pin_large", MOST_BYTES / 1e6));
      return;
    }
    var rows = parse(decode(buffer).replace(/^\ufeff/, "")),
      head = (rows.shift() || []).map(SP.fold);
    var places = NAMES.map(function (name, k) {
      var at = head.indexOf(SP.fold(rules.head[k]));
      return at >= 0 ? at : head.indexOf(name);
    });
    if (places[0] < 0 || places[1] < 0) {
      SP.say(t("pin_no_table", rules.head.join("、")));
      return;
    }
    if (SP.pins.all().length + rows.length > MOST_ROWS) {
      SP.say(t("pin_many", rows.length, MOST_ROWS));
      return;
    }
    var known = new Set(
        SP.pins.all().map(function (pin) {
          return JSON.stringify(row(pin));
        })
      ),
      twice = 0,
      nowhere = 0,
      unread = 0,
      out = [];
    rows.forEach(function (cells) {
      var pin = {},
        place = null,
        said;
      NAMES.forEach(function (name, k) {
        pin[name] = (cells[places[k]] || "").replace(/^'/, "");
      });
      if (pin.id) {
        Object.assign(pin, findSite(pin.id));
        nowhere += pin.at ? 0 : 1;
      } else {
        place = SP.readPlace(pin.value);
        pin.at = place ? [place.at.lat, place.at.lng] : null;
      }
      said = JSON.stringify(row(pin));
      if (known.has(said)) {
        twice += 1;
        return;
      }
      known.add(said);
      unread += pin.action && !SP.isDecision(pin) ? 1 : 0;
      out.push(pin);
    });
    SP.pins.add(out);
    SP.openTab("pins");
    SP.say(
      t("pin_read", out.length) +
        (twice ? t("pin_twice", twice) : "") +
        (nowhere ? t("pin_unknown", nowhere) : "") +
        (unread ? t("pin_unread", unread) : "")
    );
  };
})(SP);
