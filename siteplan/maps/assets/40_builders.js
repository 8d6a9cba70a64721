/* Builders: each gives a Leaflet layer for a state ("before", "after", or "" for what is the same in both). */
(function (SP) {
  "use strict";
  var t = SP.t,
    layersOf = SP.layersOf,
    map = SP.map,
    build = {};
  var contextCanvas = L.canvas({ pane: SP.pane("context"), padding: 0.3 });
  var MOST_MARKERS = 600;
  SP.build = build;
  SP.labelsOf = function (layer) {
    return layer.spLabels || [];
  };
  SP.numberedOf = function (layer) {
    return layer.spNumbered || [];
  };

  build.picture = function (name, opacity) {
    return function () {
      var found = SP.data.pictures[name];
      return L.imageOverlay(found.uri, found.bounds, { pane: SP.pane(name), opacity: opacity, alt: "" });
    };
  };
  build.gained = function (state) {
    var found = SP.data.pictures.gained;
    return L.imageOverlay(found.uri, found.bounds, { pane: SP.pane("gained", state), opacity: 0.9, alt: "" });
  };
  SP.coverPicture = function (state) {
    return SP.data.pictures[SP.view.cover === "signal" ? state : SP.view.cover + "_" + state];
  };
  build.cover = function (state) {
    var found = SP.coverPicture(state);
    return L.imageOverlay(found.uri, found.bounds, {
      pane: SP.pane("signal", state),
      opacity: SP.view.opacity,
      alt: ""
    });
  };
  build.outlines = function (shapes, pane, style) {
    return function () {
      return L.geoJSON(
        {
          type: "FeatureCollection",
          features: shapes.map(function (shape) {
            return { type: "Feature", properties: {}, geometry: shape };
          })
        },
        {
          pane: SP.pane(pane),
          interactive: false,
          renderer: pane === "context" ? contextCanvas : undefined,
          style: style,
          pointToLayer: function (f, at) {
            return L.circleMarker(at, { radius: 2, pane: SP.pane(pane) });
          }
        }
      );
    };
  };
  function addLabel(group, item, look, state) {
    if (!item.at) {
      return;
    }
    var text = SP.make("div", "sp-label " + (look.kind || ""), look.text);
    text.style.color = look.colour || "";
    L.marker(item.at, {
      pane: SP.pane("labels", state),
      interactive: false,
      keyboard: false,
      icon: L.divIcon({ className: "sp-label-holder", html: text, iconSize: [0, 0] })
    }).addTo(group);
    group.spLabels = group.spLabels || [];
    group.spLabels.push({ node: text, at: L.latLng(item.at), order: look.order, state: state || "" });
  }
  SP.centreOf = function (item) {
    if (item.at) {
      return L.latLng(item.at);
    }
    return L.geoJSON({ type: "Feature", properties: {}, geometry: item.shape }).getBounds().getCenter();
  };
  /* an area: what it is comes with the pointer; a click keeps it open */
  function describe(path, layer, item, sticky) {
    path.bindTooltip(
      function () {
        return SP.card(item.title, layer.fields, item.values);
      },
      { sticky: sticky, opacity: 1 }
    );
    path.on("click", function () {
      SP.pointed = { layer: layer, item: item };
    });
  }
  build.areas = function (name, pane, style, labelled) {
    return function (state) {
      var layer = layersOf[name],
        group = L.featureGroup(),
        order = ["pass", "not_assessable", "fail"];
      layer.items
        .slice()
        .sort(function (a, b) {
          return order.indexOf(a[state]) - order.indexOf(b[state]);
        })
        .forEach(function (item) {
          var shape = L.geoJSON(item.shape, {
            pane: SP.pane(item.faint ? "land" : pane, state),
            style: function () {
              return style(item, state);
            },
            pointToLayer: function (f, at) {
              return L.circleMarker(at, Object.assign({ pane: SP.pane(pane, state) }, style(item, state)));
            }
          });
          describe(shape, layer, item, true);
          shape.addTo(group);
          var look = labelled ? labelled(item, state) : null;
          if (look) {
            addLabel(group, item, look, state);
          }
        });
      return group;
    };
  };
  build.points = function (name, style) {
    return function (state) {
      var layer = layersOf[name],
        group = L.featureGroup();
      layer.items.forEach(function (item) {
        var dot = L.circleMarker(item.at, Object.assign({ pane: SP.pane("points", state) }, style(item)));
        describe(dot, layer, item, false);
        dot.addTo(group);
      });
      return group;
    };
  };
  build.towns = function (towns) {
    return function () {
      var shapes = towns.map(function (one) {
        return one.shape;
      });
      var group = L.featureGroup([
        build.outlines(shapes, "context", { color: "#4a5563", weight: 1.4, dashArray: "2 4", fill: false })()
      ]);
      towns.forEach(function (one) {
        addLabel(group, one, { text: one.title, kind: "town", order: 4 });
      });
      return group;
    };
  };
  function pointsOf(name, options) {
    var p = SP.packed(name),
      layer = new SP.Points(SP.pointSource(p.count, p.lat, p.lon, p.tier), options);
    layer.spOpen = function (i) {
      SP.openPacked(name, i);
    };
    layer.spSite = function (i) {
      return SP.packedSite(name, i);
    };
    return layer;
  }
  build.candidates = function () {
    return pointsOf("candidates", {
      pane: SP.pane("candidates"),
      gather: true,
      symbol: function (tier) {
        return SP.disc(4.5, SP.tierColour(tier), "#3a0022", 0.9);
      },
      bubble: { colour: SP.tierColour }
    });
  };
  build.refused = function () {
    return pointsOf("refused", {
      pane: SP.pane("candidates"),
      gather: true,
      shift: 32,
      symbol: function () {
        return SP.disc(3.6, "#7b8490", "#333", 1.3, "square");
      },
      bubble: {
        square: true,
        colour: function () {
          return "#5f6b78";
        }
      }
    });
  };
  build.poles = function () {
    return pointsOf("poles", {
      pane: SP.pane("candidates"),
      gather: true,
      shift: 48,
      symbol: function () {
        return SP.disc(2.6, "#fef3c7", "#92400e", 1.2);
      },
      bubble: {
        colour: function () {
          return "#b45309";
        }
      }
    });
  };
  build.existing = function () {
    var ticks = layersOf.existing.ticks || [];
    return pointsOf("existing", {
      pane: SP.pane("existing"),
      gather: SP.countOf("existing") > 2000,
      shift: 16,
      symbol: function () {
        return SP.disc(4, SP.DARK, "#fff", 1.2);
      },
      bubble: {
        colour: function () {
          return SP.DARK;
        }
      },
      below: function (context, project, zoom) {
        var length = zoom >= 15 ? 24 : zoom >= 13 ? 15 : 10;
        if (ticks.length > 6000 && zoom < 14) {
          return;
        }
        context.fillStyle = "rgba(29,38,48,.75)";
        context.strokeStyle = "#fff";
        context.lineWidth = 0.6;
        ticks.forEach(function (tick) {
          var from = project([tick[0], tick[1]]);
          context.beginPath();
          context.moveTo(from.x, from.y);
          [-25, 0, 25].forEach(function (turn) {
            var angle = ((tick[2] + turn) * Math.PI) / 180;
            context.lineTo(from.x + length * Math.sin(angle), from.y - length * Math.cos(angle));
          });
          context.closePath();
          context.fill();
          context.stroke();
        });
      }
    });
  };
  build.proposed = function (state) {
    var sites = SP.proposedNow(),
      group = L.featureGroup();
    if (sites.length > MOST_MARKERS) {
      return manyProposed(sites, state);
    }
    group.spNumbered = [];
    sites.forEach(function (site) {
      var marker = L.marker(site.at, {
        zIndexOffset: 1000 - site.no,
        riseOnHover: true,
        title: site.no + " " + site.title,
        pane: SP.pane("proposed", state),
        icon: L.divIcon({ className: "sp-site", html: SP.chip(site), iconSize: [26, 26] })
      });
      marker.on("click", function (e) {
        if (SP.mode) {
          SP.tell("sited", site);
        } else {
          SP.openSite(site);
        }
        L.DomEvent.stop(e);
      });
      marker.on("keypress", function (e) {
        if (e.originalEvent.key === "Enter") {
          SP.openSite(site);
        }
      });
      marker.addTo(group);
      group.spNumbered.push({ marker: marker, site: site });
    });
    return group;
  };
  function manyProposed(sites, state) {
    var ranks = [],
      look = {},
      tier = new Uint8Array(sites.length);
    sites.forEach(function (site, i) {
      var key = site.tier + site.kind;
      if (!ranks.includes(key)) {
        ranks.push(key);
        look[ranks.length - 1] = site;
      }
      tier[i] = ranks.indexOf(key);
    });
    function colour(rank) {
      return SP.tierColour(look[rank].tier);
    }
    var layer = new SP.Points(
      SP.pointSource(
        sites.length,
        function (i) {
          return sites[i].at[0];
        },
        function (i) {
          return sites[i].at[1];
        },
        tier
      ),
      {
        pane: SP.pane("proposed", state),
        gather: true,
        shift: 48,
        symbol: function (rank) {
          return SP.disc(11, colour(rank), "#3a0022", 1.5, look[rank].kind === "micro" ? "square" : "");
        },
        bubble: { colour: colour },
        label: function (i) {
          return sites[i].no;
        },
        ink: function (rank) {
          return SP.inkOn(colour(rank));
        }
      }
    );
    layer.spOpen = function (i) {
      SP.openSite(sites[i]);
    };
    layer.spSite = function (i) {
      return SP.commentedSite(sites[i]);
    };
    layer.spSites = sites;
    return layer;
  }
  SP.commentedSite = function (site) {
    return { id: SP.siteId(site), title: site.title, at: site.at };
  };
  map.on("click", function (e) {
    var pointed = SP.pointed,
      found = null;
    SP.pointed = null;
    if (SP.mode) {
      SP.tell("clicked", e);
      return;
    }
    SP.pointLayers
      .slice()
      .reverse()
      .some(function (layer) {
        found = layer.hit(e.containerPoint, 11);
        if (!found) {
          return false;
        }
        if (found.number) {
          map.setView(found.at, Math.min(map.getZoom() + 2, 19));
        } else {
          layer.spOpen(found.i);
        }
        return true;
      });
    if (!found && pointed) {
      SP.openCard(e.latlng, SP.card(pointed.item.title, pointed.layer.fields, pointed.item.values));
    }
  });
  map.on("mousemove", function (e) {
    var over =
      !SP.mode &&
      SP.pointLayers.some(function (layer) {
        return layer.hit(e.containerPoint, 10);
      });
    map.getContainer().classList.toggle("sp-over", over);
  });
  /* on a narrow screen the card takes the place of the tools */
  map.on("popupopen popupclose", function (e) {
    map.getContainer().classList.toggle("sp-carded", e.type === "popupopen");
  });
  SP.siteUnder = function (place) {
    var best = null,
      nearest = 16;
    SP.proposedShown().forEach(function (site) {
      var away = map.latLngToContainerPoint(site.at).distanceTo(place);
      if (away < nearest) {
        nearest = away;
        best = SP.commentedSite(site);
      }
    });
    if (best) {
      return best;
    }
    SP.pointLayers.some(function (layer) {
      var found = layer.hit(place, 12);
      if (found && !found.number && layer.spSite) {
        best = layer.spSite(found.i);
      }
      return best;
    });
    return best;
  };
})(SP);
