// Keyboard and mathematics; everything else is links and forms.
"use strict";

// `$x$` is a formula and "$5 and $3" is money: no space inside of the dollars, no digit behind them, one line.
function delimited(text) {
  return text.replace(/\$\$[^]+?\$\$|\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<!\s)\$(?![\d$])/g,
    (whole, inside) => inside === undefined || !balanced(inside) ? whole : `\\(${inside}\\)`);
}

function balanced(formula) {
  const braces = formula.replace(/\\[{}]/g, "");
  return braces.split("{").length === braces.split("}").length;
}

function maths(root) {
  if (!window.renderMathInElement) return;
  for (const element of root.querySelectorAll(".maths")) {
    if (element.childElementCount) continue; // set already
    element.textContent = delimited(element.textContent);
    renderMathInElement(element, {
      delimiters: [
        { left: "$$", right: "$$", display: true }, { left: "\\[", right: "\\]", display: true },
        { left: "\\(", right: "\\)", display: false },
      ],
      throwOnError: false, errorColor: "inherit", strict: "ignore", trust: false, maxExpand: 100, maxSize: 20,
    });
  }
}

function move(by) {
  const items = [...document.querySelectorAll("article.item")];
  if (!items.length) return;
  const at = items.indexOf(document.activeElement.closest("article.item"));
  const next = items[Math.max(0, Math.min(items.length - 1, at < 0 ? 0 : at + by))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "o") document.activeElement.closest("article.item")?.querySelector("h3 a")?.click();
  else if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
  }
});

document.addEventListener("DOMContentLoaded", () => maths(document));
document.addEventListener("htmx:afterSwap", () => maths(document));
