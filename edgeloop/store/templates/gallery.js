// The page: what is chosen is drawn, and drawn again when it changes.
const form = document.getElementById("filters"), axisSelect = document.getElementById("axis");

function draw() {
  const { rows, unknown } = chosen(), board = chosenBoard();
  document.getElementById("latency-name").textContent = kindOf(board) === "emulated" ? "Instructions at most (M)" : "Latency at most (ms)";
  document.getElementById("status").textContent = `${rows.length.toLocaleString("en")} of ${DATA.rows.length.toLocaleString("en")} models${unknown ? `; ${unknown} left out, because a figure that is asked for was not measured` : ""}`;
  const drawn = markFronts(rows);
  drawPlot(drawn, rows);
  drawTable(rows);
  drawTray();
  remember();
}
function sortBy(key) {
  const column = COLUMNS.find(one => one.key === key);
  state.down = key === state.sort ? (state.down ? "" : "1") : column.down ? "1" : "";
  state.sort = key;
  form.elements.sort.value = key;
  draw();
}
form.elements.sort.append(...COLUMNS.map(column => element("option", { value: column.key }, column.head)));
axisSelect.append(...AXES.map(axis => element("option", { value: axis.key }, axis.name)));
for (const name of Object.keys(FIRST)) if (form.elements[name]) form.elements[name].value = state[name];
axisSelect.value = axisNow().key;

form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("input", event => {
  const { name, value } = event.target;
  shownRows = STEP;
  if (name === "sort") { sortBy(value); return; }
  state[name] = value;
  if (name === "board") {
    state.latency = form.elements.latency.value = "";
    if (value !== "") state.axis = axisSelect.value = `board-${value}`;
  }
  draw();
});
form.addEventListener("reset", () => {
  Object.assign(state, { ...FIRST, axis: state.axis, compare: state.compare });
  shownRows = STEP;
  setTimeout(() => { form.elements.sort.value = state.sort; draw(); });
});
axisSelect.addEventListener("input", () => { state.axis = axisSelect.value; draw(); });
document.querySelector("#models thead").addEventListener("click", event => { const button = event.target.closest("button"); if (button) sortBy(button.value); });
document.getElementById("more").addEventListener("click", () => {
  const first = shownRows;
  shownRows += STEP;
  drawTable(chosen().rows);
  document.querySelectorAll("#models tbody a.card-link")[first]?.focus();
});
document.querySelector("#models tbody").addEventListener("change", event => {
  const ids = new Set(state.compare.split(" ").filter(Boolean));
  event.target.checked ? ids.add(event.target.value) : ids.delete(event.target.value);
  state.compare = [...ids].join(" ");
  for (const box of document.querySelectorAll("#models tbody input")) box.disabled = ids.size >= 2 && !box.checked;
  drawTray();
  remember();
});
document.getElementById("beside").addEventListener("click", () => { drawComparison(); document.getElementById("compare").showModal(); });
document.getElementById("drop").addEventListener("click", () => { state.compare = ""; draw(); });
const plot = document.getElementById("plot");
plot.addEventListener("keydown", movePoint);
for (const kind of ["pointerover", "focusin"]) plot.addEventListener(kind, event => showTip(event.target.closest("a")));
for (const kind of ["pointerleave", "focusout"]) plot.addEventListener(kind, () => showTip(null));
document.getElementById("app").hidden = false;
draw();
let widthBefore = plot.clientWidth;
new ResizeObserver(() => { if (plot.clientWidth !== widthBefore) { widthBefore = plot.clientWidth; const { rows } = chosen(); drawPlot(markFronts(rows), rows); } }).observe(plot);
requestAnimationFrame(() => setTimeout(() => performance.mark("drawn")));
