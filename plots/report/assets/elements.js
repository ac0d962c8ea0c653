"use strict";
// The page is whole without this: it adds order, filters, pages, the heat map and single cells.

const PAGE = 25;
const PRINTED = 2000;
const byNumber = new Intl.Collator("en", { numeric: true });
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 5 });

function el(name, properties = {}, ...children) {
  const { data, style, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(style ?? {})) made.style.setProperty(key, value);
  made.append(...children.filter((child) => child != null));
  return made;
}

function attributes(element, values) {
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  return element;
}

function read(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function cellLink(cell) {
  return el("a", { href: `#cell=${cell}`, className: "cell" }, cell);
}
