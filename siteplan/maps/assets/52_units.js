/* Control-plan units: an entry of the layers, off at the start; the pointer meets their border only. */
(function (SP) {
  "use strict";
  var t = SP.t,
    units = SP.layersOf.units,
    blue = "#1d4ed8";
  if (!units || !units.items.length) {
    return;
  }
  SP.on.units = false;
  var place = SP.entries.findIndex(function (entry) {
    return entry.group === "base";
  });
  SP.entries.splice(place < 0 ? SP.entries.length : place, 0, {
    id: "units",
    group: "base",
    title: t("layer_units"),
    steady: true,
    make: SP.build.areas(
      "units",
      "units",
      function () {
        return { color: blue, weight: 1.4, dashArray: "6 4", opacity: 0.9, fill: false };
      },
      function (item) {
        return { text: item.title, colour: blue, order: 4 };
      }
    ),
    count: function () {
      return t("count_areas", units.items.length);
    },
    legend: function () {
      return [[SP.swatch("line", "", blue, { "stroke-dasharray": "6 4" }), t("units_means")]];
    }
  });
})(SP);
