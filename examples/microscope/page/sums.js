// The sum behind a number, written out term by term.

const MOST_TERMS = 25;

// factors: [[a, b, note]]; written as a · b, in rows of `across`, as a sum or each for itself.
function writeTerms(host, factors, across, apart) {
  host.style.setProperty("--across", across);
  host.dataset.across = across;
  host.replaceChildren(...factors.slice(0, MOST_TERMS).map(([a, b, note], n) => {
    const sign = n === 0 || apart ? "" : "+ ";
    const term = element("span", { class: "term" }, element("span", { class: "plus" }, sign),
      element("span", { class: "first" }, full(a)), " · ",
      element("span", { class: "second" }, inParentheses(b)));
    term.dataset.product = a * b;
    if (apart) term.append(` = ${full(a * b)}`);
    if (note) term.append(" ", element("small", {}, note));
    if (a * b === 0) term.classList.add("nothing");
    return term;
  }));
}

function renderSum(shown) {
  const { what } = conv.followed;
  const words = (backward() ? BACKWARD : FORWARD)[what](shown, conv.followed.at);
  byId("sum-head").textContent = words.head;
  writeTerms(byId("sum-terms"), words.factors ?? [], words.across ?? 3, words.apart);
  const total = byId("sum-total");
  total.textContent = words.total;
  if (words.value === undefined) delete total.dataset.value;
  else total.dataset.value = words.value;
}

const FORWARD = {
  output({ g, out, cols, seen }, l) {
    return {
      head: `Output ${place(l, g.out)}: what its window sees, times the kernel.`,
      factors: seen[l].map((tap, r) => [
        cols[r * g.count + l], conv.weights[r], tap.pixel < 0 ? "padding" : "",
      ]),
      across: g.size, value: out[l], total: `= ${full(out[l])}`,
    };
  },
  pixel(shown, pixel) {
    const { g, image } = shown, found = windowsOf(pixel, shown);
    return {
      head: `Pixel ${place(pixel, g.side)}, which is ${full(image[pixel])}, is seen by `
        + `${manyWindows(found.length)}: it stands in as many columns.`,
      factors: found.map(([l, r]) => [
        image[pixel], conv.weights[r], `to ${place(l, g.out)}`,
      ]),
      apart: true,
      total: found.length ? "What it adds to each of these outputs." : "No output depends on it.",
    };
  },
  weight({ g }, r) {
    return {
      head: `The kernel’s number ${place(r, g.size)}, which is ${full(conv.weights[r])}, meets one `
        + "pixel of every window: those marked in the image.",
      total: `In the matrix they are row ${r} of the columns.`,
    };
  },
};

const BACKWARD = {
  output({ g, gradient, seen }, l) {
    return {
      head: `The gradient at output ${place(l, g.out)} is ${full(gradient[l])}. Each pixel of its `
        + "window gets that, times the number of the kernel that it met.",
      factors: seen[l].map((tap, r) => [
        gradient[l], conv.weights[r], tap.pixel < 0 ? "lost in the padding" : "",
      ]),
      across: g.size, apart: true, total: "One column, of which each number goes to its pixel.",
    };
  },
  pixel(shown, pixel) {
    const { g, gradient, back, many } = shown;
    const found = windowsOf(pixel, shown).filter(([l]) => l < many);
    return {
      head: `Pixel ${place(pixel, g.side)}: col2im adds what comes from the `
        + `${manyWindows(found.length)} that saw it.`,
      factors: found.map(([l, r]) => [
        gradient[l], conv.weights[r], `from ${place(l, g.out)}`,
      ]),
      value: back.image[pixel], total: `= ${full(back.image[pixel])}`,
    };
  },
  weight({ g, gradient, cols, kernelGradient }, r) {
    const windows = Array.from({ length: g.count }, (_, l) => l)
      .filter((l) => gradient[l] * cols[r * g.count + l] !== 0);
    const left = windows.length - MOST_TERMS;
    return {
      head: `The kernel’s number ${place(r, g.size)}: every window’s gradient, times the pixel that `
        + `met it. Of ${g.count} terms, ${windows.length} are not 0.`,
      factors: windows.map((l) => [
        gradient[l], cols[r * g.count + l], `at ${place(l, g.out)}`,
      ]),
      value: kernelGradient[r],
      total: `${left > 0 ? `+ ${left} more ` : ""}= ${full(kernelGradient[r])}`,
    };
  },
};

const manyWindows = (count) => (count === 1 ? "1 window" : `${count} windows`);

// The matrices under it: columns, weights beside their rows, output below.
function renderMatrices(shown) {
  const { g, cols, out, gradient, colsGradient } = shown, { what, at } = conv.followed;
  const column = what === "output" ? at : -1, row = what === "weight" ? at : -1;
  const cells = what === "pixel" ? windowsOf(at, shown).map(([l, r]) => [r, l]) : [];
  const marks = { columns: g.count, column, row, cells, line: g.out };
  const strip = Array.from(conv.weights, full), size = `${g.area} × ${g.count}`;
  const words = column < 0 ? "none" : `column ${column}, window of output ${place(column, g.out)}`;
  const columns = {
    rows: g.area, at: (r, l) => cols[r * g.count + l], kind: "grey", strip,
  };
  const single = (values, name) => ({
    rows: 1, at: (_, l) => values[l], kind: "signed", strip: [name],
  });
  byId("matrices-says").textContent = backward()
    ? "Backward turns both factors around: the kernel’s numbers times the gradient give one column "
      + "for each window, and the gradient times the columns gives the kernel’s gradient."
    : "im2col writes what each window sees into one column. The kernel, as one row, times all "
      + "columns is the whole output. Point at a column, or go along with the arrow keys.";
  matrices.columns.show({
    ...marks, words, bands: backward()
      ? [single(gradient, "G"), { ...columns, strip: rowNumbers(g) }]
      : [columns, single(out, "out")],
    title: backward()
      ? `G (1 × ${g.count}) over the columns (${size}): row times row, summed, is one number of the `
        + "kernel’s gradient"
      : `weights (1 × ${g.area}), upright at the left · columns (${size})`,
    foot: backward() ? `= gradient of the weights (1 × ${g.area})` : `= output (1 × ${g.count})`,
  });
  if (!backward()) return;
  matrices.gradient.show({
    ...marks, words, bands: [
      single(gradient, "G"),
      { rows: g.area, at: (r, l) => colsGradient[r * g.count + l], kind: "signed", strip },
    ],
    title: `weightsᵀ (${g.area} × 1), at the left · G (1 × ${g.count}) = gradient of the columns `
      + `(${size})`,
    foot: "col2im adds every entry onto the pixel it came from",
  });
}

const rowNumbers = (g) => Array.from(
  { length: g.area }, (_, r) => `${Math.floor(r / g.size)},${r % g.size}`,
);
