/* Many points on one canvas: counted bubbles where they are dense, symbols where they are not; nothing made per point. */
(function (SP) {
  "use strict";
  var CELL = SP.CELL,
    SPARSE = 2.5,
    gather = SP.gatherPoints;

  SP.REST_MS = 150;
  /* what is seen, in the coordinates of layers */
  SP.viewIn = function (map) {
    var view = map.getPixelBounds(),
      origin = map.getPixelOrigin();
    return L.bounds(view.min.subtract(origin), view.max.subtract(origin));
  };
  /* lines and areas too: not drawn anew at every end of a move while what is drawn fills the view */
  var eventsOf = L.Renderer.prototype.getEvents;
  L.Renderer.include({
    getEvents: function () {
      return Object.assign(eventsOf.call(this), { moveend: this._settle });
    },
    _settle: function () {
      clearTimeout(this._resting);
      if (this._map.getZoom() !== this._zoom || !this._bounds.contains(SP.viewIn(this._map))) {
        this._update();
        return;
      }
      this._resting = setTimeout(
        function () {
          if (this._map && this._container) {
            this._update();
          }
        }.bind(this),
        SP.REST_MS
      );
    }
  });

  SP.Points = L.Layer.extend({
    /* source: SP.pointSource; options: pane, gather (bubbles where dense), shift, symbol(tier) -> {radius, draw(context)},
       bubble {colour(tier), square}, ranks [by tier: high ones lie on top], label(i) -> text on the symbol,
       below(context, project, zoom) draws first */
    initialize: function (source, options) {
      L.setOptions(this, options);
      this._source = source;
      this._sprites = {};
      this._cells = {};
      this.drawnMs = 0;
    },
    onAdd: function (map) {
      this._map = map;
      this._canvas = L.DomUtil.create("canvas", "sp-points leaflet-zoom-animated");
      this._canvas.style.pointerEvents = "none";
      map.getPane(this.options.pane).appendChild(this._canvas);
      SP.pointLayers.push(this);
      this._draw();
    },
    onRemove: function () {
      L.DomUtil.remove(this._canvas);
      SP.pointLayers.splice(SP.pointLayers.indexOf(this), 1);
      this._forget();
    },
    getEvents: function () {
      return {
        viewreset: this._draw,
        moveend: this._settle,
        resize: this._draw,
        move: this._follow,
        zoomanim: this._animate,
        zoom: function () {
          this._animate({ zoom: this._map.getZoom(), center: this._map.getCenter() });
        }
      };
    },
    getBounds: function () {
      var s = this._source,
        map = this._map || SP.map;
      return L.latLngBounds(
        [
          [s.north, s.west],
          [s.south, s.east]
        ].map(function (p) {
          return map.options.crs.pointToLatLng(L.point(p[1] * 256, p[0] * 256), 0);
        })
      );
    },
    mark: function (i) {
      this._marked = i;
      if (this._map) {
        this._draw();
      }
    },
    /* whether a zoom shows bubbles: where cells of 64 pixels hold more than a few points on the average */
    gathered: function (zoom) {
      if (!this.options.gather || this._source.count < 60) {
        return false;
      }
      if (this._single === undefined) {
        this._single = 20;
        for (var z = 6; z < 20; z += 1) {
          var cells = gather(this._source, 256 * Math.pow(2, z), 0);
          if (!cells || this._source.count / cells.filled <= SPARSE) {
            this._single = z;
            break;
          }
        }
      }
      return zoom < this._single;
    },
    _cellsAt: function (zoom) {
      var key = zoom.toFixed(2);
      if (!this._cells[key]) {
        if (Object.keys(this._cells).length > 12) {
          this._cells = {};
        }
        this._cells[key] = gather(this._source, 256 * Math.pow(2, zoom), this.options.shift || 0);
      }
      return this._cells[key];
    },
    _animate: function (e) {
      var scale = this._map.getZoomScale(e.zoom, this._zoom);
      L.DomUtil.setTransform(
        this._canvas,
        this._map._latLngBoundsToNewLayerBounds(this._bounds, e.zoom, e.center).min,
        scale
      );
    },
    _forget: function () {
      cancelAnimationFrame(this._waiting || 0);
      clearTimeout(this._resting);
      this._waiting = this._resting = 0;
    },
    /* the end of a move, which may be one of many: drawn at once at another zoom, else about the new middle once it rests */
    _settle: function () {
      if (this._map.getZoom() !== this._zoom) {
        this._draw();
        return;
      }
      clearTimeout(this._resting);
      this._resting = setTimeout(this._draw.bind(this), SP.REST_MS);
    },
    /* panning moves the canvas; it is drawn anew when the view leaves what is drawn */
    _follow: function () {
      if (this._map.getZoom() !== this._zoom || this._waiting) {
        return;
      }
      if (!L.bounds(this._corner, this._corner.add(this._size)).contains(SP.viewIn(this._map))) {
        this._waiting = requestAnimationFrame(
          function () {
            this._waiting = 0;
            if (this._map) {
              this._draw();
            }
          }.bind(this)
        );
      }
    },
    _draw: function () {
      var map = this._map,
        size = map.getSize(),
        margin = size.multiplyBy(0.25).round(),
        begin = performance.now();
      var ratio = Math.min(2, window.devicePixelRatio || 1),
        canvas = this._canvas;
      if (!size.x || !size.y) {
        return;
      }
      this._forget();
      this._size = size.add(margin.multiplyBy(2));
      this._corner = map.containerPointToLayerPoint(margin.multiplyBy(-1)).round();
      this._zoom = map.getZoom();
      this._bounds = L.latLngBounds(
        map.layerPointToLatLng(this._corner),
        map.layerPointToLatLng(this._corner.add(this._size))
      );
      if (canvas.width !== this._size.x * ratio || canvas.height !== this._size.y * ratio) {
        canvas.width = this._size.x * ratio;
        canvas.height = this._size.y * ratio;
        canvas.style.width = this._size.x + "px";
        canvas.style.height = this._size.y + "px";
      }
      L.DomUtil.setPosition(canvas, this._corner);
      canvas.style.transform = canvas.style.transform.replace(/ scale\(.*?\)/, "");
      var context = canvas.getContext("2d"),
        scale = 256 * Math.pow(2, this._zoom),
        from = map.getPixelOrigin().add(this._corner);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this._size.x, this._size.y);
      if (this.options.below) {
        this.options.below(
          context,
          function (at) {
            return map.latLngToLayerPoint(at).subtract(this._corner);
          }.bind(this),
          this._zoom
        );
      }
      if (this.gathered(this._zoom)) {
        this._drawBubbles(context, scale, from);
      } else {
        this._drawSymbols(context, scale, from, ratio);
      }
      if (this._marked !== undefined) {
        this._drawMark(context, scale, from);
      }
      this.drawnMs = performance.now() - begin;
    },
    /* bubbles stay inside their cells, so that none covers another */
    _bubbles: function (scale, from, size, see) {
      var cells = this._cellsAt(this._zoom),
        shift = this.options.shift || 0,
        room = CELL / 2 - 16;
      var c1 = Math.floor((from.x + size.x + shift) / CELL) - cells.c0,
        r1 = Math.floor((from.y + size.y + shift) / CELL) - cells.r0;
      for (
        var row = Math.max(0, Math.floor((from.y + shift) / CELL) - cells.r0);
        row <= Math.min(r1, cells.rows - 1);
        row += 1
      ) {
        for (
          var col = Math.max(0, Math.floor((from.x + shift) / CELL) - cells.c0);
          col <= Math.min(c1, cells.columns - 1);
          col += 1
        ) {
          var k = row * cells.columns + col,
            number = cells.number[k];
          if (!number) {
            continue;
          }
          if (number === 1) {
            see(
              this._source.x[cells.one[k]] * scale - from.x,
              this._source.y[cells.one[k]] * scale - from.y,
              1,
              cells.best[k],
              cells.one[k]
            );
            continue;
          }
          var cx = (col + cells.c0 + 0.5) * CELL - shift,
            cy = (row + cells.r0 + 0.5) * CELL - shift;
          see(
            Math.max(cx - room, Math.min(cx + room, (cells.sumX[k] / number) * scale)) - from.x,
            Math.max(cy - room, Math.min(cy + room, (cells.sumY[k] / number) * scale)) - from.y,
            number,
            cells.best[k]
          );
        }
      }
    },
    _drawBubbles: function (context, scale, from) {
      var bubble = this.options.bubble,
        layer = this,
        ratio = this._canvas.width / this._size.x;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineWidth = bubble.square ? 2 : 3.5;
      this._bubbles(scale, from, this._size, function (x, y, number, tier, i) {
        if (number === 1) {
          layer._drawSymbol(context, x, y, tier, i, ratio);
          return;
        }
        var r = number < 10 ? 11 : number < 100 ? 13 : 15,
          text = number < 10000 ? String(number) : Math.round(number / 1000) + "k";
        context.beginPath();
        if (bubble.square) {
          context.rect(x - r, y - r + 2, 2 * r, 2 * r - 4);
        } else {
          context.arc(x, y, r, 0, 7);
        }
        context.fillStyle = "rgba(255,255,255,.92)";
        context.fill();
        context.strokeStyle = bubble.colour(tier);
        context.stroke();
        context.fillStyle = "#1d2630";
        context.font = (number < 1000 ? "700 12px" : "700 10.5px") + " Arial, sans-serif";
        context.fillText(text, x, y + 0.5);
      });
    },
    _sprite: function (tier, ratio) {
      var key = tier + "/" + ratio;
      if (!this._sprites[key]) {
        var look = this.options.symbol(tier),
          side = 2 * Math.ceil(look.radius + 2),
          canvas = document.createElement("canvas");
        canvas.width = canvas.height = side * ratio;
        var context = canvas.getContext("2d");
        context.setTransform(ratio, 0, 0, ratio, (side / 2) * ratio, (side / 2) * ratio);
        look.draw(context);
        this._sprites[key] = { canvas: canvas, side: side };
      }
      return this._sprites[key];
    },
    _drawSymbol: function (context, x, y, tier, i, ratio) {
      var sprite = this._sprite(tier, ratio);
      context.drawImage(sprite.canvas, x - sprite.side / 2, y - sprite.side / 2, sprite.side, sprite.side);
      if (!this.options.label) {
        return;
      }
      context.font = "700 11px Arial, sans-serif";
      context.fillStyle = this.options.ink(tier);
      context.fillText(this.options.label(i), x, y + 0.5);
    },
    /* those of low tiers, or of high ranks where the layer has ranks, lie on top */
    _drawSymbols: function (context, scale, from, ratio) {
      var source = this._source,
        ranks = this.options.ranks,
        pad = 16 / scale,
        seen = [];
      context.textAlign = "center";
      context.textBaseline = "middle";
      source.visit(
        from.x / scale - pad,
        from.y / scale - pad,
        (from.x + this._size.x) / scale + pad,
        (from.y + this._size.y) / scale + pad,
        function (i) {
          seen.push(i);
        }
      );
      seen.sort(function (a, b) {
        var one = source.tier[a],
          other = source.tier[b];
        return (ranks ? ranks[one] - ranks[other] : other - one) || a - b;
      });
      seen.forEach(function (i) {
        this._drawSymbol(
          context,
          source.x[i] * scale - from.x,
          source.y[i] * scale - from.y,
          source.tier[i],
          i,
          ratio
        );
      }, this);
    },
    _drawMark: function (context, scale, from) {
      var x = this._source.x[this._marked] * scale - from.x,
        y = this._source.y[this._marked] * scale - from.y;
      [
        ["#1d2630", 6],
        ["#ffd84d", 3.5]
      ].forEach(function (ring) {
        context.beginPath();
        context.arc(x, y, 11, 0, 7);
        context.strokeStyle = ring[0];
        context.lineWidth = ring[1];
        context.stroke();
      });
    },
    /* what lies under a place of the map's container: {i}, {at, number} of a bubble, or null */
    hit: function (place, reach) {
      if (!this._map) {
        return null;
      }
      var scale = 256 * Math.pow(2, this._zoom),
        from = this._map.getPixelOrigin().add(this._map.containerPointToLayerPoint(place));
      var found = null,
        nearest = reach || 10;
      if (this.gathered(this._zoom)) {
        var map = this._map,
          corner = from.subtract([CELL, CELL]),
          most = 17;
        this._bubbles(scale, corner, L.point(2 * CELL, 2 * CELL), function (x, y, number, tier, i) {
          var away = Math.hypot(x - CELL, y - CELL);
          if (away >= most || (number === 1 && away > nearest)) {
            return;
          }
          most = away;
          found = number === 1 ? { i: i, away: away } : { number: number, at: map.unproject(corner.add([x, y])) };
        });
        return found;
      }
      var source = this._source,
        x = from.x / scale,
        y = from.y / scale,
        r = nearest / scale;
      source.visit(x - r, y - r, x + r, y + r, function (i) {
        var away = Math.hypot(source.x[i] - x, source.y[i] - y) * scale;
        if (away <= nearest) {
          nearest = away;
          found = { i: i, away: away };
        }
      });
      return found;
    }
  });
  SP.pointLayers = [];
})(SP);
