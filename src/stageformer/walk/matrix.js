"use strict";
/* Drawing: matrices, bars and chips as SVG. A cell is no element of its own: all cells of one colour are one path, so
   that thousands of numbers stay quick; which cell is meant follows from the place of the pointer. */

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/* Minus is orange, plus is purple, nothing is the paper: the colours of the library's other pictures. */
const PALETTES = {
  light: { minus: [179, 88, 6], zero: [248, 248, 249], plus: [84, 39, 136], share: [8, 81, 156], ink: "#1a1d21",
    soft: "#565d66", rule: "#b3bac3", mark: "#111111", hatch: "#9aa2ab", paper: "#ffffff", bar: "#0072b2", chosen: "#c25400" },
  dark: { minus: [255, 176, 82], zero: [34, 39, 44], plus: [190, 168, 255], share: [140, 203, 242], ink: "#e8eaed",
    soft: "#a5adb7", rule: "#59626c", mark: "#ffffff", hatch: "#6b747e", paper: "#14171a", bar: "#56b4e9", chosen: "#e69f00" },
};
const LEVELS = 24;
const TURN = 48; // degrees
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";

function mixed(from, to, part) {
  return "#" + from.map((value, at) => Math.round(value + (to[at] - value) * part).toString(16).padStart(2, "0")).join("");
}

