"use strict";
// The page is whole without this: it adds order, filters, pages, the heat map and single cells.

const PAGE = 50;
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

// Rows that stand in the page. A source says what a table has; where it comes from is its own.
class RowSource {
  constructor(table) {
    this.rows = [...table.tBodies[0].rows];
    this.count = this.rows.length;
    this.words = null;
  }
  text(row, column) {
    return this.rows[row].cells[column].textContent;
  }
  key(row, column) {
    const sort = this.rows[row].cells[column].dataset.v;
    if (sort === undefined) return this.text(row, column);
    return sort === "" ? null : Number(sort);
  }
  values(column) {
    return new Set(this.rows.map((_, row) => this.text(row, column)));
  }
  matcher(query) {
    this.words ??= this.rows.map((row) => row.textContent.toLowerCase());
    return (row) => this.words[row].includes(query);
  }
  picker(column, value) {
    return (row) => this.text(row, column) === value;
  }
  element(row) {
    return this.rows[row];
  }
}

// Rows that are data: each column is numbers, or places in a list of names.
class PackedSource {
  constructor(columns, headings) {
    this.columns = columns;
    this.headings = headings;
    this.count = columns[0].values.length;
    for (const column of columns.filter((each) => each.names)) {
      const order = column.names.map((_, place) => place);
      order.sort((a, b) => byNumber.compare(column.names[a], column.names[b]));
      column.rank = [];
      order.forEach((place, rank) => (column.rank[place] = rank));
    }
  }
  text(row, column) {
    const { names, values } = this.columns[column];
    if (names) return names[values[row]];
    return values[row] === null ? "–" : grouped.format(values[row]);
  }
  key(row, column) {
    const { rank, values } = this.columns[column];
    return rank ? rank[values[row]] : values[row];
  }
  values(column) {
    return this.columns[column].names ?? [];
  }
  matcher(query) {
    const found = this.columns.map(({ names }) => names?.map((name) => name.toLowerCase().includes(query)));
    return (row) => this.columns.some(({ values }, column) => found[column]?.[values[row]]);
  }
  picker(column, value) {
    const { names, values } = this.columns[column];
    const place = names.indexOf(value);
    return (row) => values[row] === place;
  }
  element(row) {
    const cells = this.columns.map((_, column) => {
      const text = this.text(row, column);
      const cell = this.headings[column].textContent === "cell" ? cellLink(text) : text;
      return el("td", { className: this.headings[column].className }, cell);
    });
    return el("tr", {}, ...cells);
  }
}

class DataTable {
  constructor(table) {
    this.table = table;
    this.headings = [...table.tHead.rows[0].cells];
    this.titles = this.headings.map((heading) => heading.textContent);
    this.source = table.dataset.source
      ? new PackedSource(read(table.dataset.source), this.headings)
      : new RowSource(table);
    this.picked = new Map();
    this.query = "";
    this.sorted = null;
    this.tools();
    this.headings.forEach((heading, column) => {
      const button = el("button", { type: "button", onclick: () => this.sort(column) });
      button.append(...heading.childNodes);
      heading.append(button);
    });
    this.update();
  }

  tools() {
    const place = document.querySelector(`.tools[data-for="${this.table.id}"]`);
    this.told = attributes(el("output"), { role: "status" });
    const search = el("input", { type: "search", oninput: () => {
      this.query = search.value.trim().toLowerCase();
      this.update();
    } });
    place.append(el("label", {}, "Find", search));
    this.headings.forEach((heading, column) => {
      const values = "pick" in heading.dataset ? [...this.source.values(column)] : [];
      if (values.length < 2 || values.length > 200) return;
      values.sort(byNumber.compare);
      const select = el("select", { onchange: () => {
        if (select.selectedIndex) this.picked.set(column, select.value);
        else this.picked.delete(column);
        this.update();
      } }, el("option", {}, "all"), ...values.map((value) => el("option", {}, value)));
      place.append(el("label", {}, this.titles[column], select));
    });
    const save = el("button", { type: "button", onclick: () => this.save() }, "Save as CSV");
    place.append(save, this.told);
    this.back = el("button", { type: "button", onclick: () => this.turn(-1) }, "Back");
    this.next = el("button", { type: "button", onclick: () => this.turn(1) }, "Next");
    this.where = el("span");
    this.pager = el("div", { className: "pager" }, this.back, this.next, this.where);
    this.table.closest(".scroll").after(this.pager);
  }

