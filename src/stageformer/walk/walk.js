/* The pages: which step is shown, the outline, the keyboard, and what is saved. */

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const state = { index: 0, head: 0, isNumbers: false, isTour: false, drawn: [] };
const LETTERS = ["A", "B"];
const SUBLAYERS = { self_attention: "Self-attention", cross_attention: "Cross-attention", feed_forward: "Feed-forward" };

const tour = data.steps.flatMap((step, index) => (step.tour ? [index] : []));
const labels = (entries) => entries.map((entry) => plain(entry.token));
data.models.forEach((model) => { model.labels = [labels(model.sourceEntries), labels(model.targetEntries)]; });

/* The outline: groups of steps, of which only the current one shows what is in it. */
function groupOf(step) {
  if (step.token) return `token ${step.token}`;
  if (step.stack === "encoder" && step.layer) return `layer ${step.layer}`;
  if (step.kind === "final_norm" || step.kind === "memory") return "memory";
  return { embedding: "vectors", positions: "vectors", positions_learned: "vectors", result: "result" }[step.kind] || "text";
}

function groupName(group) {
  const [kind, place] = group.split(" ");
  if (kind === "layer") return `Layer ${place}`;
  if (kind === "token") return [...new Set(data.models.map((model) => plain((model.chosen[place - 1] || { token: "" }).token)).filter(Boolean))].join(" / ");
  return { text: "Text to ids", vectors: "Ids to vectors", memory: "Memory", result: "Translation" }[kind];
}

const groups = [];
data.steps.forEach((step, index) => {
  const name = groupOf(step);
  if (!groups.length || groups.at(-1).name !== name) groups.push({ name, title: groupName(name), steps: [] });
  groups.at(-1).steps.push(index);
});

function outline() {
  const current = groupOf(data.steps[state.index]);
  const list = make("ol", {});
  let section = "";
  for (const group of groups) {
    const [kind, place] = group.name.split(" ");
    const wanted = kind === "layer" ? "Encoder" : kind === "token" ? "Decoder, token by token" : "";
    if (wanted !== section && wanted) list.append(make("li", { class: "section" }, wanted));
    section = wanted;
    const isCurrent = group.name === current;
    const shown = state.isTour ? group.steps.filter((index) => data.steps[index].tour) : isCurrent ? group.steps : [];
    if (state.isTour && !shown.length) continue;
    const name = [kind === "token" ? make("span", { class: "count" }, place) : null, group.title];
    const head = state.isTour ? make("span", { class: `group ${kind}` }, ...name.filter(Boolean))
      : make("button", { type: "button", class: `group ${kind}`, "aria-expanded": String(isCurrent), onclick: () => go(group.steps[0]) }, ...name);
    list.append(make("li", { class: isCurrent ? "current" : null }, head, shown.length ? inside(shown) : null));
  }
  const top = make("details", { id: "outline-box", open: innerWidth > 760 || null }, make("summary", {}, state.isTour ? "Steps of the tour" : "All steps"), list);
  const modes = radios("Show", [["Tour", true, tour.length], ["All", false, data.steps.length]].map(([name, isTour, count]) => ({
    label: `${name} ${count.toLocaleString("en")}`, isChosen: state.isTour === isTour, choose: () => { state.isTour = isTour; go(state.index, true); focusChosen("Show"); } })));
  at("outline").replaceChildren(make("div", { class: "modes" }, modes), top);
  const button = list.querySelector("[aria-current]");
  if (button && innerWidth > 760) {
    const box = at("outline");
    const [outer, inner] = [box.getBoundingClientRect(), button.getBoundingClientRect()];
    const bottom = Math.min(outer.bottom, innerHeight - 70); // the buttons cover what is below
    if (inner.top < outer.top || inner.bottom > bottom) box.scrollTop += inner.top - outer.top - (bottom - outer.top) / 3;
  }
}

function inside(indexes) {
  const list = make("ol", { class: "inside" });
  let before = "";
  for (const index of indexes) {
    const step = data.steps[index];
    const part = step.sublayer ? (step.token ? `Layer ${step.layer} · ` : "") + SUBLAYERS[step.sublayer] : "";
    if (part && part !== before) list.append(make("li", { class: "part" }, part));
    before = part;
    list.append(make("li", {}, make("button", { type: "button", class: "step", "aria-current": index === state.index ? "step" : null, onclick: () => go(index) }, explanationOf(data.models[step.models.indexOf(true)], step).title)));
  }
  return list;
}

