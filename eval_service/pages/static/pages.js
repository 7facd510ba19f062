// Keyboard and mathematics; everything else is links and forms.
"use strict";

function maths(root) {
  if (!window.renderMathInElement) return;
  for (const element of root.querySelectorAll(".maths")) {
    renderMathInElement(element, {
      delimiters: [
        { left: "$$", right: "$$", display: true }, { left: "\\[", right: "\\]", display: true },
        { left: "\\(", right: "\\)", display: false }, { left: "$", right: "$", display: false },
      ],
      throwOnError: false, trust: false, maxExpand: 100, maxSize: 20,
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
