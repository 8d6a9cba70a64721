/* Many points as arrays: an index of cells to find them by, and their numbers in cells of the screen. */
(function (SP) {
  "use strict";
  var CELL = 64,
    INDEX = 256,
    MOST_CELLS = 4e6;

  /* points in the unit square of web mercator, and an index of 256 x 256 cells */
  SP.pointSource = function (count, lat, lon, tier) {
    var x = new Float64Array(count),
      y = new Float64Array(count),
      west = 1,
      east = 0,
      north = 1,
      south = 0,
      i;
    for (i = 0; i < count; i += 1) {
      var s = Math.sin((lat(i) * Math.PI) / 180);
      x[i] = lon(i) / 360 + 0.5;
      y[i] = 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI);
      west = Math.min(west, x[i]);
      east = Math.max(east, x[i]);
      north = Math.min(north, y[i]);
      south = Math.max(south, y[i]);
    }
    var step = Math.max(east - west, south - north, 1e-9) / (INDEX - 0.001),
      start = new Int32Array(INDEX * INDEX + 1);
    var cell = new Int32Array(count),
      order = new Int32Array(count);
    for (i = 0; i < count; i += 1) {
      cell[i] = Math.floor((y[i] - north) / step) * INDEX + Math.floor((x[i] - west) / step);
      start[cell[i] + 1] += 1;
    }
    for (i = 0; i < INDEX * INDEX; i += 1) {
      start[i + 1] += start[i];
    }
    var next = start.slice();
    for (i = 0; i < count; i += 1) {
      order[next[cell[i]]] = i;
      next[cell[i]] += 1;
    }
    return {
      count: count,
      x: x,
      y: y,
      tier: tier,
      west: west,
      north: north,
      east: east,
      south: south,
      visit: function (x0, y0, x1, y1, see) {
        function clamp(v) {
          return Math.max(0, Math.min(INDEX - 1, Math.floor(v)));
        }
        if (x1 < west || x0 > east || y1 < north || y0 > south) {
          return;
        }
        var a = clamp((x0 - west) / step),
          b = clamp((x1 - west) / step);
        for (var row = clamp((y0 - north) / step), last = clamp((y1 - north) / step); row <= last; row += 1) {
          for (var k = start[row * INDEX + a], end = start[row * INDEX + b + 1]; k < end; k += 1) {
            see(order[k]);
          }
        }
      }
    };
  };

  /* points of a source in cells of 64 pixels of a scale: number, best tier and mean place of each; null if too many */
  SP.gatherPoints = function (source, scale, shift) {
    var c0 = Math.floor((source.west * scale + shift) / CELL),
      r0 = Math.floor((source.north * scale + shift) / CELL);
    var columns = Math.floor((source.east * scale + shift) / CELL) - c0 + 1;
    var rows = Math.floor((source.south * scale + shift) / CELL) - r0 + 1;
    if (columns * rows > MOST_CELLS) {
      return null;
    }
    var number = new Int32Array(columns * rows),
      one = new Int32Array(columns * rows),
      best = new Uint8Array(columns * rows).fill(255),
      filled = 0;
    var sumX = new Float64Array(columns * rows),
      sumY = new Float64Array(columns * rows);
    for (var i = 0; i < source.count; i += 1) {
      var k =
        (Math.floor((source.y[i] * scale + shift) / CELL) - r0) * columns +
        Math.floor((source.x[i] * scale + shift) / CELL) -
        c0;
      if (!number[k]) {
        filled += 1;
      }
      number[k] += 1;
      one[k] = i;
      sumX[k] += source.x[i];
      sumY[k] += source.y[i];
      if (source.tier[i] < best[k]) {
        best[k] = source.tier[i];
      }
    }
    return {
      c0: c0,
      r0: r0,
      columns: columns,
      rows: rows,
      number: number,
      one: one,
      best: best,
      sumX: sumX,
      sumY: sumY,
      filled: filled
    };
  };
  SP.CELL = CELL;
})(SP);
