// The page: shows a story, and asks for more of it while the training goes on.

const { fixed, story: first, live } = JSON.parse(document.getElementById("data").textContent);
const EVERY = 1000; // milliseconds from one question to the next
const heads = Object.entries(fixed.heads);
const $ = (id) => document.getElementById(id);
const soon = "comes with the first steps";
const charts = {
  losses: new Chart($("losses"), { empty: soon }),
  accuracies: new Chart($("accuracies"), { empty: soon }),
  speeds: new Chart($("speeds"), { empty: soon }),
  gradients: new Chart($("gradients"), {
    log: true, names: fixed.stages.map(brief), along: "stage",
    empty: fixed.recorded ? "comes with the first probe" : "not recorded: --no-record was asked for",
  }),
};
let told = first;
let chosen = null; // probe; the last one, if none is

function brief(stage) {
  return stage.replace(/^inception_/, "");
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [h, m, s] = parts.map((n) => String(n).padStart(2, "0"));
  return parts[0] ? `${parts[0]}:${m}:${s}` : `${parts[1]}:${s}`;
}

function along(rows, name) {
  return rows.filter((row) => Number.isFinite(row[name])).map((row) => [row.step, row[name]]);
}

// Rows of epochs, with the step at which each ended.
function tested() {
  const each = fixed.steps / fixed.epochs;
  return told.rows.map((row) => ({ ...row, step: Math.round(row.epoch * each) }));
}

// ---- the head of the page ----

const STATES = { training: "training", finished: "finished", stopped: "stopped", failed: "failed",
  lost: "no answer", kept: "so far" };

function showState(state) {
  $("state").textContent = STATES[state];
  $("state").dataset.state = state;
  const share = told.step / fixed.steps;
  const epoch = Math.min(told.rows.length + 1, fixed.epochs);
  const parts = [`epoch ${state === "finished" ? fixed.epochs : epoch} of ${fixed.epochs}`,
    `step ${told.step.toLocaleString("en")} of ${fixed.steps.toLocaleString("en")}`,
    clock(told.seconds)];
  if (state === "training" && told.step > 0) {
    parts.push(`about ${clock((told.seconds * (1 - share)) / share)} left`);
  }
  if (state === "lost") parts.push("the training has ended, or its machine is busy");
  $("progress").textContent = parts.join(" · ");
  $("bar").setAttribute("aria-valuenow", Math.round(100 * share));
  $("bar").firstElementChild.style.width = `${100 * share}%`;
  $("error").hidden = !told.error;
  $("error").textContent = told.error ?? "";
  const last = told.rows.at(-1);
  const accuracy = last ? ` · ${last.test_accuracy.toFixed(3)}` : "";
  document.title = `${Math.floor(100 * share)} %${accuracy} · ${$("run").textContent}`;
}

function showTiles() {
  const last = told.rows.at(-1), point = told.curve.at(-1);
  if (last) {
    const best = told.rows.reduce((a, b) => (b.test_accuracy > a.test_accuracy ? b : a));
    $("accuracy").textContent = last.test_accuracy.toFixed(3);
    $("accuracy-says").textContent = best === last ? `after epoch ${last.epoch}`
      : `best ${best.test_accuracy.toFixed(3)} after epoch ${best.epoch}`;
  }
  if (!point) return;
  $("loss").textContent = number(point.loss_logits ?? point.loss);
  $("loss-says").textContent = "of the main head" + (told.guess === null ? ""
    : `; guessing: ${number(told.guess)}`);
  $("speed").textContent = number(point.images_per_second);
  $("rate").textContent = number(point.learning_rate);
  const rates = told.curve.map((row) => row.learning_rate).filter(Number.isFinite);
  $("rate-says").textContent = rates.length ? `highest so far ${number(Math.max(...rates))}` : "";
}

function showMessages() {
  $("messages").hidden = told.messages.length === 0;
  $("messages").querySelector("ul").replaceChildren(...told.messages.map(({ step, text }) => {
    const item = document.createElement("li");
    item.textContent = `Step ${step.toLocaleString("en")}: ${text}`;
    return item;
  }));
}

// ---- charts ----

function showCurves() {
  const rows = tested(), range = { last: fixed.steps };
  const losses = heads.map(([head, name], i) => (
    { name, colour: i, points: along(told.curve, `loss_${head}`) }));
  losses.push({ name: "test", colour: 0, dots: true, points: along(rows, "test_loss") });
  const rules = told.guess === null ? [] : [[told.guess, "guessing"]];
  charts.losses.show(losses, { ...range, rules });
  charts.accuracies.show([
    { name: "training", colour: 0, points: along(told.curve, "train_accuracy") },
    { name: "test", colour: 1, dots: true, points: along(rows, "test_accuracy") },
    { name: "test, averaged weights", colour: 2, dots: true,
      points: along(rows, "test_accuracy_averaged") },
  ], { ...range, bottom: 0, top: 1 });
  charts.speeds.show([
    { name: "images/s", colour: 0, points: along(told.curve, "images_per_second") },
  ], { ...range, bottom: 0 });
}

