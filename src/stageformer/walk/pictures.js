/* What each kind of step shows: a function of the view that returns rows of panels. A panel is a matrix, bars, chips or a
   piece of HTML. A view is {model, step, head, palette, sourceLabels, targetLabels, chooseHead}. */

function array(model, name) {
  let found = model.arrays[name];
  if (typeof found === "string") return array(model, found); // the same as another
  if (typeof found[1] === "string") {
    const bytes = Uint8Array.from(atob(found[1]), (character) => character.charCodeAt(0));
    const steps = found[2];
    found = model.arrays[name] = [found[0], steps ? Float64Array.from(new Int16Array(bytes.buffer), (value) => value / steps) : new Float32Array(bytes.buffer)];
  }
  return found;
}

/* Learned matrices, side by side, or a note where the page would have grown too large: [{name, title, attribute, ...}]. */
function learned(view, weights) {
  const { model, step } = view;
  const start = `${step.stack}.${step.layer}.${step.sublayer}`;
  const titles = [...new Set(weights.map((one) => one.title.split(" ")[0]))];
  if (!(`${start}.${weights[0].name}` in model.arrays)) {
    const several = titles.length > 1;
    const modules = [...new Set(weights.map((one) => one.attribute))].map((attribute) => make("code", {}, `model.${step.stack}.layers[${step.layer - 1}].${step.sublayer}.${attribute}.weight`));
    return [{ html: make("p", { class: "left-out soft" }, ...titles.flatMap((title, at) => [at ? (at === titles.length - 1 ? " and " : ", ") : "", ...raised(title)]),
      ` ${several ? "are" : "is"} not on this page: with every learned matrix it would have ${number(data.full, 1)} MiB, and 5 MiB are the most. Python has ${several ? "them" : "it"}: `,
      make("code", {}, 'model = Translator.load(".").model'), ", then ", ...modules.flatMap((module, at) => [at ? ", " : "", module]), "." ) }];
  }
  return weights.map((one) => {
    const [shape] = array(model, `${start}.${one.name}`);
    const size = shape.slice(-2);
    return { ...matrix(view, `${start}.${one.name}`, one.title, Array.from({ length: size[0] }, (_, row) => String(row + 1)), { head: one.head, meaning: one.meaning }),
      key: one.key, shape: `[${size.join(", ")}]`, flat: true, digits: 4, row: "row", chosen: one.chosen };
  });
}

function element(model, name, head, i, j) {
  const [shape, data] = array(model, name);
  return shape.length === 3 ? data[(head * shape[1] + i) * shape[2] + j] : data[i * shape[1] + j];
}

function matrix(view, name, title, rows, options = {}) {
  const [shape] = array(view.model, name);
  const wide = options.columns ? options.columns.length : options.width || shape[shape.length - 1];
  const letter = view.step.stack === "decoder" && name !== "decoder.memory" ? "T" : "S";
  return {
    key: name, title, rows, columns: options.columns || null, height: rows.length, width: wide, kind: options.kind || "signed",
    value: (i, j) => element(view.model, name, options.head || 0, i, j), newest: options.newest ?? -1,
    shape: options.shape || `[${[1, rows.length, wide].join(", ")}]`, meaning: options.meaning || `[B, ${letter}, ${options.last || "D"}]`,
    made: options.made || (() => ({ text: "", marks: [] })),
  };
}

function table(heads, rows, numeric = []) {
  return { html: make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heads.join(", ") },
    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head, at) => make("th", { scope: "col", class: numeric.includes(at) ? "number" : null }, head)))),
      make("tbody", {}, ...rows.map((row) => make("tr", { class: row.strong ? "strong" : null }, ...row.cells.map((cell, at) =>
        make("td", { class: numeric.includes(at) ? "number" : null }, String(cell)))))))) };
}

const code = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
const characters = (text) => Array.from(text).map((character) => ({ text: character === " " ? "␣" : plain(character) === character ? character : "·", note: code(character) }));

