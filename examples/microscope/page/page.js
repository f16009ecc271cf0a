// Puts the page together: settings, tabs, theme; then checks it against the engine.

const DATA = JSON.parse(byId("data").textContent);
const grids = {}, matrices = {};
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

function followConvolution(what, at) {
  conv.followed = { what, at };
  if (what === "output") conv.chosen = at;
  renderConvolution();
}

function setConvolution(name, value) {
  conv[name] = value;
  if (name !== "cells") conv.scattered = Infinity;
  renderConvolution();
}

// A kernel of another size: the same one if it comes in that size, else the one to start with.
function setKernel(name, size) {
  const kernel = presetKernel(name, size) ?? presetKernel(DATA.start, size)
    ?? DATA.kernels.find((one) => one.size === size);
  Object.assign(conv, { preset: kernel.name, size, weights: [...kernel.values] });
  conv.scattered = Infinity;
  fillPresets();
  renderConvolution();
}

function fillPresets() {
  const kernels = DATA.kernels.filter((kernel) => kernel.size === conv.size);
  byId("preset").replaceChildren(
    ...kernels.map(({ name, title }) => element("option", { value: name }, title)),
    element("option", { value: "", disabled: "" }, "edited"),
  );
}

function buildConvolution() {
  const fixed = (name, values) => choices(
    name, values, conv[name], (value) => setConvolution(name, value),
  );
  fixed("direction", [["forward", "Forward"], ["backward", "Backward"]]);
  choices("size", plainly(DATA.limits.size), conv.size, (size) => setKernel(conv.preset, size));
  for (const name of ["stride", "padding", "dilation"]) fixed(name, plainly(DATA.limits[name]));
  fixed("upstream", UPSTREAM);
  fixed("cells", [["gradient", "sum"], ["count", "count"]]);
  byId("preset").addEventListener("change", (event) => setKernel(event.target.value, conv.size));
  byId("scattered").addEventListener("input", (event) => {
    conv.scattered = Number(event.target.value);
    renderConvolution();
  });
  byId("play").addEventListener("click", play);
  reducedMotion.addEventListener("change", offerPlay);
  offerPlay();
  const side = DATA.image.side;
  const inside = (index, before, after) => {
    const wide = side + before + after;
    return (Math.floor(index / wide) - before) * side + (index % wide) - before;
  };
  grids.image = new Grid(byId("image-grid"), "Image", "image-says",
    (n) => followConvolution("pixel", inside(n, conv.padding, conv.padding)));
  grids.output = new Grid(byId("output-grid"), "Output", "output-says",
    (n) => followConvolution("output", n));
  grids.kernel = new Grid(byId("kernel-gradient-grid"), "Gradient of the kernel",
    "kernel-gradient-says", (n) => followConvolution("weight", n));
  const follow = (column) => followConvolution("output", column);
  matrices.columns = new Matrix(byId("columns-matrix"), "Column", "matrices-says", follow);
  matrices.gradient = new Matrix(
    byId("gradient-matrix"), "Column of the gradient", "matrices-says", follow,
  );
  grids.poolImage = new Grid(byId("pool-image-grid"), "Image", "pool-image-says", (n) => {
    const { before, after } = margins(computePool().g);
    followPool("pixel", inside(n, before, after));
  });
  grids.poolOutput = new Grid(byId("pool-output-grid"), "Output", "pool-output-says",
    (n) => followPool("output", n));
}

const UPSTREAM = [["pixel", "one pixel"], ["ones", "all ones"], ["random", "random"]];

function buildPool() {
  const fixed = (option, name, values) => choices(option, values, pool[name], (value) => {
    pool[name] = value;
    renderPool();
  });
  fixed("pool-size", "size", plainly(DATA.pool_limits.size));
  fixed("pool-stride", "stride", plainly(DATA.pool_limits.stride));
  fixed("pool-padding", "padding", plainly(DATA.pool_limits.padding));
  fixed("pool-ceil", "ceilMode", [[false, "off"], [true, "on"]]);
  fixed("pool-upstream", "upstream", UPSTREAM);
  fixed("pool-cells", "cells", [["image", "image"], ["gradient", "gradient"], ["wins", "wins"]]);
}

// Let the windows come one after another, but for those who want no motion.
let playing = null;

function play() {
  const stop = () => {
    clearInterval(playing);
    playing = null;
    byId("play").textContent = "Play";
  };
  if (playing) { stop(); return; }
  const { count } = computeConvolution().g;
  conv.scattered = 0;
  byId("play").textContent = "Stop";
  renderConvolution();
  playing = setInterval(() => {
    conv.scattered += 1;
    if (conv.scattered >= count || !backward()) stop();
    renderConvolution();
  }, Math.max(30, 4000 / count));
}

function offerPlay() {
  byId("play").disabled = reducedMotion.matches;
  byId("play-says").textContent = reducedMotion.matches
    ? "Play is off, as your system asks for less motion." : "Play does it for you.";
}

// Tabs as they should be: one place in the order of Tab, arrow keys between them.
function buildTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const render = { convolution: renderConvolution, pool: renderPool, inception: renderInception };
  const open = (tab) => {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    render[tab.id.replace("tab-", "")]();
  };
  tabs.forEach((tab, n) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: n - 1, ArrowRight: n + 1, Home: 0, End: tabs.length - 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      open(next);
    });
  });
  open(tabs[0]);
}

function redraw() {
  colours = null;
  for (const matrix of Object.values(matrices)) matrix.draw();
}

function buildTheme() {
  const themes = [["auto", "auto"], ["light", "light"], ["dark", "dark"]];
  choices("theme", themes, "auto", (theme) => {
    document.documentElement.dataset.theme = theme;
    redraw();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function start() {
  document.body.append(element("span", { id: "probe", hidden: "" }));
  buildTheme();
  buildConvolution();
  buildPool();
  buildInception();
  // Something to look at: a window half on the boot.
  const side = outputSize(DATA.image.side, 3, 1, 0, 1);
  conv.followed.at = conv.chosen = 3 * side + 3;
  pool.followed.at = pool.chosen = 15;
  const first = DATA.kernels.find((kernel) => kernel.name === DATA.start && kernel.size === 3)
    ?? DATA.kernels.find((kernel) => kernel.name === DATA.start);
  Object.assign(module, { widths: { ...DATA.inception[module.stage].widths } });
  choices("stage", Object.keys(DATA.inception).map((name) => [name, name]), module.stage, setStage);
  byId("restore").addEventListener("click", () => setStage(module.stage));
  document.querySelector(`[name=size][value="${first.size}"]`).checked = true;
  Object.assign(conv, { preset: first.name, size: first.size, weights: [...first.values] });
  fillPresets();
  buildTabs();
  showComparison(compareEverything());
}

start();
