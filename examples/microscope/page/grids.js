// Numbers as cells: how they are written, coloured, pointed at, and gone through by keyboard.

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const withMinus = (text) => text.replace("-", "−");

// A number in three or four characters, as there is room for in a cell.
function brief(value) {
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : String(value);
  const size = Math.abs(value);
  if (size < 5e-4) return "0";
  let text;
  if (size >= 9.95) text = value.toFixed(0);
  else if (size >= 0.995) text = value.toFixed(1).replace(/\.0$/, "");
  else text = value.toFixed(2).replace(/0$/, "").replace(/\.0?$/, "").replace("0.", ".");
  return withMinus(text === "" || text === "-" ? "0" : text);
}

// A number in full, without what float arithmetic leaves behind the sixth digit.
function full(value) {
  if (!Number.isFinite(value)) return brief(value);
  return withMinus(String(Number(value.toPrecision(6))));
}

// A small difference: 3·10⁻⁷.
function small(value) {
  if (value === 0) return "the last bit";
  if (!Number.isFinite(value)) return "more than can be said";
  const [digits, exponent] = value.toExponential(0).split("e");
  const raised = [...String(Number(exponent))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("");
  return `${digits}·10${raised}`;
}

const inParentheses = (value) => (value < 0 ? `(${full(value)})` : full(value));

// A square of cells. Follows what is pointed at, and has one place in the order of Tab.
class Grid {
  constructor(host, label, says, onFollow) {
    this.host = host;
    this.onFollow = onFollow;
    this.side = 0;
    this.cells = [];
    host.setAttribute("role", "grid");
    host.setAttribute("aria-label", label);
    host.setAttribute("aria-describedby", says);
    this.frame = element("div", { class: "frame", "aria-hidden": "true" });
    const follow = (event) => {
      const index = this.cells.indexOf(event.target);
      if (index >= 0) this.follow(index, event.type === "click");
    };
    host.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse") follow(event);
    });
    host.addEventListener("click", follow);
    host.addEventListener("focusin", follow);
    host.addEventListener("keydown", (event) => this.onKey(event));
  }

  follow(index, focus) {
    if (this.cells[index].dataset.padding === "true") return;
    this.current = index;
    this.cells.forEach((cell, n) => { cell.tabIndex = n === index ? 0 : -1; });
    this.onFollow(index);
    if (focus) this.cells[index].focus({ preventScroll: true });
  }

  onKey(event) {
    const at = this.cells.indexOf(event.target);
    const step = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
      Home: [0, -this.side], End: [0, this.side],
    }[event.key];
    if (at < 0 || !step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const { first, last } = this; // what lies within the padding
    const within = (n) => Math.min(last, Math.max(first, n));
    const row = within(Math.floor(at / this.side) + step[0]);
    this.cells[row * this.side + within((at % this.side) + step[1])].focus();
  }

  build(side) {
    this.side = side;
    this.current = -1;
    this.host.style.setProperty("--side", side);
    this.cells = Array.from({ length: side * side }, () => element("div", { role: "gridcell" }));
    const rows = Array.from({ length: side }, (_, row) => element(
      "div", { role: "row" }, ...this.cells.slice(row * side, (row + 1) * side),
    ));
    this.host.replaceChildren(...rows, this.frame);
  }

  // `describe(row, column)` gives {value, padding, mark, corner, words}; `kind` is grey, signed or
  // count; `before` and `after` are rows and columns of padding; `frame` is a window.
  show({ side, before = 0, after = 0, kind, describe, current = -1, frame = null }) {
    if (side !== this.side) this.build(side);
    this.first = before;
    this.last = side - 1 - after;
    const shown = this.cells.map((_, n) => describe(Math.floor(n / side), n % side));
    let largest = 0;
    for (const { value, padding: pads } of shown) {
      if (!pads) largest = Math.max(largest, Math.abs(value));
    }
    this.cells.forEach((cell, n) => this.paint(cell, shown[n], kind, largest, n === current));
    if (current >= 0) this.current = current;
    // One cell has the place in the order of Tab: the one that is followed, or the last that was.
    const reachable = this.current >= 0 ? this.current : this.first * side + this.first;
    this.cells.forEach((cell, n) => { cell.tabIndex = n === reachable ? 0 : -1; });
    this.place(frame);
  }

  paint(cell, { value, padding, mark = "", corner = "", words }, kind, largest, current) {
    const strength = kind === "grey" ? value : largest ? Math.abs(value) / largest : 0;
    // Most cells stay as they are from one pixel pointed at to the next.
    const painted = [value, padding, mark, corner, words, kind, largest, current].join("|");
    if (cell.painted === painted) return;
    cell.painted = painted;
    cell.textContent = brief(value);
    cell.dataset.value = value;
    cell.dataset.padding = Boolean(padding);
    cell.dataset.kind = padding ? "padding" : kind;
    cell.dataset.sign = Math.sign(value);
    cell.dataset.strong = strength > 0.45;
    cell.dataset.mark = mark;
    if (corner) cell.dataset.corner = corner;
    else delete cell.dataset.corner;
    cell.style.setProperty("--strength", Math.min(1, strength).toFixed(3));
    cell.setAttribute("aria-label", words);
    cell.setAttribute("aria-selected", current);
  }

  // The window: {y, x, side} in cells, from the corner of the padding.
  place(frame) {
    this.frame.hidden = !frame;
    if (!frame) return;
    for (const [name, cells] of Object.entries(frame)) {
      this.frame.style.setProperty(`--${name}`, `${(100 * cells) / this.side}%`);
    }
  }
}

// Several choices of which one holds: radio buttons, filled into a fieldset of the page.
function choices(option, values, start, onChoose) {
  const host = document.querySelector(`[data-option="${option}"]`);
  for (const [value, text] of values) {
    const input = element("input", { type: "radio", name: option, value });
    input.checked = value === start;
    input.addEventListener("change", () => onChoose(value));
    host.querySelector(".choices").append(element("label", {}, input, element("span", {}, text)));
  }
}

const plainly = (values) => values.map((value) => [value, String(value)]);