/* Controls, and what turns the direction of the text around it, are written as their numbers. */
function plain(text) { return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) => `⟨${code(character)}⟩`); }

function rowsOf(view) {
  return view.step.stack === "decoder" ? view.targetLabels.slice(0, view.step.token) : view.sourceLabels;
}

/* Two or three matrices of one shape, each made of the cells at the same place of the others. */
function sameCell(view, names, text) {
  return (i, j) => ({ text, marks: names.flatMap((key) => [{ key, row: i }, { key, column: j }]) });
}

function embedded(view, stack) {
  const rows = rowsOf(view);
  const newest = stack === "decoder" ? rows.length - 1 : -1;
  const [scaled, positions, sum] = ["scaled", "positions", "sum"].map((name) => `${stack}.embedding.${name}`);
  const panels = [[matrix(view, scaled, "Rows of E · √d", rows, { newest })]];
  if (positions in view.model.arrays) {
    panels.push([{ ...matrix(view, positions, "+ positions", rows.map((_, at) => String(at)), { shape: `[${rows.length}, ${array(view.model, sum)[0][1]}]`, meaning: `[${stack === "decoder" ? "T" : "S"}, D], the same for each sentence of a batch` }), row: "position" }]);
  }
  panels.push([matrix(view, sum, "= x", rows, { newest, made: sameCell(view, [scaled, positions], "token + position, cell by cell") })]);
  return panels;
}

function aroundSublayer(view, isPre) {
  const rows = rowsOf(view);
  const newest = view.step.stack === "decoder" ? rows.length - 1 : -1;
  const start = `${view.step.stack}.${view.step.layer}.${view.step.sublayer}`;
  const [input, output, sum, after] = ["input", "output", "sum", "after"].map((name) => `${start}.${name}`);
  const first = [[matrix(view, input, "x, what went in", rows, { newest })], [matrix(view, output, "+ what came out", rows, { newest })]];
  const added = (name, title) => [matrix(view, name, title, rows, { newest, made: sameCell(view, [input, output], "the sum of the two, cell by cell") })];
  if (isPre) return [...first, added(after, "= the new x")];
  return [...first, added(sum, "= the sum"), [matrix(view, after, "LayerNorm of it: the new x", rows, { newest,
    made: (i) => ({ text: `the row of ${rows[i]} with mean 0 and variance 1, times scale, plus shift`, marks: [{ key: sum, row: i }] }) })]];
}

function normed(view, before, after) {
  const rows = rowsOf(view);
  const newest = view.step.stack === "decoder" ? rows.length - 1 : -1;
  return [[matrix(view, before, "x", rows, { newest })], [matrix(view, after, "LayerNorm(x)", rows, { newest,
    made: (i) => ({ text: `the row of ${rows[i]} with mean 0 and variance 1, times scale, plus shift`, marks: [{ key: before, row: i }] }) })]];
}

function candidateBars(view, field, digits) {
  const chosen = view.model.chosen[view.step.token - 1];
  return { bars: chosen.candidates.map((one) => ({ label: one.token, note: String(one.id), value: one[field],
    shown: field === "probability" ? percent(one[field]) + (one.drawn !== null ? `, drawn with ${percent(one.drawn)}` : "") : number(one[field], digits), chosen: one.id === chosen.id })) };
}

function percent(value) { return value === 0 ? "0 %" : value >= 0.00005 ? `${(value * 100).toFixed(2)} %` : `${(value * 100).toExponential(1).replace("-", "−")} %`; }

/* The text that the tokens are of. */
const given = (view) => ({ html: make("p", { class: "so-far" }, make("span", { class: "label" }, "Text"), make("span", { class: "given", dir: "auto" }, plain(view.model.normalised))) });
const isUnknown = (entry) => entry.spelled !== entry.token;

