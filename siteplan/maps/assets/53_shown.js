/* What is shown of the layers, for which state; labels that do not cover each other. */
(function (SP) {
  "use strict";
  var view = SP.view,
    map = SP.map;

  /* what is on the map now: key -> layer; layers that were built are kept */
  var built = {},
    shownNow = {};
  function wanted() {
    var out = {};
    SP.entries.forEach(function (entry) {
      if (!SP.shown(entry)) {
        return;
      }
      var states = entry.steady ? [""] : entry.after ? ["after"] : view.swipe ? ["before", "after"] : [view.state];
      states.forEach(function (state) {
        out[[entry.id, state, entry.key ? entry.key() : ""].join("|")] = [entry, state];
      });
    });
    return out;
  }
  SP.refresh = function () {
    var now = wanted();
    Object.keys(shownNow).forEach(function (key) {
      if (!now[key]) {
        map.removeLayer(shownNow[key]);
        delete shownNow[key];
      }
    });
    Object.keys(now).forEach(function (key) {
      if (shownNow[key]) {
        return;
      }
      built[key] = built[key] || now[key][0].make(now[key][1]);
      shownNow[key] = built[key].addTo(map);
    });
    SP.declutter();
    document.body.dataset.state = view.swipe ? "swipe" : view.state;
    SP.tell("refreshed");
  };
  SP.set = function (what) {
    Object.assign(view, what);
    SP.refresh();
  };
  SP.onMap = function (id) {
    return Object.keys(shownNow)
      .filter(function (key) {
        return key.split("|")[0] === id;
      })
      .map(function (key) {
        return shownNow[key];
      });
  };
  SP.proposedShown = function () {
    return SP.onMap("proposed").length ? SP.proposedNow() : [];
  };
  SP.fade = function (opacity) {
    view.opacity = opacity;
    Object.keys(built).forEach(function (key) {
      if (key.split("|")[0] === "signal") {
        built[key].setOpacity(opacity);
      }
    });
  };

  /* numbers of sites first, then labels in their order; each side of the divider by itself */
  SP.declutter = function () {
    var taken = { before: [], after: [] },
      labels = [];
    function free(box, state) {
      return (state ? [state] : ["before", "after"]).every(function (side) {
        return taken[side].every(function (o) {
          return box[2] < o[0] || box[0] > o[2] || box[3] < o[1] || box[1] > o[3];
        });
      });
    }
    function take(box, state) {
      (state ? [state] : ["before", "after"]).forEach(function (side) {
        taken[side].push(box);
      });
    }
    Object.keys(shownNow).forEach(function (key) {
      labels = labels.concat(SP.labelsOf(shownNow[key]));
      SP.numberedOf(shownNow[key]).forEach(function (n) {
        var p = map.latLngToLayerPoint(n.marker.getLatLng()),
          box = [p.x - 12, p.y - 12, p.x + 12, p.y + 12],
          fits = free(box, "after");
        if (n.marker._icon) {
          n.marker._icon.classList.toggle("small", !fits);
        }
        take(fits ? box : [p.x - 6, p.y - 6, p.x + 6, p.y + 6], "after");
      });
    });
    labels.sort(function (a, b) {
      return a.order - b.order;
    });
    var widths = labels.map(function (l) {
      return l.node.offsetWidth / 2 + 3;
    });
    labels.forEach(function (l, k) {
      var p = map.latLngToLayerPoint(l.at),
        w = widths[k],
        placed = false;
      [0, -20, 20, -36, 36].forEach(function (shift) {
        var box = [p.x - w, p.y + shift - 9, p.x + w, p.y + shift + 9];
        if (!placed && free(box, l.state)) {
          placed = true;
          take(box, l.state);
          l.node.style.marginTop = shift + "px";
        }
      });
      l.node.style.visibility = placed ? "visible" : "hidden";
    });
  };
})(SP);
