// Turns the static pictures interactive; without it they stand as they are.
(function () {
  "use strict";
  document.querySelectorAll("figure[data-spec]").forEach(function (figure) {
    var source = document.getElementById(figure.dataset.spec);
    var place = document.createElement("div");
    place.className = "interactive";
    // One picture with one description, as the static one is.
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", source.dataset.title + " " + source.dataset.description);
    figure.appendChild(place);
    figure.classList.add("is-interactive");
    vegaEmbed(place, JSON.parse(source.textContent), {
      mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, ast: true
    }).then(function () {
      place.querySelectorAll("svg, svg *").forEach(function (one) {
        ["role", "aria-label", "aria-roledescription"].forEach(function (name) {
          one.removeAttribute(name);
        });
      });
      place.querySelectorAll("svg").forEach(function (one) { one.setAttribute("aria-hidden", "true"); });
    }).catch(function () {
      figure.classList.remove("is-interactive");
      place.remove();
    });
  });
})();
