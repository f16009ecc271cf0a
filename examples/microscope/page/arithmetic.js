// What the page computes by itself: convolution, its backward pass, max pooling, costs.
// Arrays are flat, row by row; `g` is the geometry that `geometry` returns.

function outputSize(side, size, stride, padding, dilation) {
  return Math.floor((side + 2 * padding - dilation * (size - 1) - 1) / stride) + 1;
}

function geometry(side, size, stride, padding, dilation, ceilMode = false) {
  let out = outputSize(side, size, stride, padding, dilation);
  if (ceilMode) {
    out = Math.ceil((side + 2 * padding - dilation * (size - 1) - 1) / stride) + 1;
    // A last window must begin in the image, or in the padding before it.
    if ((out - 1) * stride >= side + padding) out -= 1;
  }
  return { side, size, stride, padding, dilation, out, count: out * out, area: size * size };
}

// What window l sees: for each number of the kernel, the pixel it meets, or -1 in the padding.
function taps(g, l) {
  const i = Math.floor(l / g.out), j = l % g.out, seen = [];
  for (let u = 0; u < g.size; u++) {
    for (let v = 0; v < g.size; v++) {
      const y = i * g.stride - g.padding + u * g.dilation;
      const x = j * g.stride - g.padding + v * g.dilation;
      const inside = y >= 0 && y < g.side && x >= 0 && x < g.side;
      seen.push({ u, v, y, x, pixel: inside ? y * g.side + x : -1 });
    }
  }
  return seen;
}

// im2col: (side²) → (area, count). Column l is what window l sees.
function im2col(image, g) {
  const cols = new Float64Array(g.area * g.count);
  for (let l = 0; l < g.count; l++) {
    taps(g, l).forEach((tap, r) => {
      cols[r * g.count + l] = tap.pixel < 0 ? 0 : image[tap.pixel];
    });
  }
  return cols;
}

// weights (1, area) @ columns (area, count) = output (1, count).
function product(weights, cols, g) {
  const out = new Float64Array(g.count);
  for (let l = 0; l < g.count; l++) {
    for (let r = 0; r < g.area; r++) out[l] += weights[r] * cols[r * g.count + l];
  }
  return out;
}

// The gradient of the columns: weightsᵀ (area, 1) @ gradient (1, count).
function columnsGradient(weights, gradient, g) {
  const cols = new Float64Array(g.area * g.count);
  for (let r = 0; r < g.area; r++) {
    for (let l = 0; l < g.count; l++) cols[r * g.count + l] = weights[r] * gradient[l];
  }
  return cols;
}

// col2im: add every entry onto the pixel it came from, of the first `many` windows; and count.
function col2im(cols, g, many = g.count) {
  const image = new Float64Array(g.side * g.side), added = new Uint16Array(g.side * g.side);
  for (let l = 0; l < many; l++) {
    taps(g, l).forEach((tap, r) => {
      if (tap.pixel < 0) return;
      image[tap.pixel] += cols[r * g.count + l];
      added[tap.pixel] += 1;
    });
  }
  return { image, added };
}

// The gradient of the weights: gradient (1, count) @ columnsᵀ (count, area).
function weightGradient(gradient, cols, g) {
  const weights = new Float64Array(g.area);
  for (let r = 0; r < g.area; r++) {
    for (let l = 0; l < g.count; l++) weights[r] += gradient[l] * cols[r * g.count + l];
  }
  return weights;
}

// Max pooling: the largest number of each window, the pixel that won, and all that were as large.
function maxPool(image, g) {
  const out = new Float64Array(g.count), winners = [], ties = [];
  for (let l = 0; l < g.count; l++) {
    let best = -Infinity, equal = [];
    for (const { pixel } of taps(g, l)) {
      if (pixel < 0) continue; // padding is −∞ and never wins
      if (image[pixel] > best) { best = image[pixel]; equal = [pixel]; }
      else if (image[pixel] === best) equal.push(pixel);
    }
    out[l] = best;
    winners.push(equal[0]); // the first in reading order
    ties.push(equal);
  }
  return { out, winners, ties };
}

// Backward: every window hands its gradient to its winner.
function maxPoolGradient(gradient, winners, g) {
  const image = new Float64Array(g.side * g.side), won = new Uint16Array(g.side * g.side);
  winners.forEach((pixel, l) => { image[pixel] += gradient[l]; won[pixel] += 1; });
  return { image, won };
}

// The gradient from above: of one output pixel, all ones, or drawn.
function gradientFromAbove(kind, g, chosen, drawn) {
  const gradient = new Float64Array(g.count);
  for (let l = 0; l < g.count; l++) {
    const i = Math.floor(l / g.out), j = l % g.out;
    if (kind === "ones") gradient[l] = 1;
    else if (kind === "random") gradient[l] = drawn.values[i * drawn.side + j];
    else gradient[l] = l === chosen ? 1 : 0;
  }
  return gradient;
}

// Multiply-adds of an Inception module's convolutions, for one image.
function inceptionCosts(channels, side, w) {
  const pixels = side * side;
  const conv = (from, to, k) => from * to * k * k * pixels;
  const reduced = (reduce, width, k) => {
    const reduction = conv(channels, reduce, 1), convolution = conv(reduce, width, k);
    return {
      direct: conv(channels, width, k), reduction, convolution, through: reduction + convolution,
    };
  };
  const branches = {
    conv_1x1: { through: conv(channels, w.conv_1x1, 1) },
    conv_3x3: reduced(w.conv_3x3_reduce, w.conv_3x3, 3),
    conv_5x5: reduced(w.conv_5x5_reduce, w.conv_5x5, 5),
    pool_proj: { through: conv(channels, w.pool_proj, 1) },
  };
  let through = 0, direct = 0;
  for (const branch of Object.values(branches)) {
    through += branch.through;
    direct += branch.direct ?? branch.through;
  }
  const out = w.conv_1x1 + w.conv_3x3 + w.conv_5x5 + w.pool_proj;
  return { branches, through, direct, out };
}
