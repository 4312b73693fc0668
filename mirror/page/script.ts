/**
 * Of every page, and no page needs it: what only it can make work is hidden until it runs. Search and filters of the
 * list, the buttons that copy, and the mirror's address where the page itself knows it best.
 */
export const script = `
"use strict";
for (const place of document.querySelectorAll("[data-root]")) {
  const root = new URL(place.dataset.root, location.href);
  if (root.protocol !== "https:" && root.protocol !== "http:") continue;
  place.textContent = root.href.replace(/[/]$/, "");
  for (const advice of document.querySelectorAll(".advice")) advice.hidden = true;
}
for (const button of document.querySelectorAll(".copy button")) {
  const pre = button.parentElement.querySelector("pre");
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(pre.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(pre);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = label; }, 2500);
  });
}
const search = document.querySelector(".search");
if (search) {
  const count = document.querySelector(".count");
  const items = [...document.querySelectorAll(".images > li")];
  const apply = () => {
    const { text, family, arch } = search.elements;
    const words = text.value.toLowerCase().split(/\\s+/);
    let shown = 0;
    for (const item of items) {
      const { search: content, family: itsFamily, arch: itsArch } = item.dataset;
      item.hidden = !(words.every((word) => content.includes(word)) && ["", itsFamily].includes(family.value) &&
        ["", itsArch].includes(arch.value));
      if (!item.hidden) shown += 1;
    }
    count.textContent = shown === items.length ? count.dataset.all : shown === 0 ? "No image matches." :
      shown + " of " + items.length + (items.length === 1 ? " image" : " images");
  };
  search.hidden = false;
  search.addEventListener("input", apply);
  search.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
`;
