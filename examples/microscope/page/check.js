// The page against the engine: everything that was exported, computed again, and compared.

// float32 keeps 24 bits, a sum of 25 products loses some, and six decimals were written down.
const TOLERANCE = 1e-5;

// The largest difference, relative to the largest number where that is above one.
function difference(mine, engines) {
  if (mine.length !== engines.length) return Infinity;
  let apart = 0, scale = 1;
  for (let n = 0; n < mine.length; n++) {
    const d = Math.abs(mine[n] - engines[n]);
    if (!Number.isFinite(d)) return Infinity;
    apart = Math.max(apart, d);
    scale = Math.max(scale, Math.abs(engines[n]));
  }
  return apart / scale;
}

// Counts what was compared, and remembers what did not agree.
class Comparison {
  constructor() {
    this.settings = 0;
    this.numbers = 0;
    this.worst = 0;
    this.failures = [];
  }

  compare(what, mine, engines) {
    const apart = difference(mine, engines);
    this.numbers += engines.length;
    this.worst = Math.max(this.worst, apart);
    if (!(apart <= TOLERANCE)) this.failures.push(`${what}: apart by ${small(apart)}`);
  }
}

function convolutionGeometry(kernel, [stride, padding, dilation]) {
  return geometry(DATA.image.side, kernel.size, stride, padding, dilation);
}

function compareConvolution(comparison, found) {
  const kernel = DATA.kernels[found.kernel];
  const [stride, padding, dilation] = found.setting;
  const g = convolutionGeometry(kernel, found.setting);
  const what = `${kernel.title} ${kernel.size}×${kernel.size}, stride ${stride}, `
    + `padding ${padding}, dilation ${dilation}`;
  comparison.settings += 1;
  if (found.error) {
    comparison.compare(`${what}, which does not fit`, [g.out < 1 ? 1 : 0], [1]);
    return;
  }
  comparison.compare(`${what}, shape`, [g.out, g.out], found.shape);
  if (g.out < 1) return;
  const cols = im2col(DATA.image.values, g);
  comparison.compare(`${what}, output`, product(kernel.values, cols, g), found.out);
  for (const kind of ["pixel", "ones", "random"]) {
    if (!found[kind]) continue;
    const gradient = gradientFromAbove(kind, g, middle(g), DATA.upstream);
    const { image } = col2im(columnsGradient(kernel.values, gradient, g), g);
    comparison.compare(`${what}, gradient of the image (${kind})`, image, found[kind].image);
    const weights = weightGradient(gradient, cols, g);
    comparison.compare(`${what}, gradient of the kernel (${kind})`, weights, found[kind].kernel);
  }
}

function comparePool(comparison, found) {
  const [size, stride, padding, ceilMode] = found.setting;
  const g = geometry(DATA.image.side, size, stride, padding, 1, ceilMode);
  const what = `max pool ${size}×${size}, stride ${stride}, padding ${padding}`
    + (ceilMode ? ", ceil mode" : "");
  comparison.settings += 1;
  comparison.compare(`${what}, shape`, [g.out, g.out], found.shape);
  const { out, winners } = maxPool(DATA.image.values, g);
  comparison.compare(`${what}, output`, out, found.out);
  comparison.compare(`${what}, winners`, winners, found.winners);
  for (const kind of ["pixel", "ones", "random"]) {
    const gradient = gradientFromAbove(kind, g, middle(g), DATA.upstream);
    const { image } = maxPoolGradient(gradient, winners, g);
    comparison.compare(`${what}, gradient of the image (${kind})`, image, found[kind]);
  }
}

function compareInception(comparison, name, found) {
  const costs = inceptionCosts(found.channels, found.size, found.widths);
  comparison.settings += 1;
  comparison.compare(`${name}, multiply-adds`, [costs.through], [found.multiply_adds]);
  for (const [conv, saved] of Object.entries(found.reductions)) {
    const { direct, reduction, convolution } = costs.branches[conv];
    comparison.compare(
      `${name}, ${conv}`, [direct, reduction, convolution],
      [saved.direct, saved.reduction, saved.convolution],
    );
  }
}

function middle(g) {
  return Math.floor(g.out / 2) * g.out + Math.floor(g.out / 2);
}

function compareEverything() {
  const comparison = new Comparison();
  for (const found of DATA.convolutions) compareConvolution(comparison, found);
  for (const found of DATA.pools) comparePool(comparison, found);
  for (const [name, found] of Object.entries(DATA.inception)) {
    compareInception(comparison, name, found);
  }
  return comparison;
}

// The badge in the header, and an alarm above everything if need be.
function showComparison(comparison) {
  const badge = byId("badge"), alarm = byId("alarm");
  const { settings, numbers: compared, worst, failures } = comparison;
  const agrees = failures.length === 0;
  badge.dataset.agrees = agrees;
  badge.dataset.settings = settings;
  badge.dataset.worst = worst;
  badge.textContent = agrees
    ? `✓ agrees with the engine to ${small(worst)}`
    : "✗ does not agree with the engine";
  byId("badge-more").textContent = `When this page opened, it computed `
    + `${compared.toLocaleString("en")} numbers in ${settings.toLocaleString("en")} settings and `
    + `compared them with what minigrad gave, in ${DATA.dtype}, to six decimals.`;
  alarm.hidden = agrees;
  if (!agrees) {
    alarm.textContent = `This page is wrong: ${failures.length} of its results are not what the `
      + `engine gave. The first: ${failures[0]}. Do not trust its numbers.`;
  }
}

// One line under a view: whether what it shows now is among what the engine gave.
function showAgreement(id, pairs, own, more = "") {
  const line = byId(id);
  if (!pairs.length) {
    line.dataset.agrees = "unknown";
    line.textContent = own;
    return;
  }
  const comparison = new Comparison();
  for (const [what, mine, engines] of pairs) comparison.compare(what, mine, engines);
  const agrees = comparison.failures.length === 0;
  line.dataset.agrees = agrees;
  line.textContent = agrees
    ? `✓ What you see is what the engine gave, to ${small(comparison.worst)} `
      + `(${pairs.map(([what]) => what).join(", ")}).${more}`
    : `✗ What you see is not what the engine gave: ${comparison.failures.join("; ")}.`;
}
