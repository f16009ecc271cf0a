// The view of a convolution: what it shows, forward and backward, of what is followed.

const conv = {
  direction: "forward", preset: "", weights: [], size: 3, stride: 1, padding: 0, dilation: 1,
  upstream: "pixel", cells: "gradient", scattered: Infinity,
  // What is pointed at: an output pixel, a pixel of the image, or a number of the kernel.
  followed: { what: "output", at: 0 },
  chosen: 0, // the output pixel that was pointed at last
};

const ownKernel = () => conv.preset === "";

function presetKernel(name, size) {
  return DATA.kernels.find((kernel) => kernel.name === name && kernel.size === size);
}

// Everything that the view shows, computed from the settings.
function computeConvolution() {
  const side = DATA.image.side, image = DATA.image.values;
  const g = geometry(side, conv.size, conv.stride, conv.padding, conv.dilation);
  if (g.out < 1) return { g, fits: false };
  const chosen = Math.min(conv.chosen, g.count - 1);
  const cols = im2col(image, g), out = product(conv.weights, cols, g);
  const gradient = gradientFromAbove(conv.upstream, g, chosen, DATA.upstream);
  const colsGradient = columnsGradient(conv.weights, gradient, g);
  const many = Math.min(conv.scattered, g.count);
  return {
    g, fits: true, image, chosen, cols, out, gradient, colsGradient, many,
    back: col2im(colsGradient, g, many), kernelGradient: weightGradient(gradient, cols, g),
    seen: Array.from({ length: g.count }, (_, l) => taps(g, l)),
  };
}

const place = (index, side) => `(${Math.floor(index / side)}, ${index % side})`;
const backward = () => conv.direction === "backward";

function renderConvolution() {
  const shown = computeConvolution(), { g } = shown;
  const view = byId("view-convolution");
  view.dataset.direction = conv.direction;
  byId("unfit").hidden = shown.fits;
  byId("bench").hidden = !shown.fits;
  for (const one of view.querySelectorAll(".backward-only")) one.hidden = !backward();
  renderKernelInputs();
  if (!shown.fits) {
    const spread = conv.dilation * (conv.size - 1) + 1, padded = g.side + 2 * conv.padding;
    byId("unfit").textContent = `The window covers ${spread} × ${spread} pixels but the padded `
      + `image has only ${padded} × ${padded}: nothing comes out. Choose a smaller kernel or `
      + "dilation, or more padding.";
    return;
  }
  const at = conv.followed.at;
  if (conv.followed.what === "output") conv.followed.at = Math.min(at, g.count - 1);
  if (conv.followed.what === "weight" && at >= g.area) conv.followed = { what: "output", at: 0 };
  renderScattered(shown);
  renderImage(shown);
  renderKernelGradient(shown);
  renderOutput(shown);
  renderSum(shown);
  renderMatrices(shown);
  renderAgreement(shown);
}

// The pixels of the image that what is followed has to do with, each with the kernel's number.
function metPixels({ g, seen }) {
  const { what, at } = conv.followed, met = new Map();
  if (what === "output") for (const tap of seen[at]) met.set(`${tap.y},${tap.x}`, tap);
  if (what === "weight") for (const window of seen) met.set(`${window[at].y},${window[at].x}`, {});
  return met;
}

// The windows that see a pixel: [window, number of the kernel].
function windowsOf(pixel, { seen }) {
  const found = [];
  seen.forEach((window, l) => window.forEach((tap, r) => {
    if (tap.pixel === pixel) found.push([l, r]);
  }));
  return found;
}

function renderImage(shown) {
  const { g, back, many } = shown, side = g.side + 2 * g.padding;
  const { what, at } = conv.followed, met = metPixels(shown);
  const counts = backward() && conv.cells === "count";
  const ring = g.padding === 0 ? "no padding" : g.padding === 1 ? "1 ring of zeros"
    : `${g.padding} rings of zeros`;
  byId("image-title").textContent = backward() ? "Gradient of the image" : "Image";
  byId("image-says").textContent = !backward() ? `${g.side} × ${g.side}, ${ring}`
    : `${many} of ${g.count} windows added${counts ? "" : "; in a corner: how many at a pixel"}`;
  const l = what === "output" ? at : -1;
  grids.image.show({
    side, before: g.padding, after: g.padding, kind: backward() ? (counts ? "count" : "signed") : "grey",
    current: what === "pixel"
      ? (Math.floor(at / g.side) + g.padding) * side + (at % g.side) + g.padding : -1,
    frame: l < 0 ? null : {
      y: Math.floor(l / g.out) * g.stride, x: (l % g.out) * g.stride,
      side: g.dilation * (g.size - 1) + 1,
    },
    describe: (row, column) => {
      const y = row - g.padding, x = column - g.padding;
      const tap = met.get(`${y},${x}`), mark = tap ? "met" : "";
      const weight = tap?.u === undefined || backward() ? "" : conv.weights[tap.u * g.size + tap.v];
      const times = weight === "" ? "" : `×${brief(weight)}`;
      const inside = y >= 0 && x >= 0 && y < g.side && x < g.side;
      if (!inside) return { value: 0, padding: true, mark, corner: times, words: "padding, 0" };
      const pixel = y * g.side + x, added = back.added[pixel];
      if (!backward()) {
        const value = shown.image[pixel];
        return { value, mark, corner: times, words: `pixel (${y}, ${x}): ${full(value)}` };
      }
      const words = `gradient of pixel (${y}, ${x}): ${full(back.image[pixel])}, `
        + `from ${added} windows`;
      if (counts) return { value: added, mark, words };
      return { value: back.image[pixel], mark, corner: String(added), words };
    },
  });
}

