/* Distances, areas and grid coordinates on the ellipsoid; and reading a place that somebody types. */
(function (SP) {
  "use strict";
  var t = SP.t,
    projection = SP.data.projection,
    RAD = Math.PI / 180;
  var A_M = projection ? projection.a_m : 6378137,
    F = 1 / (projection ? projection.rf : 298.257222101),
    E2 = F * (2 - F),
    E = Math.sqrt(E2);

  /* metres of the geodesic between two places: Vincenty 1975, inverse; NaN at nearly opposite ends of the earth */
  SP.distance = function (from, to) {
    if (from.lat === to.lat && from.lng === to.lng) {
      return 0;
    }
    var b = A_M * (1 - F),
      u1 = Math.atan((1 - F) * Math.tan(from.lat * RAD)),
      u2 = Math.atan((1 - F) * Math.tan(to.lat * RAD));
    var long = (to.lng - from.lng) * RAD,
      lambda = long,
      s1 = Math.sin(u1),
      c1 = Math.cos(u1),
      s2 = Math.sin(u2),
      c2 = Math.cos(u2);
    for (var turn = 0; turn < 100; turn += 1) {
      var sl = Math.sin(lambda),
        cl = Math.cos(lambda);
      var ss = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl),
        cs = s1 * s2 + c1 * c2 * cl,
        sigma = Math.atan2(ss, cs);
      var sa = (c1 * c2 * sl) / ss,
        ca2 = 1 - sa * sa,
        cm = ca2 ? cs - (2 * s1 * s2) / ca2 : 0;
      var c = (F / 16) * ca2 * (4 + F * (4 - 3 * ca2)),
        before = lambda;
      lambda = long + (1 - c) * F * sa * (sigma + c * ss * (cm + c * cs * (2 * cm * cm - 1)));
      if (Math.abs(lambda - before) < 1e-12) {
        var k = (ca2 * (A_M * A_M - b * b)) / (b * b),
          big = 1 + (k / 16384) * (4096 + k * (k * (320 - 175 * k) - 768));
        var small = (k / 1024) * (256 + k * (k * (74 - 47 * k) - 128));
        var rest =
          small *
          ss *
          (cm + (small / 4) * (cs * (2 * cm * cm - 1) - (small / 6) * cm * (4 * ss * ss - 3) * (4 * cm * cm - 3)));
        return b * big * (sigma - rest);
      }
    }
    return NaN;
  };
  /* square metres inside a ring: the sphere of the same surface, with authalic latitudes */
  function half(sine) {
    return sine / (1 - E2 * sine * sine) + Math.log((1 + E * sine) / (1 - E * sine)) / (2 * E);
  }
  SP.area = function (ring) {
    var whole = half(1),
      radius2 = ((A_M * A_M * (1 - E2)) / 2) * whole,
      sum = 0;
    var tans = ring.map(function (at) {
      return Math.tan(Math.asin(half(Math.sin(at.lat * RAD)) / whole) / 2);
    });
    ring.forEach(function (at, k) {
      var next = (k + 1) % ring.length,
        turn = (ring[next].lng - at.lng) * RAD;
      sum += 2 * Math.atan2(Math.tan(turn / 2) * (tans[k] + tans[next]), 1 + tans[k] * tans[next]);
    });
    return Math.abs(sum) * radius2;
  };

  /* Gauss-Krueger by Krueger's series to n^4 (Karney 2011, equations 35 and 36) */
  var n = F / (2 - F),
    RECT = (A_M / (1 + n)) * (1 + (n * n) / 4 + Math.pow(n, 4) / 64);
  var ALPHA = [
    n / 2 - (2 * n * n) / 3 + (5 * Math.pow(n, 3)) / 16 + (41 * Math.pow(n, 4)) / 180,
    (13 * n * n) / 48 - (3 * Math.pow(n, 3)) / 5 + (557 * Math.pow(n, 4)) / 1440,
    (61 * Math.pow(n, 3)) / 240 - (103 * Math.pow(n, 4)) / 140,
    (49561 * Math.pow(n, 4)) / 161280
  ];
  var BETA = [
    n / 2 - (2 * n * n) / 3 + (37 * Math.pow(n, 3)) / 96 - Math.pow(n, 4) / 360,
    (n * n) / 48 + Math.pow(n, 3) / 15 - (437 * Math.pow(n, 4)) / 1440,
    (17 * Math.pow(n, 3)) / 480 - (37 * Math.pow(n, 4)) / 840,
    (4397 * Math.pow(n, 4)) / 161280
  ];
  function scaled(p) {
    return (p.k0 === undefined ? 1 : p.k0) * RECT;
  }
  /* metres from the equator to the latitude of origin, mostly none */
  function origin(p) {
    return p.lat0_deg
      ? SP.toGrid(L.latLng(p.lat0_deg, p.lon0_deg), Object.assign({}, p, { lat0_deg: 0, false_northing_m: 0 })).north
      : 0;
  }
  SP.toGrid = function (at, p) {
    p = p || projection;
    var s = Math.sin(at.lat * RAD),
      long = (at.lng - p.lon0_deg) * RAD;
    var tau = Math.sinh(Math.atanh(s) - E * Math.atanh(E * s)),
      xi = Math.atan2(tau, Math.cos(long));
    var eta = Math.atanh(Math.sin(long) / Math.hypot(1, tau)),
      north = xi,
      east = eta;
    ALPHA.forEach(function (a, k) {
      north += a * Math.sin(2 * (k + 1) * xi) * Math.cosh(2 * (k + 1) * eta);
      east += a * Math.cos(2 * (k + 1) * xi) * Math.sinh(2 * (k + 1) * eta);
    });
    return { north: p.false_northing_m - origin(p) + scaled(p) * north, east: p.false_easting_m + scaled(p) * east };
  };
  SP.fromGrid = function (north, east, p) {
    p = p || projection;
    var xi0 = (north - p.false_northing_m + origin(p)) / scaled(p),
      eta0 = (east - p.false_easting_m) / scaled(p),
      xi = xi0,
      eta = eta0;
    BETA.forEach(function (b, k) {
      xi -= b * Math.sin(2 * (k + 1) * xi0) * Math.cosh(2 * (k + 1) * eta0);
      eta -= b * Math.cos(2 * (k + 1) * xi0) * Math.sinh(2 * (k + 1) * eta0);
    });
    var wanted = Math.sin(xi) / Math.hypot(Math.sinh(eta), Math.cos(xi)),
      tau = wanted;
    for (var turn = 0; turn < 6; turn += 1) {
      var root = Math.hypot(1, tau),
        sigma = Math.sinh(E * Math.atanh((E * tau) / root)),
        has = tau * Math.hypot(1, sigma) - sigma * root;
      tau += (((wanted - has) / Math.hypot(1, has)) * (1 + (1 - E2) * tau * tau)) / ((1 - E2) * root);
    }
    return L.latLng(Math.atan(tau) / RAD, p.lon0_deg + Math.atan2(Math.sinh(eta), Math.cos(xi)) / RAD);
  };
  SP.gridText = function (at) {
    if (!projection) {
      return "";
    }
    var p = SP.toGrid(at),
      step = SP.data.public ? SP.data.step_m || 100 : 0;
    function told(v) {
      return step ? String(Math.round(v / step) * step) : v.toFixed(1);
    }
    return "X " + told(p.north) + "  Y " + told(p.east);
  };

  /* a typed place: degrees (113.39, 22.51; 113°23′24″ 22°30′36″) or X north and Y east; null where it is none */
  /* read after white space is one blank each, and never of a long text: no pattern has two ways through blanks */
  var LONGEST = 80,
    NUMBER = "(-?\\d+(?:\\.\\d+)?)",
    UNIT = " ?(?:(?:°|度|米|m) ?)?[EeNn]?",
    DMS = "(\\d+) ?[°度] ?(?:(\\d+) ?[′分] ?)?(?:(\\d+(?:\\.\\d+)?) ?[″秒] ?)?[EeNn]?";
  var PAIR = new RegExp(
    "^\\D{0,6}?" + NUMBER + UNIT + "(?: ?[,;、] ?| )[^\\d-]{0,6}?" + NUMBER + UNIT + "$"
  );
  var PAIR_DMS = new RegExp("^\\D{0,6}?" + DMS + "[ ,;、]{0,3}[^\\d]{0,6}?" + DMS + "$");
  function degrees(found, k) {
    return Number(found[k]) + Number(found[k + 1] || 0) / 60 + Number(found[k + 2] || 0) / 3600;
  }
  function gridPlace(a, b) {
    var swapped = (b > a && b < 1e7) || a >= 1e7,
      north = swapped ? b : a,
      east = swapped ? a : b;
    if (!projection || north < 3e5 || north > 1e7 || east < 0) {
      return null;
    }
    var p = projection,
      zone = Math.floor(east / 1e6),
      own = Math.floor(p.false_easting_m / 1e6),
      note = p.name || "";
    if (zone && zone !== own) {
      var lon0 = zone >= 24 ? 3 * zone : 6 * zone - 3;
      if (zone < 13 || zone > 45) {
        return null;
      }
      p = Object.assign({}, p, { lon0_deg: lon0, false_easting_m: zone * 1e6 + 5e5 });
      note = t("place_zone", zone, lon0);
    } else if (!zone && own) {
      east += own * 1e6;
    }
    return { at: SP.fromGrid(north, east, p), note: note };
  }
  SP.readPlace = function (text) {
    var plain = String(text).slice(0, 10 * LONGEST + 1),
      found,
      a,
      b;
    plain = (plain.length > 10 * LONGEST ? "" : plain)
      .normalize("NFKC")
      .replace(/[’']/g, "′")
      .replace(/′′|[”"]/g, "″")
      .replace(/\s+/g, " ")
      .trim();
    if (!plain || plain.length > LONGEST) {
      return null;
    }
    found = PAIR_DMS.exec(plain);
    if (found) {
      a = degrees(found, 1);
      b = degrees(found, 4);
    } else {
      found = PAIR.exec(plain);
      if (!found) {
        return null;
      }
      a = Number(found[1]);
      b = Number(found[2]);
    }
    if (Math.abs(a) > 180 || Math.abs(b) > 180) {
      return gridPlace(a, b);
    }
    if (Math.abs(a) <= 90 && Math.abs(b) > 90) {
      return { at: L.latLng(a, b), note: t("place_swapped") };
    }
    return Math.abs(b) <= 90 ? { at: L.latLng(b, a), note: t("lonlat") } : null;
  };
})(SP);
