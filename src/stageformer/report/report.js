"use strict";

/* Sorting, filtering and paging of the translations. Only text nodes are made of what the data say, never markup. */
function translations() {
  const store = document.getElementById("translation-data");
  if (!store) return;
  const { columns, rows, rowsAPage } = JSON.parse(store.textContent);
  const table = document.getElementById("translation-table");
  const body = table.tBodies[0];
  const languages = columns.map((column, index) => {
    const found = body.querySelector(`td:nth-child(${index + 1}) [lang]`);
    return found ? found.lang : "";
  });
  const filter = document.getElementById("filter");
  const show = document.getElementById("show");
  const status = document.getElementById("status");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");
  const isNumber = columns.map((column) => column.kind === "number" || column.kind === "id");
  const exactColumns = columns.flatMap((column, index) => (column.kind === "exact" ? [index] : []));
  const searched = rows.map((row) => row.filter(Array.isArray).flat().filter((part) => typeof part === "string")
    .join("\n").toLowerCase());
  let order = rows.map((_, index) => index);
  let kept = order;
  let page = 0;

  const tests = {
    all: () => true,
    exact: (row) => exactColumns.some((column) => row[column][1]),
    inexact: (row) => !exactColumns.some((column) => row[column][1]),
    differ: (row) => new Set(exactColumns.map((index) => row[index][0])).size > 1,
  };

  function formatted(value, column) {
    if (column.kind === "id") return String(value);
    const digits = { minimumFractionDigits: column.decimals, maximumFractionDigits: column.decimals };
    const text = Math.abs(value).toLocaleString("en", digits);
    const sign = value < 0 ? "\u2212" : column.is_signed && value > 0 ? "+" : "";
    return sign + (column.is_signed && value === 0 ? "\u00b10" : text);
  }

  function element(tag, text, attributes) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) if (value) made.setAttribute(name, value);
    return made;
  }

  function cellOf(value, index) {
    const column = columns[index];
    const cell = element("td", "", { role: "cell", class: column.kind, "data-label": column.label });
    if (isNumber[index]) {
      cell.textContent = formatted(value, column);
      return cell;
    }
    const texts = column.kind === "exact" ? value.slice(0, 1) : value;
    for (const text of texts) {
      cell.append(element("span", text, { class: "phrase", dir: "auto", lang: languages[index] }));
    }
    if (column.kind === "exact" && value[1]) cell.append(" ", element("span", "exact", { class: "pill" }));
    return cell;
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(kept.length / rowsAPage));
    page = Math.min(Math.max(page, 0), pages - 1);
    const start = page * rowsAPage;
    const shown = kept.slice(start, start + rowsAPage);
    body.replaceChildren(...shown.map((index) => {
      const line = element("tr", "", { role: "row" });
      line.append(...rows[index].map(cellOf));
      return line;
    }));
    const whole = (value) => value.toLocaleString("en");
    status.textContent = kept.length
      ? `${whole(start + 1)}\u2013${whole(start + shown.length)} of ${whole(kept.length)} sentences`
      : "No sentence fits";
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  function select() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const test = tests[show.value];
    kept = order.filter((index) => test(rows[index]) && words.every((word) => searched[index].includes(word)));
    page = 0;
    draw();
  }

  function sort(index, isDescending) {
    const collator = new Intl.Collator(languages[index] || undefined);
    const keys = rows.map((row) => (isNumber[index] ? row[index] : row[index][0]));
    const compare = isNumber[index]
      ? (one, other) => keys[one] - keys[other]
      : (one, other) => collator.compare(keys[one], keys[other]);
    // Equal rows keep the order of the table, in both directions.
    order = rows.map((_, place) => place)
      .sort((one, other) => (isDescending ? compare(other, one) : compare(one, other)) || one - other);
    select();
  }

  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, index) => {
    const column = columns[index];
    const button = element("button", head.textContent, { type: "button", class: "sort" });
    button.append(element("span", "", { class: "direction", "aria-hidden": "true" }));
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      // Scores are first asked for from the best down, texts from A on.
      const isDescending = now ? now === "ascending" : column.kind === "number";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      sort(index, isDescending);
    });
  });
  filter.addEventListener("input", select);
  show.addEventListener("change", select);
  filter.form.addEventListener("submit", (event) => event.preventDefault());
  previous.addEventListener("click", () => { page -= 1; draw(); });
  next.addEventListener("click", () => { page += 1; draw(); });
  for (const control of [filter.form, document.getElementById("pager")]) control.hidden = false;
  document.getElementById("static").hidden = true;
  draw();
}

/* A picture opens at its own size when it is chosen, by mouse or keyboard. */
function enlarging() {
  const dialog = document.getElementById("enlarged");
  const box = dialog.querySelector("div");
  for (const picture of document.querySelectorAll(".picture img")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", `Enlarge: ${picture.alt}`);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      const image = picture.cloneNode();
      box.replaceChildren(image);
      dialog.showModal();
    });
  }
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

translations();
enlarging();