  sort(column) {
    const down = this.sorted?.column === column && !this.sorted.down;
    this.sorted = { column, down };
    this.headings.forEach((heading, each) => {
      if (each === column) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    this.update();
  }

  update() {
    const tests = [...this.picked].map(([column, value]) => this.source.picker(column, value));
    if (this.query) tests.push(this.source.matcher(this.query));
    const order = [];
    for (let row = 0; row < this.source.count; row++) {
      if (tests.every((test) => test(row))) order.push(row);
    }
    if (this.sorted) this.arrange(order);
    this.order = order;
    this.page = 0;
    const whole = this.source.count.toLocaleString("en");
    this.told.textContent = order.length === this.source.count
      ? `${whole} rows` : `${order.length.toLocaleString("en")} of ${whole} rows`;
    this.show();
  }

  // What has no value comes last, whichever way the others go.
  arrange(order) {
    const { column, down } = this.sorted;
    const keys = new Map(order.map((row) => [row, this.source.key(row, column)]));
    const sign = down ? -1 : 1;
    order.sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      if (one === null || other === null) return (one === null) - (other === null);
      if (typeof one === "number" && typeof other === "number") return sign * (one - other);
      return sign * byNumber.compare(one, other);
    });
  }

  turn(by) {
    this.page += by;
    this.show();
    this.table.closest(".table").scrollIntoView({ block: "nearest" });
  }

  show() {
    const start = this.page * PAGE;
    const rows = this.order.slice(start, start + PAGE).map((row) => this.source.element(row));
    this.table.tBodies[0].replaceChildren(...rows);
    this.pager.hidden = this.order.length <= PAGE;
    this.back.disabled = this.page === 0;
    this.next.disabled = start + PAGE >= this.order.length;
    this.where.textContent = `${start + 1} to ${start + rows.length}`;
  }