function go(index, isFirst) {
  state.index = Math.max(0, Math.min(data.steps.length - 1, index));
  history.replaceState(null, "", `#${state.isTour ? "tour/" : ""}${data.steps[state.index].id}`);
  show();
  if (isFirst) return;
  window.scrollTo({ top: 0, behavior: "instant" });
  at("step").focus({ preventScroll: true });
}

/* The step before or after: of the tour, or of all. -1: there is none. */
function neighbour(isNext) {
  if (state.isTour) return (isNext ? tour.find((index) => index > state.index) : tour.findLast((index) => index < state.index)) ?? -1;
  const index = state.index + (isNext ? 1 : -1);
  return index < data.steps.length ? index : -1;
}

function move(isNext) { const index = neighbour(isNext); if (index >= 0) go(index); }

const explanationOf = (model, step) => model.explanations[`${step.stack} ${step.kind}`] || model.explanations[step.kind];

/* What the models that take a step say of it: [{letter, explanation}], one without a letter where all say the same. */
function explained(step) {
  const own = data.models.map((model, number) => ({ letter: LETTERS[number], explanation: explanationOf(model, step) })).filter((_, number) => step.models[number]);
  const isSame = own.every((one) => JSON.stringify(one.explanation) === JSON.stringify(own[0].explanation));
  return isSame ? [{ letter: null, explanation: own[0].explanation }] : own;
}

const letterOf = (letter) => (letter ? [make("span", { class: `letter ${letter.toLowerCase()}` }, letter), " "] : []);

const groupIndex = () => groups.findIndex((group) => group.steps.includes(state.index));

function show() {
  const step = data.steps[state.index];
  const said = explained(step);
  hideTip();
  outline();
  at("where").textContent = whereIs(step);
  at("title").textContent = said[0].explanation.title;
  const texts = said.every((one) => one.explanation.text === said[0].explanation.text) ? [{ ...said[0], letter: null }] : said;
  at("text").replaceChildren(...texts.map(({ letter, explanation }) => make("p", {}, ...letterOf(letter), ...explanation.text.split("`").map((piece, place) => (place % 2 ? make("code", {}, piece) : piece)))));
  controls(step);
  pictures(step);
  details(said);
  const place = tour.indexOf(state.index);
  at("progress").textContent = !state.isTour ? `Step ${state.index + 1} of ${data.steps.length}`
    : place >= 0 ? `Tour: ${place + 1} of ${tour.length}` : `Beside the tour: step ${state.index + 1}`;
  at("back").disabled = neighbour(false) < 0;
  at("next").disabled = neighbour(true) < 0;
  at("next").textContent = state.isTour ? "Next in tour →" : "Next →";
  const following = groups[groupIndex() + 1];
  at("skip").hidden = !following || state.isTour;
  at("skip").textContent = following ? `Skip to ${/ /.test(following.name) ? following.name : following.title.toLowerCase()}` : "";
}

function whereIs(step) {
  const parts = [];
  if (step.token) parts.push(`Decoder, token ${step.token}`);
  else if (step.stack === "encoder" && step.layer) parts.push("Encoder");
  if (step.layer) parts.push(`layer ${step.layer}`, SUBLAYERS[step.sublayer].toLowerCase());
  return parts.join(" · ") || { result: "Output" }[step.kind] || (step.kind === "memory" ? "Encoder output" : "Input");
}

/* Layer and head as groups of radio buttons. */
function controls(step) {
  const box = at("controls");
  box.replaceChildren();
  if (!step.layer) return;
  const same = (other) => other.stack === step.stack && other.token === step.token && other.sublayer === step.sublayer && other.kind === step.kind;
  const layers = data.steps.map((other, index) => [other, index]).filter(([other]) => same(other));
  box.append(radios("Layer", layers.map(([other, index]) => ({ label: other.layer, isChosen: index === state.index, choose: () => { go(index, true); focusChosen("Layer"); } }))));
  const heads = Math.max(...data.models.map((model) => model.heads[step.stack]));
  if (step.sublayer !== "feed_forward" && heads > 1 && !["residual", "residual_pre", "norm_before"].includes(step.kind)) {
    box.append(radios("Head", Array.from({ length: heads }, (_, head) => ({ label: head + 1, isChosen: head === state.head, choose: () => { chooseHead(head); focusChosen("Head"); } }))));
  }
}

function radios(name, choices) {
  return make("fieldset", {}, make("legend", {}, name), ...choices.map((choice) => make("label", {},
    make("input", { type: "radio", name, checked: choice.isChosen, onchange: choice.choose }), make("span", {}, String(choice.label)))));
}