const PICTURES = {
  ...ATTENTION,
  text: (view) => [[{ chips: characters(view.model.source), label: "Characters and their numbers in Unicode" }]],
  normalised: (view) => [[{ chips: characters(view.model.source), label: "Given", title: "Given" }],
    [{ chips: characters(view.model.normalised), label: "Normalised", title: view.model.source === view.model.normalised ? "Normalised: nothing to change" : "Normalised" }]],
  tokens: (view) => [[given(view)], [{ chips: view.model.sourceEntries.map((entry) => ({ text: plain(entry.spelled) })), label: "Tokens", title: "Tokens" }]],
  ids: (view) => {
    const entries = view.model.sourceEntries;
    const unknown = [...new Set(entries.filter(isUnknown).map((entry) => plain(entry.spelled)))];
    return [
      [given(view)],
      [{ chips: entries.map((entry) => ({ text: String(entry.id), note: plain(entry.spelled), strong: isUnknown(entry) })), label: "Ids", shape: `[1, ${entries.length}]`, meaning: "[B, S]", title: "source ids" }],
      ...(unknown.length ? [[{ html: make("p", { class: "unknown" }, "Not in the vocabulary: ", ...unknown.flatMap((token, at) => [at ? ", " : "", make("b", { dir: "auto" }, token)]),
        `. The training set does not have ${unknown.length > 1 ? "them" : "it"}, or not often enough. The model sees <unk> there, and cannot tell what it was.`) }]] : []),
      [table(["Token", "Id", "Count in train", "Before and after it in the vocabulary"], entries.map((entry) => ({
        cells: [isUnknown(entry) ? `${plain(entry.spelled)} → ${entry.token}` : plain(entry.token), entry.id, entry.count.toLocaleString("en"), entry.around.map(([id, token]) => `${id} ${plain(token)}`).join(" · ")] })), [1, 2])],
    ];
  },
  embedding: (view) => {
    const rows = view.sourceLabels;
    return [
      [matrix(view, "encoder.embedding.rows", "E[ids], one row a token", rows)],
      [matrix(view, "encoder.embedding.scaled", view.model.scale === 1 ? "as they are: this model does not scale" : "times √d", rows, { made: sameCell(view, ["encoder.embedding.rows"], `row of E times ${number(view.model.scale, 2)}`) })],
      [table(["Token", "Nearest rows of E (cosine)"], view.model.sourceEntries.map((entry) => ({
        cells: [entry.token, entry.nearest.map(([token, near]) => `${token} ${number(near, 2)}`).join(" · ")] })))],
    ];
  },
  positions: (view) => embedded(view, "encoder"),
  positions_learned: (view) => embedded(view, "encoder"),
  norm_before: (view) => { const start = `${view.step.stack}.${view.step.layer}.${view.step.sublayer}`; return normed(view, `${start}.input`, `${start}.read`); },
  residual: (view) => aroundSublayer(view, false),
  residual_pre: (view) => aroundSublayer(view, true),
  final_norm: (view) => normed(view, `${view.step.stack}.last`, `${view.step.stack}.output`),
  feed_forward: (view) => {
    const rows = rowsOf(view);
    const newest = view.step.stack === "decoder" ? rows.length - 1 : -1;
    const start = `${view.step.stack}.${view.step.layer}.feed_forward`;
    const read = `${start}.read` in view.model.arrays ? `${start}.read` : `${start}.input`;
    const [hidden, output] = [`${start}.hidden`, `${start}.output`];
    return [
      [matrix(view, read, "x, what this sub-layer reads", rows, { newest })],
      learned(view, [{ name: "inner", title: "W_1", attribute: "inner", key: "W1", meaning: "[D, F]" }, { name: "outer", title: "W_2", attribute: "outer", key: "W2", meaning: "[F, D]" }]),
      [matrix(view, hidden, "The wide layer, after its activation", rows, { newest, last: "F", made: (i, j) => ({ text: `activation of (row ${rows[i]} of x · column ${j + 1} of W_1 + bias)`, marks: [{ key: read, row: i }, { key: "W1", column: j }] }) })],
      [matrix(view, output, "Output", rows, { newest, made: (i, j) => ({ text: `row ${rows[i]} of the wide layer · column ${j + 1} of W_2 + bias`, marks: [{ key: hidden, row: i }, { key: "W2", column: j }] }) })],
    ];
  },
  memory: (view) => [
    [matrix(view, "encoder.output", "M, the memory", view.sourceLabels)],
    [table(["In memory-00000.pt", "What is there"], view.model.memoryFile.map(([name, value]) => ({ cells: [name, value] })))],
  ],
  read: (view) => {
    const rows = rowsOf(view);
    const mask = { key: "mask", title: "tgt_mask", rows, columns: rows, height: rows.length, width: rows.length, kind: "mask", newest: rows.length - 1,
      value: (i, j) => (j <= i ? 1 : 0), shape: `[${rows.length}, ${rows.length}]`, meaning: "[T, T]",
      made: (i, j) => ({ text: j <= i ? `True: ${rows[i]} may look at ${rows[j]}` : `False: ${rows[j]} comes after ${rows[i]}`, marks: [] }) };
    const chips = rows.map((token, at) => ({ text: String(view.model.targetEntries[at].id), note: token, strong: at === rows.length - 1 }));
    return [[{ chips, label: "Target ids so far", title: "tgt ids so far", shape: `[1, ${rows.length}]`, meaning: "[B, T]" }], [mask]];
  },
  target_embedding: (view) => embedded(view, "decoder"),
  logits: (view) => {
    const last = view.step.token - 1;
    const row = matrix(view, "decoder.output", "h, the last row that the decoder computed", [view.targetLabels[last]], { meaning: "[B, 1, D]" });
    return [[{ ...row, value: (i, j) => element(view.model, "decoder.output", 0, last, j) }],
      [{ ...candidateBars(view, "logit", 3), title: `The ten largest of ${view.model.vocabulary.toLocaleString("en")} logits`, shape: `[1, ${view.model.vocabulary}]`, meaning: "[B, V]" }]];
  },
  probabilities: (view) => {
    const chosen = view.model.chosen[view.step.token - 1];
    const panels = [[{ ...candidateBars(view, "probability"), title: "The ten most probable tokens, and their ids" }]];
    if (chosen.beam.length) {
      panels.push([table(["Hypotheses that the beam keeps", "Log-probability"], chosen.beam.map((one) => ({
        strong: one.is_ours, cells: [one.tokens.join(" ") + (one.is_ours ? " ✓" : ""), number(one.log_probability)] })), [1])]);
    }
    return panels;
  },
  chosen: (view) => {
    const chosen = view.model.chosen[view.step.token - 1];
    const one = chosen.candidates.find((candidate) => candidate.id === chosen.id);
    return [
      [{ chips: [{ text: String(chosen.id), note: "id", strong: true }, { text: chosen.token, note: "token" }], label: "Chosen", title: `Chosen with probability ${percent(one.probability)}` }],
      [{ html: make("p", { class: "so-far" }, make("span", { class: "label" }, "Text so far"), make("span", { class: "said", dir: "auto" }, plain(chosen.text) || "nothing yet")) }],
    ];
  },
  result: (view) => [
    [{ html: make("p", { class: "so-far" }, make("span", { class: "label", dir: "auto" }, plain(view.model.normalised)), make("span", { class: "said", dir: "auto" }, plain(view.model.chosen.at(-1).text))) }],
    [{ chips: view.model.chosen.map((chosen) => ({ text: chosen.token, note: percent(chosen.candidates.find((one) => one.id === chosen.id).probability) })), label: "Tokens and their probabilities", title: "Token by token" }],
  ],
};
