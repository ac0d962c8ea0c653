// A single cell, in a dialog of its own: wherever its id stands, it is a link here.
function pairs(entries) {
  return el("dl", {}, ...entries.filter(([, value]) => value != null && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function cellDialog() {
  const dialog = document.getElementById("cell");
  const known = read("cells-data");
  const text = (place) => known.texts[place];
  function artifact([role, key]) {
    const [stage, state, revision, finished, seconds] = known.stages[key];
    const folder = `artifacts/${text(stage)}/${key.split("-").at(-1).slice(0, 2)}/${key}`;
    const made = finished === undefined ? "" : `, ${text(finished).slice(0, 16).replace("T", " ")} UTC, `
      + `${grouped.format(seconds)} s, program ${text(revision).slice(0, 12)}`;
    return [text(role), el("span", {}, el("code", {}, folder), el("br"), el("small", {}, text(state) + made))];
  }
  function fill(id) {
    const cell = known.cells[id];
    const [number, blocks, seed, state, note] = cell.about;
    const settings = known.keys.map((key, place) => [key, cell.settings[place]])
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, el("code", {}, text(value))]);
    const commands = Object.entries(known.commands)
      .map(([name, call]) => [name, el("code", {}, call.replace("CELL", id))]);
    dialog.replaceChildren(
      el("button", { type: "button", className: "close", onclick: () => dialog.close() }, "Close"),
      el("h2", { id: "cell-title" }, id),
      pairs([["number", String(number)], ["blocks", text(blocks)], ["seed", String(seed)], ["state", text(state)], ["note", text(note)]]),
      el("h3", {}, "What tells it from other cells"),
      pairs(settings),
      el("h3", {}, "Its artifacts, in the store"),
      pairs(cell.stages.map(artifact)),
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
