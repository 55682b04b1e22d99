function (what, args) {
  var norm = function (s) { return (s || "").replace(/[\s\u00a0\u202f]+/g, " ").replace(/\u2019/g, "'").trim(); };
  var seen = function (e) { return e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden"; };
  // The best of several elements by name: the whole name, then its beginning, then any part of it.
  var best = function (all, name, of) {
    name = norm(name).toLowerCase();
    var is = [function (s) { return s === name; }, function (s) { return s.indexOf(name) === 0; }, function (s) { return s.indexOf(name) >= 0; }];
    for (var i = 0; i < is.length; i++) {
      for (var j = 0; j < all.length; j++) if (is[i](norm(of(all[j])).toLowerCase())) return all[j];
    }
    return null;
  };
  var list = function (selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); };
  var actions = function (root) { return list("a[href], button, summary, input[type=submit]", root).filter(seen); };
  var called = function (e) { return e.getAttribute("aria-label") || e.textContent || e.value; };
  var group = function (legend) {
    return legend ? best(list("fieldset").filter(seen), legend, function (f) { var l = f.querySelector("legend"); return l && l.textContent; }) : document;
  };
  var labelled = function (root, label, selector) {
    var labels = list("label", root).filter(function (l) { return l.control && l.control.matches(selector) && (seen(l.control) || seen(l)); });
    var l = best(labels, label, function (l) { return l.textContent; });
    return l && l.control;
  };
  var texts = "input:not([type=radio]):not([type=checkbox]):not([type=hidden]), textarea";
  var e = null, root;
  if (what === "action") e = best(actions(), args[0], called);
  if (what === "button") e = best(list("button, input[type=submit]").filter(seen), args[0], called);
  if (what === "actionIn") {
    var holders = list("tr, li, article, section, .panel, .card, .notice").filter(function (h) {
      return seen(h) && norm(h.textContent).toLowerCase().indexOf(norm(args[0]).toLowerCase()) >= 0 && best(actions(h), args[1], called);
    });
    holders.sort(function (a, b) { return a.textContent.length - b.textContent.length; });
    if (holders.length) e = best(actions(holders[0]), args[1], called);
  }
  if (what === "field") e = labelled(document, args[0], texts);
  if (what === "file") e = labelled(document, args[0], "input[type=file]");
  if (what === "fieldIn") { root = group(args[0]); e = root && labelled(root, args[1], texts); }
  if (what === "box") { root = group(args[0]); e = root && labelled(root, args[1], "input[type=radio], input[type=checkbox]"); }
  if (what === "pick") {
    e = labelled(document, args[0], "select");
    if (e) {
      var o = best(Array.prototype.slice.call(e.options), args[1], function (o) { return o.textContent; });
      if (!o || o.disabled) return { Problem: "has no such option, only " + Array.prototype.map.call(e.options, function (o) { return norm(o.textContent); }).join(" | ") };
      e.value = o.value;
      e.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
  if (!e) {
    var names = /^(action|button)/.test(what) ? actions().map(called) : list("legend, label").map(function (l) { return l.textContent; });
    return { Problem: "not on the page, only: " + names.map(norm).join(" | ") };
  }
  if (e.disabled) return { Problem: "cannot be used: it is disabled" };
  window.__found = e;
  e.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
  // A box that the style hides is clicked by its label.
  var target = e.matches("input[type=radio], input[type=checkbox]") && e.labels.length && seen(e.labels[0]) ? e.labels[0] : e;
  var r = (target.getClientRects()[0] || e.getBoundingClientRect());
  var x = r.left + r.width / 2, y = r.top + r.height / 2;
  var top = document.elementFromPoint(x, y);
  if (!top) return { Problem: "lies outside the window" };
  if (what !== "pick" && top !== target && !target.contains(top) && !top.contains(target) && !(e.labels && Array.prototype.some.call(e.labels, function (l) { return l.contains(top); }))) {
    return { Problem: "is covered by <" + top.tagName.toLowerCase() + " class=" + top.className + ">" };
  }
  return { X: x, Y: y, Problem: "" };
}
