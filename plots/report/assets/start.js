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
      const link = links.get(entry.target.id);
      link.setAttribute("aria-current", "true");
      nav.scrollLeft = link.offsetLeft - nav.clientWidth / 2;
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
