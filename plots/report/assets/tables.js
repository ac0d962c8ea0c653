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

// Rows that are data: each column is numbers, or runs of places in a list of names.
class PackedSource {
  constructor(columns, headings) {
    for (const column of columns) {
      column.values ??= column.runs.flatMap(([place, count]) => Array(count).fill(place));
    }
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
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.show());
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

  show(size = PAGE) {
    const start = this.page * size;
    const rows = this.order.slice(start, start + size).map((row) => this.source.element(row));
    this.table.tBodies[0].replaceChildren(...rows);
    this.pager.hidden = this.order.length <= PAGE;
    this.back.disabled = this.page === 0;
    this.next.disabled = start + size >= this.order.length;
    this.where.textContent = `${start + 1} to ${start + rows.length}`;
  }

  // On paper nothing turns pages: there all rows stand, of a table that paper can hold.
  print() {
    this.page = 0;
    this.show(Math.max(PAGE, Math.min(PRINTED, this.order.length)));
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
