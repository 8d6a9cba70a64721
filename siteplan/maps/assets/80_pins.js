/* Comments of the meeting: pins on the map, a form and a list beside it. */
(function (SP) {
  "use strict";
  var t = SP.t,
    map = SP.map,
    make = SP.make,
    rules = SP.data.decisions;
  if (!rules) {
    return;
  }
  var pins = [],
    changed = { decisions: false, remarks: false },
    editing = null,
    box = SP.byId("sp-pins"),
    layer = L.featureGroup(),
    usual = { who: rules.by || "", date: SP.today() };
  var form = make("form", "sp-form"),
    list = make("ol", "sp-pinlist"),
    buttons = make("div", "sp-line"),
    count = make("p", "sp-meaning");
  SP.pins = {
    all: function () {
      return pins;
    },
    add: function (found) {
      pins = pins.concat(found);
      found.forEach(touch);
      show();
    },
    saved: function (decisions) {
      changed[decisions ? "decisions" : "remarks"] = false;
      show();
    }
  };
  /* decisions and remarks go into files of their own, each told until it is written */
  function touch(pin) {
    changed[SP.isDecision(pin) ? "decisions" : "remarks"] = true;
  }
  function numbers() {
    var decisions = pins.filter(function (pin) {
      return SP.isDecision(pin);
    }).length;
    return { decisions: decisions, remarks: pins.length - decisions };
  }
  function unsaved(of) {
    return (changed.decisions && of.decisions > 0) || (changed.remarks && of.remarks > 0);
  }

  /* where a comment belongs: a site by its number, or a place */
  function placeText(pin) {
    if (pin.id) {
      return pin.name && pin.name !== pin.id ? pin.name + " " + pin.id : pin.id;
    }
    return pin.at ? SP.lonLatText(L.latLng(pin.at)) : t("pin_nowhere");
  }
  function field(name, node) {
    var label = make("label", "", t("pin_" + name));
    node.name = name;
    label.appendChild(node);
    form.appendChild(label);
    return node;
  }
  function ruleOf(word) {
    return rules.actions.find(function (one) {
      return one.word === word;
    });
  }
  function open(pin) {
    editing = pin;
    form.replaceChildren();
    form.hidden = false;
    form.appendChild(make("h4", "", t(pin.number ? "pin_edit" : "pin_new")));
    form.appendChild(make("p", "sp-at", placeText(pin)));
    var action = field("action", make("select")),
      hint = make("small"),
      choices = make("datalist"),
      value = field("value", make("input"));
    var why = field("why", make("textarea")),
      who = field("who", make("input")),
      date = field("date", make("input"));
    [["", t("pin_remark")]]
      .concat(pin.action && !ruleOf(pin.action) ? [[pin.action, pin.action]] : []) /* as a file wrote it */
      .concat(
        pin.id
          ? rules.actions.map(function (one) {
              return [one.word, one.word];
            })
          : []
      )
      .forEach(function (pair) {
        var choice = make("option", "", pair[1]);
        choice.value = pair[0];
        action.appendChild(choice);
      });
    action.value = pin.action || "";
    value.value = pin.id ? pin.value || "" : "";
    var pick = SP.button("sp-pick", t("pin_pick"), pickPlace);
    [hint, pick, choices].forEach(function (part) {
      value.parentNode.appendChild(part);
    });
    choices.id = "sp-choices";
    value.setAttribute("list", "sp-choices");
    value.autocomplete = "off";
    why.rows = 3;
    why.value = pin.why || "";
    who.value = pin.number ? pin.who : usual.who;
    date.type = "date";
    date.value = pin.number ? pin.date : usual.date;
    function fit() {
      var chosen = ruleOf(action.value);
      value.parentNode.hidden = !chosen;
      hint.textContent = chosen && chosen.value ? t("for_example", chosen.value) : "";
      pick.hidden = !chosen || chosen.action !== "move";
      choices.replaceChildren.apply(
        choices,
        ((chosen && chosen.choices) || []).map(function (word) {
          return make("option", "", word);
        })
      );
    }
    action.addEventListener("change", fit);
    fit();
    var line = make("div", "sp-line");
    line.appendChild(make("button", "sp-main", t("save")));
    line.appendChild(SP.button("", t("cancel"), close));
    form.appendChild(line);
    SP.openTab("pins");
    drawPins();
    box.scrollTop = 0;
    (pin.id ? action : why).focus();
  }
  function pickPlace() {
    SP.mode = "pick";
    SP.say(t("pin_pick_how"));
    busy();
  }
  function busy() {
    map.getContainer().classList.toggle("sp-busy", Boolean(SP.mode));
  }
  function close() {
    editing = null;
    form.hidden = true;
    form.replaceChildren();
    drawPins();
    if (SP.mode === "pick") {
      SP.mode = "";
      busy();
    }
  }
  form.addEventListener("submit", function (e) {
    e.preventDefault();
    var pin = Object.assign({}, editing),
      f = form.elements;
    Object.assign(pin, {
      action: f.action.value,
      value: f.action.value ? f.value.value.trim() : "",
      why: f.why.value.trim(),
      who: f.who.value.trim(),
      date: f.date.value
    });
    if (!pin.action && !pin.why) {
      SP.say(t("pin_empty"));
      f.why.focus();
      return;
    }
    var rule = ruleOf(pin.action);
    if (rule && !SP.valueFits(pin)) {
      SP.say(t("pin_value_wrong", rule.value));
      f.value.focus();
      return;
    }
    usual = { who: pin.who, date: pin.date };
    if (editing.number) {
      touch(editing);
      pins[editing.number - 1] = pin;
    } else {
      pins.push(pin);
    }
    touch(pin);
    editing = null;
    close();
    show();
    SP.say(t("pin_kept"));
  });

  function drawPins() {
    layer.clearLayers();
    pins.forEach(function (pin, k) {
      if (!pin.at) {
        return;
      }
      var marker = L.marker(pin.at, {
        pane: SP.pane("pins"),
        title: k + 1 + " " + (pin.action || t("pin_remark")),
        icon: L.divIcon({ className: "sp-pin-holder", html: make("div", "sp-pin", k + 1), iconSize: [0, 0] })
      });
      marker.on("click", function (e) {
        L.DomEvent.stop(e);
        if (!SP.mode) {
          openCard(pin, k);
        }
      });
      marker.addTo(layer);
    });
    if (editing && !editing.number && editing.at) {
      L.marker(editing.at, {
        pane: SP.pane("pins"),
        interactive: false,
        keyboard: false,
        icon: L.divIcon({ className: "sp-pin-holder", html: make("div", "sp-pin draft", "…"), iconSize: [0, 0] })
      }).addTo(layer);
    }
    layer.addTo(map);
  }
  function openCard(pin, k) {
    SP.openCard(
      pin.at,
      SP.card(
        k + 1 + " " + (pin.action || t("pin_remark")),
        ["id", "value", "why", "who", "date"].map(function (name) {
          return t("pin_" + name);
        }),
        [pin.id, pin.value, pin.why, pin.who, pin.date]
      )
    );
  }
  function show() {
    list.replaceChildren();
    pins.forEach(function (pin, k) {
      pin.number = k + 1;
      var row = make("li"),
        text = make("div"),
        edit = make("div", "sp-line");
      text.appendChild(
        make("b", "", (pin.action || t("pin_remark")) + (pin.value && pin.id ? t("colon") + pin.value : ""))
      );
      text.appendChild(make("small", "", placeText(pin)));
      if (pin.why) {
        text.appendChild(make("p", "", pin.why));
      }
      text.appendChild(make("small", "", [pin.who, pin.date].filter(Boolean).join(" · ")));
      if (pin.at) {
        edit.appendChild(
          SP.button("sp-plain", t("pin_show"), function () {
            SP.flyTo(pin.at, 15);
            openCard(pin, k);
          })
        );
      }
      edit.appendChild(
        SP.button("sp-plain", t("pin_change"), function () {
          open(pin);
        })
      );
      edit.appendChild(
        SP.button("sp-plain sp-delete", t("pin_delete"), function () {
          pins.splice(k, 1);
          touch(pin);
          close();
          show();
        })
      );
      text.appendChild(edit);
      row.appendChild(make("div", "sp-pin", k + 1));
      row.appendChild(text);
      list.appendChild(row);
    });
    var of = numbers();
    count.textContent = pins.length
      ? t("pin_count", of.decisions, of.remarks) + (unsaved(of) ? t("pin_unsaved") : "")
      : t("pin_none");
    SP.byId("sp-export").disabled = !of.decisions;
    SP.byId("sp-export-remarks").disabled = !of.remarks;
    drawPins();
  }

  var file = make("input");
  Object.assign(file, { type: "file", accept: ".csv,text/csv", id: "sp-import", hidden: true });
  file.addEventListener("change", function () {
    var chosen = file.files[0];
    if (!chosen) {
      return;
    }
    var reader = new FileReader();
    reader.addEventListener("load", function () {
      SP.readPins(reader.result);
    });
    reader.readAsArrayBuffer(chosen);
    file.value = "";
  });
  var put = SP.button("sp-main", t("pin_add"), function () {
    SP.comment();
  });
  buttons.appendChild(put);
  [
    ["sp-export", "pin_export", true],
    ["sp-export-remarks", "pin_export_remarks", false]
  ].forEach(function (one) {
    buttons.appendChild(
      SP.button("", t(one[1]), function () {
        SP.writePins(one[2]);
      })
    );
    buttons.lastChild.id = one[0];
  });
  buttons.appendChild(
    SP.button("", t("pin_import"), function () {
      file.click();
    })
  );
  [buttons, file, count, form, list, make("p", "sp-meaning", t("pin_hint"))].forEach(function (part) {
    box.appendChild(part);
  });
  form.hidden = true;

  SP.comment = function () {
    if (!SP.enter("pin")) {
      return;
    }
    SP.openTab("pins");
    SP.openTool("pin", t("tool_pin"), [make("p", "sp-hint", t("pin_how"))]);
  };
  SP.hear("mode", function () {
    put.classList.toggle("on", SP.mode === "pin");
  });
  SP.hear("comment", function (site) {
    map.closePopup();
    SP.leave();
    open({ id: site.id, name: site.name || site.title, at: site.at });
  });
  SP.hear("sited", function (site) {
    if (SP.mode === "pin") {
      SP.tell("comment", SP.commentedSite(site));
    }
  });
  SP.hear("clicked", function (e) {
    if (SP.mode === "pin") {
      var site = SP.siteUnder(e.containerPoint);
      if (site && site.id) {
        SP.tell("comment", site);
        return;
      }
      SP.leave();
      open({ id: "", at: [e.latlng.lat, e.latlng.lng] });
    } else if (SP.mode === "pick") {
      SP.mode = "";
      busy();
      form.elements.value.value = e.latlng.lng.toFixed(6) + "," + e.latlng.lat.toFixed(6);
    }
  });
  window.addEventListener("beforeunload", function (e) {
    if (!unsaved(numbers())) {
      return;
    }
    e.preventDefault();
    e.returnValue = "";
  });
  show();
})(SP);
