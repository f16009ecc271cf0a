// The view of an Inception module: four branches, their widths, and what they cost.

const module = { stage: "3a", widths: {} };
const MOST_CHANNELS = 2048;

const BRANCHES = [
  { name: "conv_1x1", title: "1×1", layers: [["conv_1x1", "1×1 convolution"]] },
  {
    name: "conv_3x3", title: "3×3",
    layers: [["conv_3x3_reduce", "1×1 reduction"], ["conv_3x3", "3×3 convolution"]],
  },
  {
    name: "conv_5x5", title: "5×5",
    layers: [["conv_5x5_reduce", "1×1 reduction"], ["conv_5x5", "5×5 convolution"]],
  },
  {
    name: "pool_proj", title: "pool",
    layers: [[null, "3×3 max pool"], ["pool_proj", "1×1 projection"]],
  },
];

const millions = (count) => `${(count / 1e6).toLocaleString("en", {
  minimumFractionDigits: 1, maximumFractionDigits: 1,
})} M`;

function buildInception() {
  byId("branches").replaceChildren(...BRANCHES.map((branch) => {
    const layers = branch.layers.map(([width, text]) => {
      const block = element("div", { class: "block layer" }, element("span", {}, text));
      if (!width) {
        block.append(element("small", {}, "no weights, no multiply-adds"));
        return block;
      }
      const input = element("input", {
        type: "number", id: `width-${width}`, min: "1", max: String(MOST_CHANNELS), step: "1",
        "aria-label": `width of the ${text} of the ${branch.title} branch`,
        "aria-describedby": `width-${width}-says width-error`,
      });
      input.addEventListener("input", () => editWidth(width, input));
      input.addEventListener("blur", renderInception);
      block.append(input, element("small", { id: `width-${width}-says` }, "channels it gives"));
      return block;
    });
    const cost = element("p", { class: "branch-cost", id: `cost-${branch.name}` });
    return element("div", { class: "branch" }, ...layers, cost);
  }));
}

function setStage(name) {
  module.stage = name;
  module.widths = { ...DATA.inception[name].widths };
  for (const input of document.querySelectorAll("#branches input")) {
    input.removeAttribute("aria-invalid");
  }
  byId("width-error").textContent = "";
  renderInception();
}

function editWidth(name, input) {
  const width = Number(input.value);
  const right = Number.isInteger(width) && width >= 1 && width <= MOST_CHANNELS;
  if (right) input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
  byId("width-error").textContent = right ? ""
    : `A width is a whole number from 1 to ${MOST_CHANNELS}; the one before stays.`;
  if (!right) return;
  module.widths[name] = width;
  renderInception();
}

function renderInception() {
  const stage = DATA.inception[module.stage], { channels, size } = stage;
  const costs = inceptionCosts(channels, size, module.widths);
  byId("module-input").textContent = `from below: ${channels} channels of ${size} × ${size}`;
  for (const [name, width] of Object.entries(module.widths)) {
    const input = byId(`width-${name}`);
    if (document.activeElement === input && input.hasAttribute("aria-invalid")) continue;
    if (document.activeElement !== input || Number(input.value) !== width) input.value = width;
    if (input.hasAttribute("aria-invalid")) byId("width-error").textContent = "";
    input.removeAttribute("aria-invalid");
  }
  renderConcat(costs);
  byId("module-output").textContent = `to the next: ${costs.out} channels of ${size} × ${size}`;
  renderCosts(costs);
  renderTotal(stage, costs);
}

function renderConcat({ out }) {
  const said = [];
  byId("concat").replaceChildren(...BRANCHES.map(({ name, title }) => {
    const width = module.widths[name];
    const part = element("span", { class: "part" }, `${title} `, element("b", {}, String(width)));
    part.style.setProperty("--share", width / out);
    said.push(`${width} from the ${title} branch`);
    return part;
  }));
  byId("concat").setAttribute("aria-label", `concatenated: ${said.join(", ")}`);
}

function bar(kind, count, most) {
  const made = element("span", { class: `bar ${kind}` });
  made.style.setProperty("--share", count / most);
  return made;
}

function renderCosts({ branches }) {
  const most = Math.max(...Object.values(branches).map((b) => Math.max(b.direct ?? 0, b.through)));
  const rows = BRANCHES.map(({ name, title }) => {
    const cost = branches[name], row = element("div", { class: "cost" });
    row.append(element("h3", {}, `${title} branch`));
    const line = (text, count, ...bars) => {
      const number = element("span", { class: "count" }, text, " ", element("b", {}, millions(count)));
      number.dataset.value = count;
      row.append(element("div", { class: "bars" }, ...bars), number);
    };
    if (cost.direct) {
      line("directly", cost.direct, bar("direct", cost.direct, most));
      line("through the 1×1", cost.through, bar("reduction", cost.reduction, most),
        bar("convolution", cost.convolution, most));
      const saves = cost.direct / cost.through;
      row.append(element("p", { class: "saves" }, `${millions(cost.reduction)} + `
        + `${millions(cost.convolution)}: ${saves >= 1
          ? `${saves.toFixed(1)} times less` : `${(1 / saves).toFixed(1)} times more`}`));
    } else {
      line("a 1×1", cost.through, bar("convolution", cost.through, most));
    }
    byId(`cost-${name}`).textContent = millions(cost.through);
    row.dataset.branch = name;
    return row;
  });
  byId("costs").replaceChildren(...rows);
}

function renderTotal(stage, costs) {
  const paper = Object.entries(stage.widths).every(([name, width]) => module.widths[name] === width);
  const total = byId("cost-total");
  total.dataset.value = costs.through;
  total.textContent = `Together ${millions(costs.through)}; without reductions it would be `
    + `${millions(costs.direct)}, ${(costs.direct / costs.through).toFixed(1)} times that.`
    + (paper ? ` The paper prints ${stage.printed}.` : "");
  const pairs = [];
  if (paper) {
    pairs.push(["multiply-adds", [costs.through], [stage.multiply_adds]]);
    for (const [name, saved] of Object.entries(stage.reductions)) {
      const { direct, reduction, convolution } = costs.branches[name];
      pairs.push([name, [direct, reduction, convolution],
        [saved.direct, saved.reduction, saved.convolution]]);
    }
  }
  showAgreement("inception-agreement", pairs, "These widths are yours: the page counts them alone, "
    + "as it did all that was compared with googlenet.summary above.");
}
