/* The pictures of attention: queries, keys, values, scores, shares, and what comes of them. */

function attentionPlace(view) {
  const { model, step } = view;
  const start = `${step.stack}.${step.layer}.${step.sublayer}`;
  const heads = array(model, `${start}.query`)[0][0];
  const head = Math.min(view.head, heads - 1);
  const written = step.stack === "decoder" ? step.token : Infinity;
  const queries = step.stack === "encoder" ? view.sourceLabels : view.targetLabels.slice(0, step.token);
  const keys = step.sublayer === "cross_attention" || step.stack === "encoder" ? view.sourceLabels : queries;
  return { start, heads, head, queries, keys, written, newest: step.stack === "decoder" ? step.token - 1 : -1,
    name: `head ${head + 1}` };
}

function part(view, place, field, title, rows, made) {
  const [shape] = array(view.model, `${place.start}.${field}`);
  return matrix(view, `${place.start}.${field}`, title, rows, { head: place.head, made,
    newest: rows === place.queries ? place.newest : -1, shape: `[${[1, shape[0], rows.length, shape[2]].join(", ")}]`,
    meaning: `[B, H, ${rows === place.keys && rows !== place.queries ? "S" : view.step.stack === "encoder" ? "S" : "T"}, d_${field === "query" || field === "key" ? "k" : "v"}]` });
}

function square(view, place, field, title, kind, made) {
  return matrix(view, `${place.start}.${field}`, title, place.queries, { head: place.head, kind, made, columns: place.keys,
    newest: place.newest, shape: `[${[1, place.heads, place.queries.length, place.keys.length].join(", ")}]`,
    meaning: `[B, H, ${view.step.stack === "encoder" ? "S, S" : view.step.sublayer === "cross_attention" ? "T, S" : "T, T"}]` });
}

function readBy(view, place) {
  const name = `${place.start}.read` in view.model.arrays ? `${place.start}.read` : `${place.start}.input`;
  return matrix(view, name, "x, what this sub-layer reads", place.queries, { newest: place.newest });
}

function scoresOf(view, place, title) {
  const d = array(view.model, `${place.start}.query`)[0][2];
  return square(view, place, "scores", title, "signed", (i, j) => ({
    text: view.step.kind === "scores_masked" && j > i
      ? "masked: this token comes later"
      : `query of ${place.queries[i]} · key of ${place.keys[j]} / √${d}`,
    marks: [{ key: `${place.start}.query`, row: i }, { key: `${place.start}.key`, row: j }],
  }));
}

function weightsOf(view, place) {
  return square(view, place, "weights", `Softmax of ${place.name}`, "share", (i, j) => ({
    text: `exp of this score / sum of exp over the row of ${place.queries[i]}`,
    marks: [{ key: `${place.start}.scores`, row: i }],
  }));
}

/* All heads, small; a button chooses one. */
function headButtons(view, place) {
  const list = make("div", { class: "thumbs", role: "group", "aria-label": "Head" });
  for (let head = 0; head < place.heads; head++) {
    const small = matrix(view, `${place.start}.weights`, "", place.queries.map(() => ""), { head, kind: "share", columns: place.keys });
    const cell = Math.max(2, Math.min(8, 64 / Math.max(place.keys.length, place.queries.length)));
    const svg = thumbPicture(small, cell, view.palette);
    list.append(make("button", { type: "button", "aria-pressed": String(head === place.head), "aria-label": `Head ${head + 1}`,
      onclick: () => view.chooseHead(head) }, svg, make("span", {}, `Head ${head + 1}`)));
  }
  return list;
}

function thumbPicture(small, cell, palette) {
  const svg = draw("svg", { width: small.width * cell, height: small.height * cell, viewBox: `0 0 ${small.width * cell} ${small.height * cell}`, "aria-hidden": "true" });
  for (let i = 0; i < small.height; i++) {
    for (let j = 0; j < small.width; j++) {
      svg.append(draw("rect", { x: j * cell, y: i * cell, width: cell, height: cell, "shape-rendering": "crispEdges", fill: mixed(palette.zero, palette.share, small.value(i, j)) }));
    }
  }
  return svg;
}

