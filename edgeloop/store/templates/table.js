// The table: a page of rows at a time, sorted by a head that is a button.
const STEP = 100;
let shownRows = STEP;
const COLUMNS = [
  { key: "name", head: "Model", read: row => row.id, cell: nameCell },
  { key: "top1", head: "Top 1, int8", read: row => top1(row), down: true, cell: accuracyCell },
  { key: "ram", head: "RAM", read: row => size(row, "ram", chosenBoard()), cell: row => [kib(size(row, "ram", chosenBoard())), note(row.code)] },
  { key: "flash", head: "Flash", read: row => size(row, "flash", chosenBoard()), cell: row => [kib(size(row, "flash", chosenBoard())), note(`weights ${kib(row.weights)}`)] },
  { key: "latency", head: "Latency, measured", read: row => cost(row, kindOf(chosenBoard()) === "emulated" ? "measured" : kindOf(chosenBoard()), chosenBoard()), cell: row => boardCell(row, ["measured", "farm", "no target"], NONE) },
  { key: "instructions", head: "Instructions, emulated", read: row => cost(row, "emulated", kindOf(chosenBoard()) === "emulated" ? chosenBoard() : null), cell: row => boardCell(row, ["emulated"], "not emulated") },
  { key: "macs", head: "MACC", read: row => row.macs, cell: row => [millions(row.macs)] },
  { key: "evaluated", head: "Evaluated", read: row => row.evaluated, down: true, cell: row => [row.evaluated] },
];
const badge = (text, title) => element("span", { className: "badge", title }, text);
const note = text => (text ? element("small", {}, text) : null);

function nameCell(row) {
  const link = element("a", { href: row.page, className: "card-link" }, `${row.title} · ${row.resolution}`);
  const counted = `${row.versions} version${row.versions === 1 ? "" : "s"}`;
  const versions = row.history ? element("a", { href: row.history, "aria-label": `${counted} of ${row.id}` }, counted) : null;
  const small = element("small", {}, row.dataset, versions ? " · " : "", versions || "");
  const box = element("input", { type: "checkbox", value: row.id, checked: state.compare.split(" ").includes(row.id) });
  const front = row.onFront ? badge("Pareto front", "Nothing of its data set is both better and cheaper in the drawing") : null;
  return [element("div", { className: "named" }, element("label", { className: "pick" }, box, element("span", { className: "hidden" }, `Compare ${row.id}`)), element("div", {}, link, small, ...standingBadges(row), ...(front ? [front] : [])))];
}
function standingBadges({ id, since, later }) {
  const found = since === null ? [] : [badge(`champion since ${since}`, "The version that gates or a person chose")];
  if (later !== null) found.push(element("small", {}, "latest: ", element("a", { href: later.page, "aria-label": `Latest version of ${id}, ${later.version.slice(0, 8)}` }, later.version.slice(0, 8)), later.given_up ? ", given up" : ", not champion"));
  return found;
}
function accuracyCell(row) {
  const one = row.accuracy;
  if (!one) return [element("span", { className: "none" }, NONE)];
  const other = one.format === "int8 per-channel" ? "" : `, ${one.format}`;
  return [element("b", {}, percent(one.top1)), note(`${(100 * one.ci95[0]).toFixed(2)} - ${(100 * one.ci95[1]).toFixed(2)}`), note(`n = ${one.n.toLocaleString("en")}${other}`)];
}
function boardCell(row, kinds, none) {
  const board = chosenBoard();
  const found = row.boards.filter(one => kinds.includes(how(one)) && (board === null ? how(one) !== "no target" : one.board === board));
  if (!found.length) return [element("span", { className: "none" }, none)];
  return found.map(one => element("div", {}, how(one) === "emulated" ? millions(one.value) : `${number(one.value, 3)} ms`, note(about(one))));
}
function about(figure) {
  const board = DATA.boards[figure.board];
  const told = [board.title, figure.mad_ms !== null ? `MAD ${number(figure.mad_ms, 3)}` : null, board.how === "farm" ? "one figure of ST's farm" : null, board.how === "no target" ? "no target" : null, figure.other_format, figure.doubt ? `⚠ ${figure.doubt}` : null];
  return told.filter(Boolean).join(" · ");
}

function sorted(rows) {
  const column = COLUMNS.find(one => one.key === state.sort) || COLUMNS[0], sign = state.down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
  // What was not measured comes last, whichever way.
  return rows.map(row => [column.read(row), row]).sort(([a, one], [b, two]) => (a === null ? 1 : 0) - (b === null ? 1 : 0) || (a === null ? 0 : sign * compare(a, b)) || compare(one.id, two.id)).map(([, row]) => row);
}

function drawHeads() {
  const heads = COLUMNS.map(column => {
    const is = column.key === state.sort;
    const head = element("th", { scope: "col", "aria-sort": is ? (state.down ? "descending" : "ascending") : "none" });
    head.append(element("button", { type: "button", value: column.key }, column.head, element("span", { "aria-hidden": "true" }, is ? (state.down ? " ▾" : " ▴") : "")));
    return head;
  });
  const focused = document.activeElement && document.activeElement.closest("#models th button");
  document.querySelector("#models thead tr").replaceChildren(...heads);
  if (focused) document.querySelector(`#models th button[value="${focused.value}"]`).focus();
}
function drawTable(rows) {
  drawHeads();
  const full = state.compare.split(" ").filter(Boolean).length >= 2;
  const lines = sorted(rows).slice(0, shownRows).map(row => element("tr", {}, ...COLUMNS.map(column => element("td", { className: column.key, "data-label": column.head }, ...column.cell(row).filter(Boolean)))));
  for (const line of full ? lines : []) { const box = line.querySelector("input"); box.disabled = !box.checked; }
  document.querySelector("#models tbody").replaceChildren(...lines);
  const left = rows.length - lines.length, more = document.getElementById("more");
  more.hidden = left <= 0;
  more.textContent = `Show ${Math.min(left, STEP)} more of ${left}`;
}
