// Figures whose numbers lie beside them as JSON are drawn by Plotly: to zoom into, to point at, to click.
// Without a script, on paper, or where this fails, the same numbers are the SVG that the server drew.
"use strict";
(() => {
  const HINT = "Arrow keys go from mark to mark, Enter opens.";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touched = matchMedia("(pointer: coarse)");

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["paper", "ink", "soft", "faint", "blue", "orange"]
      .map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };

  // Plotly reads a few tags and entities in labels: what is said is text.
  const plain = (said) => said.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  const label = (mark) => mark.said.map(plain).join("<br>");

  const axis = (c, more) => ({
    color: c.soft, gridcolor: c.faint, linecolor: c.soft, zeroline: false, tickfont: { color: c.soft }, ...more,
  });

  function layout(plot, c, height, more) {
    return {
      height, autosize: true, showlegend: false, dragmode: touched.matches ? false : "zoom", hovermode: "closest",
      hoverdistance: 30, margin: { l: 48, r: 14, t: 34, b: 44 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: c.ink },
      hoverlabel: { bgcolor: c.paper, bordercolor: c.soft, align: "left", namelength: 0,
        font: { color: c.ink, size: 12.5, family: getComputedStyle(document.body).fontFamily } },
      modebar: { bgcolor: "transparent", color: c.soft, activecolor: c.ink },
      ...more,
      annotations: [
        { text: plain(plot.title), xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom",
          xshift: -44, yshift: 8, showarrow: false, font: { color: c.soft } },
        ...(more.annotations ?? []),
      ],
    };
  }

  function steps(plot, c, height) {
    const points = plot.points, at = points.map((p) => p.step), value = points.map((p) => p.value);
    const apart = (a, b) => (a === null || b === null ? 0 : Math.max(0, a - b)); // no bar where an end is unknown
    const marks = {
      type: "scatter", mode: "lines+markers", x: at, y: value, connectgaps: false, cliponaxis: false,
      line: { color: c.blue, width: 1.5 }, opacity: 1, hoverinfo: "text", hovertext: points.map(label),
      marker: {
        size: points.length > 60 ? 6 : 8, opacity: 1, color: points.map((p) => (p.filled ? c.blue : c.paper)),
        line: { color: c.blue, width: 1.5 },
      },
      error_y: {
        type: "data", symmetric: false, width: 0, thickness: 1.5, color: c.blue,
        array: points.map((p) => apart(p.low === null ? null : p.high, p.value)),
        arrayminus: points.map((p) => apart(p.high === null ? null : p.value, p.low)),
      },
    };
    const drawn = [...band(points, plot.span, c), marks];
    const best = points.filter((p) => p.best).map((p) => ({
      text: "<b>best</b>", x: p.step, y: p.high ?? p.value, showarrow: false, yanchor: "bottom", font: { color: c.ink },
    }));
    const edge = 0.03 * (plot.span[1] - plot.span[0]) || 0.5, shapes = [], said = [];
    if (plot.level) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: plot.level.at, y1: plot.level.at,
        line: { color: c.orange, width: 1.25, dash: "5px,3px" } });
      said.push({ text: plain(plot.level.label), xref: "paper", x: 1, y: plot.level.at, xanchor: "right",
        yanchor: "bottom", showarrow: false, font: { color: c.orange } });
    }
    return [drawn, layout(plot, c, height, {
      xaxis: axis(c, { range: [plot.span[0] - edge, plot.span[1] + edge], tickformat: ",~f", showgrid: false,
        ticks: "outside", showline: true, title: { text: plot.below, standoff: 8, font: { color: c.soft, size: 12 } } }),
      yaxis: axis(c, { range: plot.ends, tickformat: plot.signed ? "+~f" : "~f",
        labelalias: { "+0": "0" }, zeroline: plot.signed,
        zerolinecolor: c.soft }),
      shapes, annotations: [...best, ...said],
    })];
  }

  // One polygon for each stretch of steps at which the band is known; one step alone still has a width.
  function band(points, span, c) {
    const stretches = [[]];
    for (const p of points) {
      if (p.band_low === null || p.band_high === null) stretches.push([]);
      else stretches.at(-1).push(p);
    }
    const x = [], y = [];
    for (const stretch of stretches.filter((s) => s.length)) {
      const half = stretch.length === 1 ? 0.012 * (span[1] - span[0]) || 0.2 : 0;
      const sides = half ? [-half, half] : [0];
      const upper = stretch.flatMap((p) => sides.map((s) => [p.step + s, p.band_high]));
      const lower = stretch.flatMap((p) => sides.map((s) => [p.step + s, p.band_low])).reverse();
      for (const [a, b] of [...upper, ...lower, upper[0], [null, null]]) { x.push(a); y.push(b); }
    }
    if (!x.length) return [];
    return [{ type: "scatter", mode: "lines", x, y, fill: "toself", fillcolor: faded(c.blue), line: { width: 0 },
      hoverinfo: "skip" }];
  }

  const faded = (hex) => `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},0.16)`;

  function bins(plot, c, height) {
    const points = plot.points;
    return [[{
      type: "bar", x: points.map((p) => (p.low + p.high) / 2), y: points.map((p) => p.n),
      width: points.map((p) => 0.92 * (p.high - p.low)), marker: { color: c.blue }, hoverinfo: "text",
      hovertext: points.map(label),
    }], layout(plot, c, height, {
      xaxis: axis(c, { range: plot.span, tickformat: "~f", showgrid: false, ticks: "outside", showline: true,
        title: { text: plot.below, standoff: 8, font: { color: c.soft, size: 12 } } }),
      yaxis: axis(c, { rangemode: "tozero", tickformat: ",~f", fixedrange: true }),
    })];
  }

  const KINDS = { steps, bins };
  const BUTTONS = [["zoomIn2d", "zoomOut2d", "resetScale2d"]];

  async function draw(figure) {
    const plot = JSON.parse(figure.querySelector("script").textContent), static_ = figure.querySelector("svg");
    const box = document.createElement("div"), words = document.createElement("p");
    box.className = "plot";
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `${plot.described} ${HINT}`);
    words.className = "unseen";
    words.setAttribute("aria-live", "polite");
    const height = Math.max(250, Math.min(360, static_.getBoundingClientRect().height));
    const many = plot.points.length > 40;
    figure.classList.toggle("many", many);
    static_.before(box, words);
    const config = { responsive: true, displaylogo: false, displayModeBar: true, modeBarButtons: BUTTONS,
      doubleClick: "reset", showTips: false };
    const show = () => Plotly.react(box, ...KINDS[plot.kind](plot, colours(), height), config);
    await show();
    figure.classList.add("plotted"); // hides the picture
    dark.addEventListener("change", show);
    follow(box, plot, words);
    box.on("plotly_relayout", (change) => together(figure, box, change));
  }

  function follow(box, plot, words) {
    const number = box.data.length - 1; // of the trace with the marks
    const places = plot.points.map((p, i) => i).filter((i) => (plot.points[i].value ?? plot.points[i].n ?? null) !== null);
    let at = -1, tapped = -1, when = 0;
    const open = (i) => { const href = plot.points[i]?.href; if (href) location.assign(href); };
    const tell = (i) => { words.textContent = plot.points[i].said.join(", "); };
    const cursor = (look) => { box.querySelector(".nsewdrag").style.cursor = look; };
    box.on("plotly_hover", ({ points }) => cursor(plot.points[points[0].pointNumber]?.href ? "pointer" : ""));
    box.on("plotly_unhover", () => cursor(""));
    box.on("plotly_click", ({ points }) => {
      const i = points[0].pointNumber, now = performance.now(), again = tapped === i;
      if (!touched.matches) return open(i);
      if (again && now - when < 400) return; // one tap is told as a touch and as a click
      if (again) return open(i);
      tapped = i; // a finger cannot point without clicking: its first tap tells, the second opens
      when = now;
      Plotly.Fx.hover(box, [{ curveNumber: number, pointNumber: i }]);
      tell(i);
    });
    box.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) {
        event.preventDefault();
        at = Math.max(0, Math.min(places.length - 1, at < 0 && by < 0 ? places.length - 1 : at + by));
        Plotly.Fx.hover(box, [{ curveNumber: number, pointNumber: places[at] }]);
        tell(places[at]);
      } else if (event.key === "Enter" && at >= 0) open(places[at]);
      else if (event.key === "Escape") { Plotly.Fx.unhover(box); at = -1; }
    });
    box.addEventListener("blur", () => Plotly.Fx.unhover(box));
  }

  // Levels and differences of one task are looked at step by step: what is zoomed in one is zoomed in the other.
  function together(figure, box, change) {
    if (!Object.keys(change).some((name) => name.startsWith("xaxis"))) return;
    const [from, to] = box.layout.xaxis.range;
    for (const other of figure.parentElement.querySelectorAll(".plot")) {
      const range = other !== box && other.layout.xaxis.range;
      if (range && (range[0] !== from || range[1] !== to)) Plotly.relayout(other, { "xaxis.range": [from, to] });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const figure of document.querySelectorAll("figure[data-plot]")) draw(figure);
  });
})();