function focusChosen(name) { const input = document.querySelector(`input[name="${name}"]:checked`); if (input) input.focus(); }
function chooseHead(head) { state.head = head; show(); }

function pictures(step) {
  const box = at("pictures");
  box.replaceChildren();
  state.drawn = [];
  data.models.forEach((model, number) => {
    const own = make("section", { class: "model", "aria-label": data.models.length > 1 ? `Model ${LETTERS[number]}` : null });
    if (data.models.length > 1) own.append(make("h3", {}, make("span", { class: `letter ${"ab"[number]}` }, LETTERS[number]), ` ${model.name}`));
    box.append(own);
    box.classList.toggle("two", data.models.length > 1);
    const rows = panelsOf(model, step, number, dark.matches ? PALETTES.dark : PALETTES.light);
    if (!rows) {
      own.append(make("p", { class: "soft" }, step.token > model.chosen.length ? `This model is done after ${model.chosen.length} tokens.` : "This model has no such step."));
      return;
    }
    const room = own.clientWidth;
    const matrices = rows.filter(([panel]) => panel.rows && !panel.columns);
    // What is one below the other has its cells one below the other.
    const left = (panels) => Math.max(0, ...matrices.filter((others) => others.length === panels.length).flat().map((panel) => labelRoom(panel.rows)));
    for (const panels of rows) own.append(make("div", { class: "row" }, ...panels.map((panel) => figure(panel, panels, room, matrices.length, number, left(panels)))));
  });
  at("save").hidden = !state.drawn.length;
  at("numbers").hidden = !state.drawn.some((one) => one.panel.rows);
}

function panelsOf(model, step, number, palette) {
  if (!step.models[number]) return null;
  const [sourceLabels, targetLabels] = model.labels;
  return PICTURES[step.kind]({ model, step, head: state.head, palette, sourceLabels, targetLabels, chooseHead });
}

function picture(panel, beside, room, stacked, palette, left = 0) {
  if (panel.bars) return barPicture(panel.bars, Math.min(room, 620), palette);
  if (panel.chips) return chipPicture(panel.chips, room, palette, panel.label);
  const most = beside.some((other) => other.small) ? 40 : 46;
  const isNarrow = room < 560;
  const shares = beside.map((one) => (beside.some((other) => other.small) ? (one.small ? 0.38 : 0.62) : 1));
  const all = shares.reduce((sum, share) => sum + share, 0);
  const own = beside.length > 1 && !isNarrow ? (room - 14 * (beside.length - 1)) * shares[beside.indexOf(panel)] / all : room;
  const height = panel.flat ? 192 / panel.height : Math.max(7, Math.min(stacked > 2 ? 15 : 20, (stacked > 2 ? 430 : 520) / Math.max(1, isNarrow ? stacked : Math.min(stacked, 4)) / panel.height));
  return matrixPicture(panel, own, palette, panel.columns ? (panel.small ? Math.max(7, Math.min(24, 220 / panel.height)) : most) : height, left);
}

function figure(panel, beside, room, stacked, number, left) {
  if (panel.html) return panel.html;
  const drawn = picture(panel, beside, room, stacked, dark.matches ? PALETTES.dark : PALETTES.light, left);
  state.drawn.push({ panel, beside, room, stacked, drawn, number });
  const caption = panel.title ? make("figcaption", {}, make("span", {}, ...raised(panel.title)), panel.shape ? make("code", {}, panel.shape) : null) : null;
  if (!panel.rows) return make("figure", {}, caption, drawn.svg);
  if (state.isNumbers) return make("figure", {}, caption, numberTable(panel));
  const box = make("div", { class: "matrix", tabindex: "0", role: "application", "aria-roledescription": "matrix",
    "aria-label": `${panel.title}, ${panel.height} rows, ${panel.width} columns. Arrow keys read its cells.` }, drawn.svg);
  watchCells(box, panel, drawn, number);
  return make("figure", {}, caption, box);
}

/* W^Q with its letter raised, W_1 with its number lowered. */
function raised(text) {
  return text.split(/(\^\w|(?<=W)_\d)/).map((piece) => (/^\^\w$/.test(piece) ? make("sup", {}, piece[1]) : /^_\d$/.test(piece) ? make("sub", {}, piece[1]) : piece));
}

