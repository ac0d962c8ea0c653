// Run in the page by test_browser.py: what an eye, or a screen reader, would stumble over.

function rgba(text) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

const known = new Map();
function colour(text) {
  if (!known.has(text)) known.set(text, rgba(text));
  return known.get(text);
}

function over(top, below) {
  return [0, 1, 2].map((part) => top[part] * top[3] + below[part] * (1 - top[3])).concat(1);
}

// What lies behind an element's words: the backgrounds of all that it stands in.
function behind(element) {
  const own = colour(getComputedStyle(element).backgroundColor);
  if (own[3] === 1) return own;
  const parent = element.parentElement;
  return over(own, parent ? behind(parent) : [255, 255, 255, 1]);
}

function luminance([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Words of less than 4.5 : 1, or 3 : 1 where they are large (WCAG 2.2, 1.4.3).
function faintWords() {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!walk.currentNode.data.trim() || !box.width || !box.height || element.closest("script, style, option")) continue;
    if (element.disabled || element.closest("[disabled]")) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const words = over(colour(style.color), ground);
    const [light, dark] = [luminance(words), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${element.className} ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return found;
}

// What can be used and has no name, and what names a thing that is not there.
function nameless() {
  const found = [];
  for (const each of document.querySelectorAll("button, a, select, input, [role=group], [role=img], table, dialog, nav, section")) {
    const pointed = (each.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const label = each.getAttribute("aria-label") ?? "";
    const own = each.caption?.textContent ?? (each.matches("select, input") ? each.labels[0]?.textContent : each.textContent);
    const content = each.matches("[role=group], [role=img], nav, section, dialog") ? "" : own ?? "";
    if (each.id !== "cell" && !(pointed + label + content).trim()) found.push(each.outerHTML.slice(0, 120));
  }
  return found;
}

// What a finger cannot hit (WCAG 2.2, 2.5.8: 24 pixels; words in a line of text are exempt).
function smallTargets() {
  return [...document.querySelectorAll("button, select, input, nav a, .tiles a, summary")]
    .filter((each) => each.checkVisibility())
    .map((each) => [each.getBoundingClientRect(), each])
    .filter(([box]) => box.width < 24 || box.height < 23.5)
    .map(([box, each]) => `${box.width.toFixed(0)} x ${box.height.toFixed(0)} ${each.outerHTML.slice(0, 80)}`);
}

function tooWide() {
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
    .filter((each) => !each.closest(".scroll, nav, pre, svg"))
    .map((each) => each.outerHTML.slice(0, 120));
}
