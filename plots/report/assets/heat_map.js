// The heat map: one block and one metric at a time.
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
  caption.firstChild.textContent = `${title}, block ${block.name}, mean over seeds`;
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
