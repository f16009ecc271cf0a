// Charts in SVG: curves over steps, or over stages, with a cursor that mouse, finger and keys move.

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 46, right: 12, top: 10, bottom: 24 };

function draw(parent, kind, attributes = {}, text = null) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

// Round numbers between two, about as many as asked for.
function ticks(low, high, about) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((n) => n * power >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) {
    found.push(Number((n * step).toPrecision(12)));
  }
  return found;
}

// Powers of ten between two, or with their doubles and halves where there are too few.
function powers(low, high) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const within = (n) => n >= low * 0.999 && n <= high * 1.001;
  const all = (factors) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .flatMap((power) => factors.map((factor) => factor * 10 ** power)).filter(within);
  const tens = all([1]);
  if (tens.length < 2) return all([1, 2, 5]);
  if (tens.length < 3) return all([1, 3]);
  return tens.filter((_, i) => i % Math.ceil(tens.length / 6) === 0);
}

const SUPER = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸",
  9: "⁹" };

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-2 || size >= 1e6)) {
    const [digits, power] = value.toExponential(1).split("e");
    const raised = [...String(Number(power))].map((c) => SUPER[c]).join("");
    return `${digits === "1.0" ? "" : `${digits}·`}10${raised}`;
  }
  return size >= 100 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));
}

// A number of an axis: it is round, and its neighbours must not look like it.
function round(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? number(value) : value.toLocaleString("en",
    { maximumFractionDigits: 6 });
}