  save() {
    const quoted = (text) => `"${String(text ?? "").replaceAll('"', '""')}"`;
    const lines = [this.titles, ...this.order.map((row) => this.titles.map((_, column) => {
      const key = this.source.key(row, column);
      return typeof key === "number" && !this.source.columns?.[column].names
        ? key : this.source.text(row, column);
    }))];
    const text = lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
    const link = el("a", { download: `${this.table.id}.csv` });
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

function choice(title, names, change) {
  const options = names.map((name, place) => el("option", { value: place }, name));
  const select = el("select", { onchange: () => change(Number(select.value)) }, ...options);
  return el("label", {}, title, select);
}

function heatMap() {
  const table = document.getElementById("heat");
  if (!table) return;
  const map = read("heat-data");
  const shown = { block: 0, metric: 0 };
  const draw = () => drawHeat(table, map, map.blocks[shown.block], shown.metric);
  document.getElementById("heat-tools").append(
    choice("Show", map.metrics.map((metric) => metric.title), (place) => { shown.metric = place; draw(); }),
    choice("Block", map.blocks.map((block) => block.name), (place) => { shown.block = place; draw(); }),
  );
  draw();
}

function drawHeat(table, map, block, metric) {
  const { title, meaning, digits } = map.metrics[metric];
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const columns = map.languages.map((_, place) => place)
    .filter((place) => block.rows.some((row) => row.values[metric][place] !== null));
  const values = block.rows.flatMap((row) => columns.map((place) => row.values[metric][place]))
    .filter((value) => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const share = (value) => (low < 0 ? Math.abs(value) / largest : (value - low) / (high - low || 1));
  const caption = table.caption;
  caption.textContent = `${title}, block ${block.name}, mean over seeds`;
  const head = el("tr", {}, el("td"), ...columns.map((place) => {
    const { code, told } = map.languages[place];
    return attributes(el("th", { title: told }, code), { scope: "col", "aria-label": told });
  }));
  const rows = block.rows.map((row) => el("tr", {},
    attributes(el("th", {}, row.label), { scope: "row" }),
    ...columns.map((place) => {
      const value = row.values[metric][place];
      if (value === null) return el("td", {}, "–");
      const style = { "--heat": `${Math.round(50 * share(value))}%`, "--tone": value < 0 ? "var(--vermilion)" : "var(--blue)" };
      const text = el("span", { className: row.unseen[place] ? "unseen" : "" }, format.format(value));
      if (row.unseen[place]) text.title = "not trained on";
      return el("td", { style }, text);
    })));
  table.replaceChildren(caption, el("thead", {}, head), el("tbody", {}, ...rows));
  const colours = low < 0 ? "var(--vermilion), var(--card), var(--blue)" : "var(--card), var(--blue)";
  const unseen = block.rows.some((row) => columns.some((place) => row.unseen[place]));
  document.getElementById("heat-legend").replaceChildren(
    format.format(low < 0 ? -largest : low),
    el("i", { style: { background: `linear-gradient(90deg, ${colours})`, opacity: 0.6 } }),
    format.format(low < 0 ? largest : high),
    el("span", {}, [meaning, "languages by their text in CC-100, the largest first",
      unseen ? "dotted: not trained on" : ""].filter(Boolean).join(" · ")),
  );
}

function curve(figure) {
  const plot = figure.querySelector(".plot");
  const svg = plot.querySelector("svg");
  const tip = plot.querySelector(".tip");
  const paths = [...svg.querySelectorAll("[data-cell]")];
  const [width, height] = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];
  const [last, low, high] = ["last", "low", "high"].map((name) => Number(svg.dataset[name]));
  let lines = null;
  let pinned = null;

  function mark(wanted) {
    plot.classList.toggle("some", wanted !== null);
    for (const path of paths) path.classList.toggle("on", wanted !== null && wanted(path));
  }
  function rest() {
    tip.hidden = true;
    mark(pinned === null ? null : (path) => path.dataset.group === pinned);
  }
  function nearest(event) {
    lines ??= paths.map((path) => path.getAttribute("d").slice(1).split("L").map((pair) => pair.split(" ").map(Number)));
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    lines.forEach((points, index) => {
      if (pinned !== null && paths[index].dataset.group !== pinned) return;
      for (const [px, py] of points) {
        const away = ((px / width) * box.width - x) ** 2 + ((py / height) * box.height - y) ** 2;
        if (best === null || away < best.away) best = { away, index, px, py };
      }
    });
    return best;
  }
  svg.addEventListener("pointermove", (event) => requestAnimationFrame(() => {
    const best = nearest(event);
    if (best === null) return;
    const path = paths[best.index];
    mark((each) => each === path);
    const step = Math.round((best.px / width) * last).toLocaleString("en");
    const loss = (high - (best.py / height) * (high - low)).toFixed(2);
    tip.textContent = `${path.dataset.point}, ${path.dataset.cell}: ${loss} after ${step} updates`;
    tip.hidden = false;
    const left = Math.min(event.clientX - plot.getBoundingClientRect().left + 12, plot.clientWidth - tip.offsetWidth);
    Object.assign(tip.style, { left: `${Math.max(0, left)}px`, top: `${(best.py / height) * svg.clientHeight + 12}px` });
  }));
  svg.addEventListener("pointerleave", () => requestAnimationFrame(rest));
  svg.addEventListener("click", (event) => {
    const best = nearest(event);
    if (best !== null) location.hash = `cell=${paths[best.index].dataset.cell}`;
  });
  const keys = [...figure.querySelectorAll(".keys button")];
  for (const key of keys) {
    key.addEventListener("click", () => {
      pinned = pinned === key.dataset.group ? null : key.dataset.group;
      for (const each of keys) each.setAttribute("aria-pressed", each.dataset.group === pinned);
      rest();
    });
  }
}

function pairs(entries) {
  return el("dl", {}, ...entries.filter(([, value]) => value != null && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function cellDialog() {
  const dialog = document.getElementById("cell");
  const known = read("cells-data");
  function fill(id) {
    const cell = known.cells[id];
    const stages = cell.stages.map((name) => {
      const stage = known.stages[name];
      const made = stage.finished
        ? `${stage.state}, ${stage.finished.slice(0, 16).replace("T", " ")} UTC, ${grouped.format(stage.seconds)} s, program ${(stage.revision ?? "unknown").slice(0, 12)}`
        : stage.state;
      return [stage.role, el("span", {}, el("code", {}, stage.path), el("br"), el("small", {}, made))];
    });
    const commands = Object.entries(known.commands).map(([name, text]) => [name, el("code", {}, text.replace("CELL", id))]);
    dialog.replaceChildren(
      el("button", { type: "button", className: "close", onclick: () => dialog.close() }, "Close"),
      el("h2", { id: "cell-title" }, id),
      pairs([["number", String(cell.number)], ["blocks", cell.blocks], ["seed", String(cell.seed)], ["state", cell.state], ["note", cell.note]]),
      el("h3", {}, "What tells it from other cells"),
      pairs(Object.entries(cell.settings).map(([key, value]) => [key, el("code", {}, value)])),
      el("h3", {}, "Its artifacts, in the store"),
      pairs(stages),
      el("p", { className: "fine" }, `and ${cell.shared.toLocaleString("en")} stages of text that it shares with others`),
      el("h3", {}, "In a terminal"),
      pairs(commands),
    );
  }
  function follow() {
    const id = decodeURIComponent(location.hash).replace(/^#cell=/, "");
    if (!location.hash.startsWith("#cell=") || !Object.hasOwn(known.cells, id)) return;
    fill(id);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }
  dialog.addEventListener("close", () => history.replaceState(null, "", location.href.split("#")[0]));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  addEventListener("hashchange", follow);
  follow();
}

function navigation() {
  const nav = document.querySelector("nav");
  const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const button = el("button", { type: "button", onclick: () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
  } });
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  label();
  nav.append(button);
  const links = new Map([...nav.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}

navigation();
for (const table of document.querySelectorAll("table.data")) new DataTable(table);
heatMap();
for (const figure of document.querySelectorAll(".curve")) curve(figure);
cellDialog();
document.documentElement.dataset.ready = "true";
performance.mark("ready");
