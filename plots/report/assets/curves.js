// Training curves: the line that is nearest tells itself; a key shows its lines alone.
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