// A chart in a section. `series`: name, colour, points [x, y], and whether they are dots or thin.
class Chart {
  constructor(section, { log = false, names = null, empty, along = "step" }) {
    Object.assign(this, { section, log, names, empty, along, series: [], rules: [], at: null });
    this.svg = draw(section, "svg", { class: "drawing", tabindex: "0", role: "img" });
    this.key = document.createElement("p");
    this.key.className = "key";
    section.append(this.key);
    this.title = section.querySelector("h2").textContent;
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerdown", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.move(null));
    this.svg.addEventListener("blur", () => this.move(null));
    this.svg.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  show(series, { rules = [], top = null, bottom = null, last = null } = {}) {
    this.series = series.filter((each) => each.points.length > 0);
    Object.assign(this, { rules, top, bottom, last });
    this.draw();
  }

  // Where the cursor may stand.
  places() {
    const all = this.series.filter((each) => !each.thin).flatMap((s) => s.points.map((p) => p[0]));
    return [...new Set(all)].sort((a, b) => a - b);
  }

  point(offset) {
    const places = this.places();
    if (!places.length) return;
    const near = places.reduce((a, b) =>
      (Math.abs(this.x(b) - offset) < Math.abs(this.x(a) - offset) ? b : a));
    this.move(near);
  }

  press(event) {
    const places = this.places(), here = places.indexOf(this.at);
    const next = { ArrowLeft: Math.max(here, 1) - 1, ArrowRight: here + 1, Home: 0,
      End: places.length - 1, Escape: null }[event.key];
    if (next === undefined || !places.length) return;
    event.preventDefault();
    this.move(next === null ? null : places[Math.min(next, places.length - 1)]);
  }

  move(at) {
    if (this.at === at) return;
    this.at = at;
    this.draw();
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    this.svg.replaceChildren();
    this.svg.setAttribute("aria-label", this.says());
    if (!width) return;
    const points = this.series.flatMap((each) => each.points);
    if (!points.length) {
      draw(this.svg, "text", { class: "empty", x: EDGE.left, y: height / 2 }, this.empty);
      this.key.replaceChildren();
      return;
    }
    this.scale(points, width, height);
    this.axes(width, height);
    for (const [value, text] of this.rules) this.rule(value, text, width);
    for (const each of this.series) this.curve(each);
    if (this.at !== null) {
      const x = this.x(this.at);
      draw(this.svg, "line", { class: "cursor", x1: x, x2: x, y1: EDGE.top,
        y2: height - EDGE.bottom });
    }
    this.legend();
  }

  scale(points, width, height) {
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    for (const [value] of this.rules) ys.push(value);
    const change = this.log ? Math.log10 : (y) => y;
    let low = change(this.bottom ?? Math.min(...ys)), high = change(this.top ?? Math.max(...ys));
    const room = (high - low) * 0.06 || (this.log ? 0.5 : Math.abs(high) * 0.1 || 1);
    if (this.bottom === null) low -= room;
    if (this.top === null) high += room;
    Object.assign(this, { low, high });
    this.left = this.names ? 0 : Math.min(0, ...xs);
    this.right = this.names ? this.names.length - 1 : Math.max(this.last ?? 0, ...xs, 1);
    const across = (width - EDGE.left - EDGE.right) / (this.right - this.left || 1);
    const up = (height - EDGE.top - EDGE.bottom) / (high - low);
    this.x = (x) => EDGE.left + (x - this.left) * across;
    this.y = (y) => height - EDGE.bottom - (change(y) - low) * up;
  }

  axes(width, height) {
    const values = this.log ? powers(10 ** this.low, 10 ** this.high)
      : ticks(this.low, this.high, height / 45);
    for (const value of values) {
      const y = this.y(value);
      draw(this.svg, "line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y });
      draw(this.svg, "text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, round(value));
    }
    const bottom = height - EDGE.bottom + 16;
    if (this.names) {
      const every = Math.ceil((this.names.length * 46) / width);
      this.names.forEach((name, i) => {
        if (i % every === 0) {
          draw(this.svg, "text", { x: this.x(i), y: bottom, "text-anchor": "middle" }, name);
        }
      });
      return;
    }
    const steps = ticks(this.left, this.right, width / 110);
    for (const value of steps) {
      const end = value === steps.at(-1);
      draw(this.svg, "text", { x: this.x(value), y: bottom,
        "text-anchor": this.x(value) > width - 40 ? "end" : "middle" },
      round(value) + (end ? ` ${this.along}s` : ""));
    }
  }

  rule(value, text, width) {
    const y = this.y(value);
    draw(this.svg, "line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y });
    draw(this.svg, "text", { x: width - EDGE.right - 4, y: y - 5, "text-anchor": "end" }, text);
  }

  curve({ colour, points, dots, thin }) {
    const group = draw(this.svg, "g", { "data-colour": colour });
    if (!dots) {
      const line = points.map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`);
      draw(group, "polyline", { class: `curve${thin ? " thin" : ""}`, points: line.join(" ") });
    }
    const marked = dots || points.length === 1 || (this.names && !thin) ? points : [];
    for (const [x, y] of marked) {
      draw(group, "circle", { class: `dot${dots ? "" : " filled"}`, cx: this.x(x), cy: this.y(y),
        r: dots ? 4 : 3 });
    }
  }

  // What each series says where the cursor is, or else at its end.
  readings() {
    return this.series.filter((each) => !each.thin).map((each) => {
      const at = this.at ?? each.points.at(-1)[0];
      const near = each.points.reduce((a, b) =>
        (Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a));
      return { ...each, near };
    });
  }

  legend() {
    const parts = this.readings().map(({ name, colour, dots, near }) => {
      const span = document.createElement("span"), value = document.createElement("b");
      span.dataset.colour = colour;
      if (dots) span.dataset.dots = "";
      value.textContent = number(near[1]);
      span.append(`${name} `, value);
      return span;
    });
    if (this.at !== null || this.names) {
      const place = document.createElement("em"), at = this.at ?? this.names.length - 1;
      place.className = "reading";
      place.textContent = this.names ? `at ${this.names[at]}`
        : `${this.along} ${at.toLocaleString("en")}`;
      parts.push(place);
    }
    this.key.replaceChildren(...parts);
  }

  says() {
    const all = this.readings().map(({ name, near }) => `${name} ${number(near[1])}`);
    return `${this.title}: ${all.join(", ") || this.empty}. Arrow keys read other points.`;
  }
}