function showGradients() {
  const probes = told.probes, slider = $("probe");
  const at = chosen === null ? probes.length - 1 : Math.min(chosen, probes.length - 1);
  slider.max = Math.max(0, probes.length - 1);
  slider.value = Math.max(0, at);
  slider.disabled = probes.length < 2;
  if (at < 0) {
    charts.gradients.show([]);
    return;
  }
  const step = probes[at].step.toLocaleString("en");
  $("probe-step").textContent = step;
  slider.setAttribute("aria-valuetext", `step ${step}`);
  const over = (numbers) => numbers.map((y, x) => [x, y]).filter(([, y]) => y > 0);
  const before = probes.slice(0, at).filter((_, i) => i % Math.ceil(at / 8) === 0);
  const alone = told.curve.length > 0 && !Object.keys(told.curve.at(-1)).some((name) =>
    name.startsWith("loss_aux"));
  charts.gradients.show([
    ...before.map((row) => ({ thin: true, colour: 0, points: over(row.gradient) })),
    ...(alone ? [] : [{ name: "the main head alone", colour: 1,
      points: over(probes[at].gradient_main) }]),
    { name: alone ? "of the loss" : "with the auxiliary heads", colour: 0,
      points: over(probes[at].gradient) },
  ]);
}

$("probe").addEventListener("input", () => {
  const value = Number($("probe").value);
  chosen = value === told.probes.length - 1 ? null : value;
  showGradients();
});

// ---- samples ----

function prepareSamples() {
  $("samples").hidden = fixed.pictures.length === 0;
  $("samples").querySelector("ol").replaceChildren(...fixed.pictures.map((picture) => {
    const item = document.createElement("li"), image = document.createElement("img");
    const name = document.createElement("p"), answers = document.createElement("div");
    image.src = picture.src;
    image.alt = fixed.classes[picture.class];
    name.className = "name";
    name.textContent = name.title = fixed.classes[picture.class];
    item.append(image, name, answers);
    return item;
  }));
}

function showSamples() {
  if (!told.answers) return;
  $("samples-step").textContent = ` after step ${told.answers.step.toLocaleString("en")}`;
  [...$("samples").querySelectorAll("li")].forEach((item, i) => {
    const is = fixed.pictures[i].class, answers = told.answers.of[i];
    item.className = answers[0][0] === is ? "right" : "wrong";
    const rows = item.querySelector("div");
    while (rows.children.length < answers.length) {
      const row = document.createElement("div");
      for (const part of ["i", "span", "span"]) row.append(document.createElement(part));
      row.children[1].className = "said";
      rows.append(row);
    }
    answers.forEach(([label, share], k) => {
      const [bar, said, percent] = rows.children[k].children;
      rows.children[k].className = label === is ? "answer true" : "answer";
      bar.style.width = `${100 * share}%`;
      said.textContent = said.title = fixed.classes[label];
      percent.textContent = `${Math.round(100 * share)} %`;
    });
  });
}

// ---- numbers ----

function showTable() {
  const [head, body] = [$("table").querySelector("thead"), $("table").querySelector("tbody")];
  $("table").hidden = told.rows.length === 0;
  if (body.children.length === told.rows.length || !told.rows.length) return;
  const names = Object.keys(told.rows[0]);
  const row = (kind, texts) => {
    const line = document.createElement("tr");
    for (const text of texts) {
      const cell = document.createElement(kind);
      cell.textContent = text;
      line.append(cell);
    }
    return line;
  };
  head.replaceChildren(row("th", names.map((name) => name.replaceAll("_", " "))));
  body.replaceChildren(...told.rows.map((each) => row("td", names.map((n) => number(each[n])))));
}

function showAll(state) {
  showState(state);
  showTiles();
  showMessages();
  showCurves();
  showGradients();
  showSamples();
  showTable();
}

let mark = null;

async function ask() {
  try {
    const headers = mark === null ? {} : { "If-None-Match": mark };
    const answer = await fetch("story.json", { headers, cache: "no-store" });
    if (answer.status === 200) {
      told = await answer.json();
      mark = answer.headers.get("ETag");
      showAll(told.state);
    } else if (answer.status === 304) {
      showState(told.state);
    } else {
      throw new Error(answer.statusText);
    }
  } catch {
    showState("lost");
  }
  if (told.state === "training") setTimeout(ask, EVERY);
}

$("run").textContent = $("run").title = fixed.run;
$("headline").textContent = fixed.title;
$("recipe").textContent = fixed.recipe;
prepareSamples();
showAll(!live && first.state === "training" ? "kept" : first.state); // a report of a killed run
if (live) ask();
