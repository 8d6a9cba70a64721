/* The divider: left of it what stands now, right of it what is planned. */
(function (SP) {
  "use strict";
  var t = SP.t,
    map = SP.map,
    view = SP.view,
    share = 0.5;
  var bar = SP.make("div", "sp-divider"),
    grip = SP.make("div", "sp-grip");
  bar.hidden = true;
  grip.tabIndex = 0;
  [
    ["role", "slider"],
    ["aria-orientation", "horizontal"],
    ["aria-valuemin", 0],
    ["aria-valuemax", 100],
    ["aria-label", t("swipe_label")]
  ].forEach(function (pair) {
    grip.setAttribute(pair[0], pair[1]);
  });
  grip.appendChild(SP.icon("M9 6 L3 12 L9 18 M15 6 L21 12 L15 18"));
  bar.appendChild(SP.make("span", "sp-left", t("state_before")));
  bar.appendChild(SP.make("span", "sp-right", t("state_after")));
  bar.appendChild(grip);
  map.getContainer().appendChild(bar);
  L.DomEvent.disableClickPropagation(bar);

  function clip(pane) {
    if (!view.swipe || !pane.state) {
      pane.node.style.clipPath = "";
      return;
    }
    var size = map.getSize(),
      x = size.x * share;
    var a = map.containerPointToLayerPoint([pane.state === "before" ? -9 : x, -9]);
    var b = map.containerPointToLayerPoint([pane.state === "before" ? x : size.x + 9, size.y + 9]);
    pane.node.style.clipPath =
      "polygon(" +
      [
        [a.x, a.y],
        [b.x, a.y],
        [b.x, b.y],
        [a.x, b.y]
      ]
        .map(function (p) {
          return p[0] + "px " + p[1] + "px";
        })
        .join(",") +
      ")";
  }
  function clipAll() {
    Object.keys(SP.panes).forEach(function (id) {
      clip(SP.panes[id]);
    });
  }
  function place() {
    bar.hidden = !view.swipe;
    bar.style.left = share * 100 + "%";
    grip.setAttribute("aria-valuenow", Math.round(share * 100));
    clipAll();
  }
  SP.swipeTo = function (to) {
    share = Math.max(0.02, Math.min(0.98, to));
    place();
  };
  SP.hear("pane", clip);
  SP.hear("refreshed", place);
  map.on("move zoom zoomend viewreset resize", function () {
    if (view.swipe) {
      clipAll();
    }
  });
  grip.addEventListener("pointerdown", function (e) {
    grip.setPointerCapture(e.pointerId);
    e.preventDefault();
    grip.focus();
  });
  grip.addEventListener("pointermove", function (e) {
    if (!grip.hasPointerCapture(e.pointerId)) {
      return;
    }
    var box = map.getContainer().getBoundingClientRect();
    SP.swipeTo((e.clientX - box.left) / box.width);
  });
  grip.addEventListener("keydown", function (e) {
    var step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[e.key];
    if (!step) {
      return;
    }
    SP.swipeTo(share + step);
    e.preventDefault();
    e.stopPropagation();
  });
})(SP);
