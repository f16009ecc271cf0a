// Matrices with hundreds of columns: painted on a canvas, a column of which can be chosen.

const ROW_HEIGHT = 15, FEW_ROWS = 22, WIDEST_CELL = 26;

// What a colour of the style sheet is at the moment, as [red, green, blue].
function colour(name) {
  const probe = byId("probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
}

const mixed = (from, to, share) => from.map((c, n) => Math.round(c + (to[n] - c) * share));
const css = (rgb) => `rgb(${rgb.join(" ")})`;

let colours = null; // asked for once in a theme

function palette() {
  const names = ["paper", "cell", "negative", "positive", "accent", "black", "white"];
  colours ??= Object.fromEntries(names.map((name) => [name, colour(name)]));
  return colours;
}

// Rows of numbers over one another that share their columns, with a strip of numbers at the left.
class Matrix {
  constructor(host, label, says, onColumn) {
    this.host = host;
    this.onColumn = onColumn;
    this.canvas = element("canvas", {
      role: "slider", tabindex: "0", "aria-label": label, "aria-describedby": says,
      "aria-valuemin": "0",
    });
    this.strip = element("div", { class: "strip", "aria-hidden": "true" });
    this.title = element("p", { class: "matrix-title" });
    this.body = element("div", { class: "matrix-body" }, this.strip, this.canvas);
    this.foot = element("p", { class: "matrix-foot" });
    host.replaceChildren(this.title, this.body, this.foot);
    this.canvas.addEventListener("pointermove", (event) => this.onPointer(event));
    this.canvas.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.shown = null;
    new ResizeObserver(() => this.draw()).observe(host);
  }

  onPointer(event) {
    if (event.type === "pointermove" && event.pointerType !== "mouse") return;
    const box = this.canvas.getBoundingClientRect(), { columns } = this.shown;
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    this.onColumn(Math.min(columns - 1, Math.max(0, column)));
  }

  onKey(event) {
    const { columns, column, line } = this.shown, at = Math.max(0, column);
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1,
      PageDown: at - line, PageUp: at + line, Home: 0, End: columns - 1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.onColumn(Math.min(columns - 1, Math.max(0, to)));
  }

  // bands: [{rows, at(row, column), kind, strip}], marks: {column, row, cells: [[row, column]]},
  // of the band that `marked` numbers; `line` is how many columns a row of the output has.
  show(shown) {
    this.shown = shown;
    this.title.textContent = shown.title;
    this.foot.textContent = shown.foot;
    const { canvas } = this;
    canvas.setAttribute("aria-valuemax", shown.columns - 1);
    canvas.setAttribute("aria-valuenow", Math.max(0, shown.column));
    canvas.setAttribute("aria-valuetext", shown.words);
    this.draw();
  }

  // Where each band begins and how high its rows are.
  layout() {
    let top = 0;
    return this.shown.bands.map((band) => {
      const height = band.rows < 4 ? FEW_ROWS : ROW_HEIGHT;
      const placed = { band, top, height };
      top += band.rows * height + 8;
      return placed;
    });
  }

  draw() {
    if (!this.shown || this.host.offsetParent === null) return;
    const { columns } = this.shown, placed = this.layout();
    const room = this.host.clientWidth - 52;
    const width = Math.min(room, columns * WIDEST_CELL);
    const last = placed[placed.length - 1];
    const height = last.top + last.band.rows * last.height;
    const ratio = window.devicePixelRatio || 1, { canvas } = this;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    palette();
    context.scale(ratio, ratio);
    for (const place of placed) this.drawBand(context, place, width / columns);
    this.fillStrip(placed, height);
    this.drawMarks(context, placed, width / columns, width);
  }

  drawBand(context, { band, top, height }, step) {
    const { columns } = this.shown, dots = new ImageData(columns, band.rows);
    let largest = 0;
    for (let r = 0; r < band.rows; r++) {
      for (let l = 0; l < columns; l++) largest = Math.max(largest, Math.abs(band.at(r, l)));
    }
    for (let r = 0; r < band.rows; r++) {
      for (let l = 0; l < columns; l++) {
        const value = band.at(r, l), end = value < 0 ? colours.negative : colours.positive;
        const painted = band.kind === "grey" ? mixed(colours.black, colours.white, value)
          : mixed(colours.cell, end, largest ? Math.abs(value) / largest : 0);
        dots.data.set([...painted, 255], 4 * (r * columns + l));
      }
    }
    // One dot for each number, enlarged.
    this.small ??= document.createElement("canvas");
    this.small.width = columns;
    this.small.height = band.rows;
    this.small.getContext("2d").putImageData(dots, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.small, 0, top, step * columns, band.rows * height);
    context.strokeStyle = css(mixed(colours.cell, colours.black, 0.25));
    context.lineWidth = 1;
    context.strokeRect(0.5, top + 0.5, step * columns - 1, band.rows * height - 1);
  }

  drawMarks(context, placed, step, width) {
    const box = (x, y, w, h) => {
      for (const [line, name] of [[4.5, "paper"], [2, "accent"]]) {
        context.lineWidth = line;
        context.strokeStyle = css(colours[name]);
        context.strokeRect(x, y, w, h);
      }
    };
    const { column, row, cells } = this.shown;
    for (const { band, top, height } of placed) {
      const bottom = band.rows * height;
      if (column >= 0) {
        const wide = Math.max(step, 4), left = (column + 0.5) * step - wide / 2;
        const from = Math.min(width - wide - 1, Math.max(1, left));
        box(from, top + 1, wide, bottom - 2);
      }
      if (row >= 0) {
        const at = band.rows > 1 ? row : 0;
        box(1, top + at * height + 1, width - 2, height - 2);
      }
      for (const [r, l] of cells) {
        const at = band.rows > 1 ? r : 0;
        box(l * step, top + at * height + 1, Math.max(3, step), height - 2);
      }
    }
  }

  // The numbers at the left: each beside the row that it goes with.
  fillStrip(placed, height) {
    this.strip.style.height = `${height}px`;
    this.strip.replaceChildren();
    for (const { band, top, height: high } of placed) {
      band.strip.forEach((text, r) => {
        const cell = element("span", { class: band.rows === 1 ? "name" : "" }, text);
        cell.style.top = `${top + r * high}px`;
        cell.style.height = `${high}px`;
        if (r === this.shown.row && band.rows > 1) cell.className = "followed";
        this.strip.append(cell);
      });
    }
  }
}