function number(value, digits = 3) {
  if (value === -Infinity) return "−∞";
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/* A matrix: {key, title, rows: [label], columns: [label] or null, height, width, value(i, j), kind: "signed", "share" or
   "mask", shape: text, newest: row or -1, bounds: columns that a line is before, chosen: [first, end, "rows" or "columns"]
   that a frame is around, digits: after the point, row: what the label of a row is ("row"), made(i, j): {text, marks}}. */
function matrixPicture(matrix, room, palette, height, atLeast = 0) {
  const { rows, columns } = matrix;
  const left = Math.max(atLeast, labelRoom(rows));
  const square = columns !== null;
  let across = Math.max(matrix.flat ? 0.8 : 1.5, Math.min(square ? 46 : 15, (room - left - 4) / matrix.width));
  let down = height;
  if (square) {
    across = Math.min(across, height || 46);
    down = across;
  }
  const top = square ? Math.min(96, Math.max(...columns.map((label) => width(label))) * 5.6 + 14) : 4;
  const size = [left + across * matrix.width + (square ? Math.min(64, width(columns.at(-1)) * 4 + 8) : 4), top + down * matrix.height + 4];
  const svg = draw("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, width: size[0], height: size[1], "font-family": FONT, "aria-hidden": "true" });
  const most = largest(matrix);
  const paths = new Map();
  let hatched = "";
  for (let i = 0; i < matrix.height; i++) {
    for (let j = 0; j < matrix.width; j++) {
      const value = matrix.value(i, j);
      const [x, y] = [left + j * across, top + i * down];
      if (value === -Infinity || (matrix.kind === "mask" && !value)) {
        for (let at = 1; at < 4; at++) {
          const [a, b] = [across * at / 4, down * at / 4];
          hatched += `M${fine(x)} ${fine(y + b)}L${fine(x + a)} ${fine(y)}M${fine(x + a)} ${fine(y + down)}L${fine(x + across)} ${fine(y + b)}`;
        }
        hatched += `M${fine(x)} ${fine(y + down)}L${fine(x + across)} ${fine(y)}`;
        continue;
      }
      const level = Math.round(value / most * LEVELS);
      // Neighbours share their edges to the digit, or there would be gaps between some.
      paths.set(level, (paths.get(level) || "") + `M${fine(x)} ${fine(y)}H${fine(left + (j + 1) * across)}V${fine(top + (i + 1) * down)}H${fine(x)}z`);
    }
  }
  for (const [level, path] of paths) {
    const strong = matrix.kind === "signed" ? (level < 0 ? palette.minus : palette.plus) : palette.share;
    svg.append(draw("path", { d: path, fill: mixed(palette.zero, strong, Math.abs(level) / LEVELS), "shape-rendering": "crispEdges" }));
  }
  if (hatched) svg.append(draw("path", { d: hatched, stroke: palette.hatch, "stroke-width": 0.9, fill: "none" }));
  for (const bound of matrix.bounds || []) {
    const x = left + bound * across;
    svg.append(draw("path", { d: `M${x} ${top}V${size[1] - 4}`, stroke: palette.ink, "stroke-width": 1, opacity: 0.55 }));
  }
  svg.append(draw("rect", { x: left, y: top, width: across * matrix.width, height: down * matrix.height, fill: "none", stroke: palette.rule }));
  const print = square && across >= 33;
  if (print) {
    for (let i = 0; i < matrix.height; i++) {
      for (let j = 0; j < matrix.width; j++) {
        const value = matrix.value(i, j);
        if (value === -Infinity || matrix.kind === "mask") continue;
        const strong = Math.abs(value / most) > 0.52;
        svg.append(draw("text", { x: left + (j + 0.5) * across, y: top + (i + 0.5) * down + 3.5, "text-anchor": "middle",
          "font-size": 10, fill: strong ? palette.paper : palette.ink }, number(value, 2)));
      }
    }
  }
  const between = labelled(rows.length, down, matrix.newest);
  for (const i of between.shown) {
    svg.append(draw("text", { "data-label": "", x: left - 6, y: top + (i + 0.5) * down + between.size * 0.36, "text-anchor": "end", "font-size": between.size,
      fill: palette.ink, "font-weight": i === matrix.newest ? 700 : 400 }, shortened(rows[i], 15)));
  }
  if (square) {
    // Turned labels are nearer to each other than the columns that they name.
    const turned = labelled(columns.length, across * Math.sin(TURN * Math.PI / 180), -1);
    for (const j of turned.shown) {
      const [x, y] = [left + (j + 0.5) * across + turned.size * 0.3, top - 5];
      svg.append(draw("text", { "data-label": "", x, y, "font-size": turned.size, fill: palette.ink, transform: `rotate(-${TURN} ${x} ${y})` }, shortened(columns[j], 15)));
    }
  }
  if (matrix.chosen) {
    const [from, to, along] = matrix.chosen; // columns, or rows of a matrix that is chosen along them
    svg.append(draw("rect", along === "rows"
      ? { x: left, y: top + from * down, width: across * matrix.width, height: (to - from) * down, fill: "none", stroke: palette.chosen, "stroke-width": 2 }
      : { x: left + from * across, y: top, width: (to - from) * across, height: down * matrix.height, fill: "none", stroke: palette.chosen, "stroke-width": 2 }));
  }
  if (matrix.newest >= 0 && matrix.height > 1) {
    svg.append(draw("rect", { x: left, y: top + matrix.newest * down, width: across * matrix.width, height: down, fill: "none",
      stroke: palette.chosen, "stroke-width": 2 }));
  }
  return { svg, left, top, across, down, size };
}

/* Which of so many labels are written, and how large, so that none touches another: the newest in any case. */
function labelled(count, distance, newest) {
  const step = Math.max(1, Math.ceil(10 / distance));
  const shown = Array.from({ length: count }, (_, at) => at).filter((at) => at === newest || (at % step === 0 && (newest < 0 || Math.abs(at - newest) >= step)));
  return { shown, size: Math.min(11.5, step * distance * 0.9) };
}

function labelRoom(labels) { return Math.min(118, Math.max(...labels.map((label) => width(label))) * 7 + 12); }

function largest(matrix) {
  if (matrix.kind !== "signed") return 1;
  let most = 1e-9;
  for (let i = 0; i < matrix.height; i++) {
    for (let j = 0; j < matrix.width; j++) {
      const value = Math.abs(matrix.value(i, j));
      if (value > most && value < Infinity) most = value;
    }
  }
  return most;
}

function fine(value) { return Math.round(value * 100) / 100; }

/* Wide characters, such as those of Chinese, take the room of two. */
function width(text) {
  let sum = 0;
  for (const character of shortened(text, 15)) sum += character.codePointAt(0) >= 0x1100 ? 1.7 : 1;
  return sum;
}

function shortened(text, most) {
  const characters = Array.from(text);
  return characters.length > most ? characters.slice(0, most - 1).join("") + "…" : text;
}

/* Bars: [{label, note, value, shown, chosen}], the largest as wide as there is room. */
function barPicture(bars, room, palette) {
  const labels = Math.min(185, Math.max(...bars.map((bar) => width(bar.label) * 7.8 + 60)));
  const height = 27;
  const low = Math.min(0, ...bars.map((bar) => bar.value));
  const high = Math.max(...bars.map((bar) => bar.value), 1e-9);
  const scale = Math.max(40, room - labels - Math.max(...bars.map((bar) => bar.shown.length)) * 7 - 26) / (high - low);
  const svg = draw("svg", { viewBox: `0 0 ${room} ${bars.length * height + 4}`, width: room, height: bars.length * height + 4, "font-family": FONT, role: "img",
    "aria-label": bars.map((bar) => `${bar.label}, id ${bar.note}: ${bar.shown}${bar.chosen ? ", chosen" : ""}`).join("; ") });
  bars.forEach((bar, at) => {
    const y = at * height + 2;
    const start = labels + (Math.min(bar.value, 0) - low) * scale;
    const fill = bar.chosen ? palette.chosen : palette.bar;
    svg.append(
      draw("text", { x: labels - 50, y: y + 17, "text-anchor": "end", "font-size": 13, fill: palette.ink, "font-weight": bar.chosen ? 700 : 400 }, shortened(bar.label, 15)),
      draw("text", { x: labels - 8, y: y + 17, "text-anchor": "end", "font-size": 10.5, fill: palette.soft }, bar.note),
      draw("rect", { x: start, y: y + 4, width: Math.max(1, Math.abs(bar.value) * scale), height: height - 9, fill, rx: 2 }),
      draw("text", { x: start + Math.abs(bar.value) * scale + 6, y: y + 17, "font-size": 12, fill: palette.ink, "font-weight": bar.chosen ? 700 : 400 }, bar.shown + (bar.chosen ? " ✓" : "")),
    );
  });
  return { svg };
}

/* Chips: [{text, note, strong}], side by side, in as many lines as they need. */
function chipPicture(chips, room, palette, label) {
  const svg = draw("svg", { "font-family": FONT, role: "img", "aria-label": `${label}: ${chips.map((chip) => chip.text + (chip.note ? ` (${chip.note})` : "")).join(", ")}` });
  let [x, y] = [1, 2];
  const line = chips.some((chip) => chip.note) ? 56 : 40;
  for (const chip of chips) {
    const wide = Math.max(width(chip.text) * 9.4, width(chip.note || "") * 6.2) + 18;
    if (x + wide > room && x > 1) [x, y] = [1, y + line];
    svg.append(
      draw("rect", { x, y, width: wide, height: 30, rx: 6, fill: chip.strong ? palette.chosen : palette.zeroFill || mixed(palette.zero, palette.share, 0.1),
        stroke: chip.strong ? palette.chosen : palette.rule }),
      draw("text", { x: x + wide / 2, y: y + 20, "text-anchor": "middle", "font-size": 15, fill: chip.strong ? palette.paper : palette.ink, "font-weight": chip.strong ? 700 : 500 }, shortened(chip.text, 15)),
      draw("text", { x: x + wide / 2, y: y + 44, "text-anchor": "middle", "font-size": 10.5, fill: palette.soft }, chip.note || ""),
    );
    x += wide + 7;
  }
  const height = y + line - 6;
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${room} ${height}`, width: room, height })) svg.setAttribute(name, value);
  return { svg };
}