function numberTable(panel) {
  const heads = panel.columns || Array.from({ length: panel.width }, (_, at) => String(at + 1));
  const body = panel.rows.map((label, i) => make("tr", {}, make("th", { scope: "row" }, label), ...heads.map((_, j) => make("td", { class: "number" }, panel.kind === "mask" ? (panel.value(i, j) ? "True" : "False") : number(panel.value(i, j), panel.digits)))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of ${panel.title}` },
    make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, make("td", {}), ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...body)));
}

/* A cell under the pointer, or the one that the arrow keys are at: its number, and what it was made of. */
function watchCells(box, panel, drawn, owner) {
  let cell = null;
  const show = (i, j) => { cell = [i, j]; showTip(panel, drawn, i, j, owner); };
  const point = (event) => {
    const area = drawn.svg.getBoundingClientRect();
    const scale = drawn.size[0] / area.width;
    const [j, i] = [((event.clientX - area.left) * scale - drawn.left) / drawn.across, ((event.clientY - area.top) * scale - drawn.top) / drawn.down].map(Math.floor);
    if (i >= 0 && j >= 0 && i < panel.height && j < panel.width) show(i, j);
    else hideTip();
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerdown", point);
  // A finger leaves as soon as it is lifted; what it has shown stays until the next touch.
  box.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hideTip(); });
  box.addEventListener("blur", hideTip);
  box.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -panel.width], End: [0, panel.width] }[event.key];
    if (event.key === "Escape") { hideTip(); return; }
    if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [i, j] = cell || [0, 0];
    if (!cell) show(0, 0);
    else show(Math.max(0, Math.min(panel.height - 1, i + move[0])), Math.max(0, Math.min(panel.width - 1, j + move[1])));
  });
}

function showTip(panel, drawn, i, j, owner) {
  document.querySelectorAll(".mark").forEach((mark) => mark.remove());
  const palette = dark.matches ? PALETTES.dark : PALETTES.light;
  const made = panel.made(i, j);
  outlineCells(drawn, i, j, 1, 1, palette);
  for (const mark of made.marks) {
    for (const other of state.drawn) {
      if (other.number !== owner || other.panel.key !== mark.key) continue;
      if (mark.row !== undefined) outlineCells(other.drawn, mark.row, 0, 1, other.panel.width, palette);
      else outlineCells(other.drawn, 0, mark.column, other.panel.height, 1, palette);
    }
  }
  const value = panel.kind === "mask" ? (panel.value(i, j) ? "True" : "False") : number(panel.value(i, j), 4);
  const tip = at("tip");
  tip.replaceChildren(make("b", {}, value), make("span", {}, ` ${panel.row ? `${panel.row} ` : ""}${panel.rows[i]}, ${panel.columns ? panel.columns[j] : `column ${j + 1}`}`), made.text ? make("small", {}, ...raised(made.text)) : "");
  tip.hidden = false;
  state.tip = { panel, drawn, i, j };
  placeTip();
}

function placeTip() {
  const tip = at("tip");
  if (tip.hidden) return;
  const { panel, drawn, i, j } = state.tip;
  const area = drawn.svg.getBoundingClientRect();
  const scale = area.width / drawn.size[0];
  const [x, y] = [area.left + (drawn.left + (j + 0.5) * drawn.across) * scale, area.top + (drawn.top + i * drawn.down) * scale];
  tip.style.left = `${Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, x - tip.offsetWidth / 2))}px`;
  // Outwards from the middle of the matrix, where it hides few cells.
  const isAbove = i < panel.height / 2 && y - tip.offsetHeight - 8 > 4;
  tip.style.top = `${isAbove ? y - tip.offsetHeight - 8 : y + drawn.down * scale + 8}px`;
}

function outlineCells(drawn, i, j, down, across, palette) {
  drawn.svg.append(draw("rect", { class: "mark", x: drawn.left + j * drawn.across, y: drawn.top + i * drawn.down, width: across * drawn.across, height: down * drawn.down, fill: "none", stroke: palette.mark, "stroke-width": 1.6 }));
}

function hideTip() {
  at("tip").hidden = true;
  document.querySelectorAll(".mark").forEach((mark) => mark.remove());
}

/* Lines of code: one that is too long goes on below, further in, and is cut at spaces alone. */
function codeBox({ code: text, file, line }) {
  const lines = text.split("\n").map((one) => {
    const element = make("span", { class: "line" }, ...one.split(/(?<=[([])/).flatMap((piece, place) => (place ? [make("wbr"), piece] : [piece])));
    const within = one.length - one.trimStart().length + 4;
    element.style.paddingLeft = `${within}ch`;
    element.style.textIndent = `-${within}ch`;
    return element;
  });
  return [make("pre", { tabindex: "0", role: "region", "aria-label": `Code, ${file}, line ${line}` }, make("code", {}, ...lines)), make("p", { class: "soft file" }, `src/${file}, line ${line}`)];
}

function details(said) {
  const shapes = state.drawn.filter((one) => one.panel.shape && one.number === 0).map(({ panel }) => make("div", {}, make("dt", {}, ...raised(panel.title)), make("dd", {}, make("code", {}, panel.shape), make("span", {}, panel.meaning))));
  const ofPaper = ({ letter, explanation }) => [
    explanation.formula ? make("p", { class: "formula" }, ...letterOf(letter), new DOMParser().parseFromString(explanation.formula, "text/html").body) : null,
    explanation.place ? make("p", { class: "soft" }, ...(explanation.formula ? [] : letterOf(letter)), explanation.place) : null,
  ];
  const { formula, place } = said[0].explanation;
  const isSameInPaper = said.every(({ explanation }) => explanation.formula === formula && explanation.place === place);
  at("details").replaceChildren(...[
    shapes.length ? make("section", {}, make("h3", {}, "Shapes"), make("dl", {}, ...shapes)) : null,
    formula || place ? make("section", {}, make("h3", {}, "In the paper"), ...(isSameInPaper ? ofPaper({ ...said[0], letter: null }) : said.flatMap(ofPaper))) : null,
    ...said.map(({ letter, explanation }) => make("section", {}, make("h3", {}, ...letterOf(letter), "In our code"), ...explanation.code.flatMap(codeBox))),
  ].filter(Boolean));
}

/* One SVG of everything on the screen, in light colours, for a paper. */
function svgOfPictures() {
  const whole = draw("svg", { xmlns: "http://www.w3.org/2000/svg", "font-family": FONT });
  let [y, wide] = [12, 0];
  for (const { panel, beside, room, stacked } of state.drawn) {
    const { svg } = picture(panel, beside, Math.max(room, 600), stacked, PALETTES.light);
    if (panel.title) whole.append(draw("text", { x: 12, y: y + 14, "font-size": 13, "font-weight": 600, fill: PALETTES.light.ink }, `${panel.title} ${panel.shape || ""}`));
    svg.setAttribute("x", 12);
    svg.setAttribute("y", y + 22);
    whole.append(svg);
    y += 22 + Number(svg.getAttribute("height")) + 16;
    wide = Math.max(wide, Number(svg.getAttribute("width")) + 24);
  }
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${wide} ${y}`, width: wide, height: y })) whole.setAttribute(name, value);
  whole.prepend(draw("rect", { width: wide, height: y, fill: "#ffffff" }));
  return new XMLSerializer().serializeToString(whole);
}