function renderOutput(shown) {
  const { g, out, gradient } = shown, { what, at } = conv.followed;
  const size = `${g.out} × ${g.out}`;
  byId("output-title").textContent = backward() ? "Gradient from above" : "Output";
  byId("output-says").textContent = `${size}: orange above 0, blue below`;
  const met = new Set(what === "pixel" ? windowsOf(at, shown).map(([l]) => l) : []);
  const values = backward() ? gradient : out;
  grids.output.show({
    side: g.out, kind: "signed", current: what === "output" ? at : -1,
    describe: (i, j) => {
      const l = i * g.out + j, name = backward() ? "gradient of output" : "output";
      return {
        value: values[l], mark: met.has(l) ? "met" : "",
        words: `${name} (${i}, ${j}): ${full(values[l])}`,
      };
    },
  });
}

function renderKernelGradient({ g, kernelGradient }) {
  if (!backward()) return;
  const { what, at } = conv.followed;
  grids.kernel.show({
    side: g.size, kind: "signed", current: what === "weight" ? at : -1,
    describe: (u, v) => {
      const value = kernelGradient[u * g.size + v];
      return { value, words: `gradient of kernel number (${u}, ${v}): ${full(value)}` };
    },
  });
}

function renderScattered({ g, many }) {
  const slider = byId("scattered");
  slider.max = g.count;
  slider.value = many;
  slider.setAttribute("aria-valuetext", `${many} of ${g.count} windows added`);
  byId("scattered-count").textContent = `${many} of ${g.count}`;
}

// Inputs for the kernel's numbers: built when its size changes, filled when its numbers do.
function renderKernelInputs() {
  const host = byId("kernel-grid");
  host.style.setProperty("--side", conv.size);
  if (host.children.length !== conv.size ** 2) {
    host.replaceChildren(...conv.weights.map((_, r) => {
      const u = Math.floor(r / conv.size), v = r % conv.size;
      const input = element("input", {
        type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false",
        "aria-label": `kernel, row ${u}, column ${v}`, "aria-describedby": "kernel-says kernel-error",
      });
      input.addEventListener("input", () => editWeight(r, input));
      input.addEventListener("focus", () => followConvolution("weight", r));
      input.addEventListener("blur", () => renderKernelInputs());
      return input;
    }));
  }
  [...host.children].forEach((input, r) => {
    input.dataset.value = conv.weights[r];
    input.dataset.followed = conv.followed.what === "weight" && conv.followed.at === r;
    if (document.activeElement === input) return;
    input.value = full(conv.weights[r]);
    input.removeAttribute("aria-invalid");
  });
  const invalid = host.querySelector("[aria-invalid]");
  if (!invalid) byId("kernel-error").textContent = "";
  byId("preset").value = conv.preset;
  byId("preset-says").textContent = ownKernel()
    ? "Your own numbers." : `${capital(presetKernel(conv.preset, conv.size).says)}.`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const LARGEST_WEIGHT = 1000;

function editWeight(r, input) {
  const text = input.value.trim().replace("−", "-").replace(",", ".");
  const value = text === "" ? NaN : Number(text);
  if (!(Math.abs(value) <= LARGEST_WEIGHT)) {
    input.setAttribute("aria-invalid", "true");
    byId("kernel-error").textContent = `A number from −${LARGEST_WEIGHT} to ${LARGEST_WEIGHT} is `
      + "needed here; the one before stays.";
    return;
  }
  input.removeAttribute("aria-invalid");
  conv.weights = conv.weights.map((weight, n) => (n === r ? value : weight));
  const same = DATA.kernels.find((kernel) => kernel.size === conv.size
    && kernel.values.every((weight, n) => weight === conv.weights[n]));
  conv.preset = same ? same.name : "";
  followConvolution("weight", r);
}

// The difference of what is shown to what the engine gave for it, if it was asked.
function renderAgreement(shown) {
  const { g, out, kernelGradient, gradient } = shown, pairs = [];
  const dilation = g.size === 1 ? 1 : g.dilation;
  const found = ownKernel() ? null : DATA.convolutions.find((one) => {
    const kernel = DATA.kernels[one.kernel], [stride, padding, spread] = one.setting;
    return kernel.name === conv.preset && kernel.size === g.size && stride === g.stride
      && padding === g.padding && spread === dilation;
  });
  if (found) pairs.push(["output", out, found.out]);
  const asked = conv.upstream !== "pixel" || shown.chosen === middle(g);
  const backs = found && asked ? found[conv.upstream] : undefined;
  if (backward() && backs) {
    const whole = col2im(columnsGradient(conv.weights, gradient, g), g).image;
    pairs.push(["gradient of the image", whole, backs.image]);
    pairs.push(["gradient of the kernel", kernelGradient, backs.kernel]);
  }
  showAgreement("convolution-agreement", pairs, "This kernel is yours: the page computes it alone, "
    + "as it did all that was compared with the engine above.",
  backward() && !backs ? " The gradients the page computes alone here, as it did those it compared." : "");
}