function projections(view) {
  const place = attentionPlace(view);
  const cross = view.step.sublayer === "cross_attention";
  const read = readBy(view, place);
  const memory = cross ? matrix(view, "decoder.memory", "M, the memory", place.keys, { meaning: "[B, S, D]" }) : read;
  const from = (letter, source) => (i, j) => ({
    text: `row ${source.rows[i]} of ${cross && letter !== "Q" ? "M" : "x"} · column ${j + 1} of W^${letter} + bias`,
    marks: [{ key: source.key, row: i }, { key: `${place.start}.W${letter}`, column: j }],
  });
  const columns = (letter, made) => ({ name: `projection.${made}`, title: `W^${letter} of ${place.name}`, attribute: "in_projection", head: place.head,
    key: `${place.start}.W${letter}`, meaning: `[D, d_${made === "value" ? "v" : "k"}], the columns of this head` });
  return [
    [read], ...(cross ? [[memory]] : []),
    learned(view, [columns("Q", "query"), columns("K", "key"), columns("V", "value")]),
    [
      part(view, place, "query", `Q of ${place.name}`, place.queries, from("Q", read)),
      part(view, place, "key", `K of ${place.name}`, place.keys, from("K", memory)),
      part(view, place, "value", `V of ${place.name}`, place.keys, from("V", memory)),
    ],
  ];
}

const ATTENTION = {
  projections,
  projections_cross: projections,
  scores: scores,
  scores_masked: scores,
  softmax(view) {
    const place = attentionPlace(view);
    const from = { ...scoresOf(view, place, "From these scores"), small: true };
    // Side by side, many columns would be too narrow for their labels.
    const pictures = place.keys.length > 16 ? [[weightsOf(view, place)], [from]] : [[weightsOf(view, place), from]];
    return [...pictures, [{ html: headButtons(view, place) }]];
  },
  heads(view) {
    const place = attentionPlace(view);
    const value = part(view, place, "value", `V of ${place.name}`, place.keys);
    const head = part(view, place, "heads", `Answer of ${place.name}`, place.queries, (i, j) => ({
      text: `shares of ${place.queries[i]} · column ${j + 1} of V`,
      marks: [{ key: `${place.start}.weights`, row: i }, { key: value.key, column: j }],
    }));
    return [[{ ...weightsOf(view, place), small: true }, value], [head]];
  },
  output(view) {
    const place = attentionPlace(view);
    const [shape] = array(view.model, `${place.start}.heads`);
    const width = shape[0] * shape[2];
    const joined = {
      ...matrix(view, `${place.start}.heads`, place.heads > 1 ? `All heads side by side, ${place.name} framed` : "The only head", place.queries, { newest: place.newest }),
      key: `${place.start}.joined`, width, shape: `[${[1, place.queries.length, width].join(", ")}]`, chosen: place.heads > 1 ? [place.head * shape[2], (place.head + 1) * shape[2]] : null,
      bounds: Array.from({ length: shape[0] - 1 }, (_, at) => (at + 1) * shape[2]),
      value: (i, j) => element(view.model, `${place.start}.heads`, Math.floor(j / shape[2]), i, j % shape[2]),
      made: (i, j) => ({ text: `number ${j % shape[2] + 1} of head ${Math.floor(j / shape[2]) + 1}`, marks: [] }),
    };
    const output = matrix(view, `${place.start}.output`, "Output", place.queries, { newest: place.newest, made: (i, j) => ({
      text: `row ${place.queries[i]} of the heads · column ${j + 1} of W^O + bias`, marks: [{ key: joined.key, row: i }, { key: `${place.start}.WO`, column: j }],
    }) });
    const mixing = learned(view, [{ name: "out_projection", title: "W^O", attribute: "out_projection", key: `${place.start}.WO`, meaning: width === output.width ? "[D, D]" : "[H d_v, D]", chosen: joined.chosen && [...joined.chosen, "rows"] }]);
    return [[joined], mixing, [output]];
  },
};

function scores(view) {
  const place = attentionPlace(view);
  return [
    [part(view, place, "query", `Q of ${place.name}`, place.queries), part(view, place, "key", `K of ${place.name}`, place.keys)],
    [scoresOf(view, place, `Scores of ${place.name}`)],
  ];
}