at("save").addEventListener("click", () => {
  const url = URL.createObjectURL(new Blob([svgOfPictures()], { type: "image/svg+xml" }));
  make("a", { href: url, download: `walk-${data.steps[state.index].id.replaceAll("/", "-")}.svg` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
});
at("numbers").addEventListener("click", () => {
  state.isNumbers = !state.isNumbers;
  at("numbers").setAttribute("aria-pressed", String(state.isNumbers));
  show();
});
at("back").addEventListener("click", () => move(false));
at("next").addEventListener("click", () => move(true));
at("skip").addEventListener("click", () => go(groups[groupIndex() + 1].steps[0]));
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.matches("input, .scroll, pre")) return;
  if (event.key === "ArrowRight") move(true);
  if (event.key === "ArrowLeft") move(false);
});
/* Go where the address says, such as #tour/ids, or #ids for one of all steps; elsewhere the tour begins. */
function follow(isFirst) {
  let address = "";
  try { address = decodeURIComponent(location.hash.slice(1)); } catch { /* mistyped */ }
  const index = data.steps.findIndex((step) => step.id === address.replace(/^tour\//, ""));
  const isTour = index < 0 || address.startsWith("tour/");
  if (isFirst || index !== state.index || isTour !== state.isTour) {
    state.isTour = isTour;
    go(index < 0 ? tour[0] : index, isFirst);
  }
}
addEventListener("hashchange", () => follow(false));
document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".matrix")) hideTip(); });
addEventListener("scroll", placeTip, { passive: true });
dark.addEventListener("change", show);
let narrowed = innerWidth;
addEventListener("resize", () => { if (innerWidth !== narrowed) { narrowed = innerWidth; show(); } });
follow(true);
