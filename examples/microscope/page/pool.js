// The view of max pooling: winners, ties, and the way back to the winners.

const pool = {
  size: 3, stride: 2, padding: 0, ceilMode: true, upstream: "ones", cells: "image",
  followed: { what: "output", at: 0 },
  chosen: 0,
};

function computePool() {
  const image = DATA.image.values;
  const g = geometry(DATA.image.side, pool.size, pool.stride, pool.padding, 1, pool.ceilMode);
  const chosen = Math.min(pool.chosen, g.count - 1);
  const gradient = gradientFromAbove(pool.upstream, g, chosen, DATA.upstream);
  const pooled = maxPool(image, g);
  return {
    g, image, chosen, gradient, ...pooled, back: maxPoolGradient(gradient, pooled.winners, g),
  };
}

function followPool(what, at) {
  pool.followed = { what, at };
  if (what === "output") pool.chosen = at;
  renderPool();
}

function renderPool() {
  const shown = computePool(), { g } = shown;
  if (pool.followed.what === "output") {
    pool.followed.at = Math.min(pool.followed.at, g.count - 1);
  }
  renderPoolImage(shown);
  renderPoolOutput(shown);
  renderPoolSum(shown);
  renderPoolAgreement(shown);
}

// What the image is drawn with: its padding, and in ceil mode room for a window that hangs over.
function margins(g) {
  const reach = (g.out - 1) * g.stride - g.padding + g.size;
  return { before: g.padding, after: Math.max(g.padding, reach - g.side) };
}

const POOL_TITLES = {
  image: ["Image", "12 × 12"],
  gradient: ["Gradient of the image", "every window’s goes to its winner"],
  wins: ["Windows won", "how many each pixel wins"],
};

function renderPoolImage(shown) {
  const { g, image, winners, ties, back } = shown, { what, at } = pool.followed;
  const l = what === "output" ? at : -1;
  const met = new Set(l < 0 ? [] : taps(g, l).map((tap) => `${tap.y},${tap.x}`));
  const { before, after } = margins(g), side = g.side + before + after;
  const [title, says] = POOL_TITLES[pool.cells];
  byId("pool-image-title").textContent = title;
  byId("pool-image-says").textContent = says;
  const value = {
    image: (p) => image[p], gradient: (p) => back.image[p], wins: (p) => back.won[p],
  }[pool.cells];
  grids.poolImage.show({
    side, before, after, kind: { image: "grey", gradient: "signed", wins: "count" }[pool.cells],
    current: what === "pixel"
      ? (Math.floor(at / g.side) + before) * side + (at % g.side) + before : -1,
    frame: l < 0 ? null : {
      y: Math.floor(l / g.out) * g.stride, x: (l % g.out) * g.stride, side: g.size,
    },
    describe: (row, column) => {
      const y = row - before, x = column - before;
      const mark = met.has(`${y},${x}`) ? "met" : "";
      const inside = y >= 0 && x >= 0 && y < g.side && x < g.side;
      if (!inside) return { value: -Infinity, padding: true, mark, words: "padding, −∞" };
      const p = y * g.side + x, wins = back.won[p];
      const here = l >= 0 && winners[l] === p, tie = l >= 0 && !here && ties[l].includes(p);
      return {
        value: value(p), mark: here ? "winner" : tie ? "tie" : mark,
        corner: here ? "★" : tie ? "=" : wins ? "•" : "",
        words: `pixel (${y}, ${x}): ${full(image[p])}, wins ${manyWindows(wins)}, gradient `
          + full(back.image[p]) + (here ? ", wins this window" : tie ? ", ties here" : ""),
      };
    },
  });
}

function renderPoolOutput({ g, out, gradient, winners }) {
  const { what, at } = pool.followed;
  byId("pool-output-says").textContent = `${g.out} × ${g.out}`;
  grids.poolOutput.show({
    side: g.out, kind: "grey", current: what === "output" ? at : -1,
    describe: (i, j) => {
      const l = i * g.out + j;
      return {
        value: out[l], mark: what === "pixel" && winners[l] === at ? "met" : "",
        words: `output (${i}, ${j}): ${full(out[l])}, its gradient ${full(gradient[l])}`,
      };
    },
  });
}

function renderPoolSum(shown) {
  const { g, image, out, winners, ties, gradient, back } = shown, { what, at } = pool.followed;
  if (what === "pixel") {
    const won = winners.map((_, l) => l).filter((l) => winners[l] === at);
    byId("pool-sum-head").textContent = `Pixel ${place(at, g.side)}, which is ${full(image[at])}, `
      + `wins ${manyWindows(won.length)}.`;
    byId("pool-sum-terms").textContent = won.length
      ? `${won.map((l) => `${inParentheses(gradient[l])} from ${place(l, g.out)}`).join(" + ")} = `
        + full(back.image[at])
      : "So nothing comes back to it: its gradient is 0.";
    byId("pool-sum-backward").textContent = "";
    return;
  }
  const seen = taps(g, at).map(({ pixel }) => (pixel < 0 ? "−∞" : full(image[pixel])));
  const others = ties[at].length - 1;
  byId("pool-sum-head").textContent = `Output ${place(at, g.out)}: the largest number of its window.`;
  byId("pool-sum-terms").textContent = `max(${seen.join(", ")}) = ${full(out[at])}`;
  byId("pool-sum-backward").textContent = (others === 0 ? "One pixel is the largest. "
    : `${others + 1} pixels are as large; the first in reading order, ${place(winners[at], g.side)}, `
      + "wins, and the others get nothing. ")
    + `Its gradient, ${full(gradient[at])}, goes to pixel ${place(winners[at], g.side)}.`;
}

function renderPoolAgreement(shown) {
  const { g, out, winners, back } = shown;
  const setting = [pool.size, pool.stride, pool.padding, pool.ceilMode];
  const found = DATA.pools.find((one) => one.setting.every((value, n) => value === setting[n]));
  const pairs = found ? [["output", out, found.out], ["winners", winners, found.winners]] : [];
  if (found && (pool.upstream !== "pixel" || shown.chosen === middle(g))) {
    pairs.push(["gradient of the image", back.image, found[pool.upstream]]);
  }
  showAgreement("pool-agreement", pairs, "The engine was not asked for this setting.");
}
