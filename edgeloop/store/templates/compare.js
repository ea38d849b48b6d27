// Two models side by side.
function comparison([one, two]) {
  const comparable = one.group === two.group;
  const change = (a, b, digits, name) => (a === null || b === null || a === 0 ? "" : `${b >= a ? "+" : ""}${number(100 * (b - a) / a, 1)} %`);
  const accuracy = (row, format) => row.formats.find(each => each.format === format) || null;
  const told = each => (each ? `${percent(each.top1)} (${(100 * each.ci95[0]).toFixed(2)} - ${(100 * each.ci95[1]).toFixed(2)}, n = ${each.n})` : NONE);
  const lines = [["Data set", one.dataset, two.dataset, ""], ["Archive", one.archive, two.archive, ""], ["Resolution", one.resolution, two.resolution, ""]];
  for (const format of new Set([...one.formats, ...two.formats].map(each => each.format))) {
    const [a, b] = [accuracy(one, format), accuracy(two, format)];
    const points = a && b && comparable ? `${b.top1 >= a.top1 ? "+" : ""}${number(100 * (b.top1 - a.top1), 2)} points` : "";
    lines.push([`Top 1, ${format}`, told(a), told(b), points]);
  }
  for (const [name, key] of [["RAM", "ram"], ["Flash", "flash"], ["Weights", "weights"]]) lines.push([name, kib(one[key]), kib(two[key]), change(one[key], two[key])]);
  lines.push(["MACC", millions(one.macs), millions(two.macs), change(one.macs, two.macs)]);
  DATA.boards.forEach((board, place) => {
    const [a, b] = [on(one, place), on(two, place)];
    if (!a && !b) return;
    const kind = board.how === "emulated" ? "Emulated" : board.how === "farm" ? "Measured by ST's farm" : board.how === "no target" ? "On the host, no target" : "Measured";
    const cell = each => (each ? `${written(each)}${[each.other_format, each.doubt].filter(Boolean).map(text => ` (${text})`).join("")}` : board.how === "emulated" ? "not emulated" : NONE);
    lines.push([`${kind}: ${board.title}`, cell(a), cell(b), a && b ? change(a.value, b.value) : ""]);
  });
  lines.push(["Champion", championOf(one), championOf(two), ""]);
  lines.push(["Commit", (one.commit || "unknown").slice(0, 10), (two.commit || "unknown").slice(0, 10), ""], ["Evaluated", one.evaluated, two.evaluated, ""]);
  return { lines, comparable };
}
const championOf = ({ since, later }) => (since === null ? "none yet" : `since ${since}${later === null ? "" : `; ${later.version.slice(0, 8)} is later${later.given_up ? ", and given up" : ""}`}`);
function drawComparison() {
  const rows = chosenRows();
  if (rows.length < 2) return;
  const { lines, comparable } = comparison(rows);
  const head = element("tr", {}, element("th", {}, ""), ...rows.map(row => element("th", { scope: "col" }, element("a", { href: row.page }, row.id))), element("th", { scope: "col" }, "Difference"));
  const body = lines.map(([name, a, b, difference]) => element("tr", { className: a === b ? "same" : "" }, element("th", { scope: "row" }, name), element("td", { "data-label": rows[0].id }, a), element("td", { "data-label": rows[1].id }, b), element("td", { "data-label": "Difference" }, difference)));
  const warning = comparable ? [] : [element("blockquote", {}, element("p", {}, "They were evaluated on different pictures: their accuracies cannot be compared."))];
  document.getElementById("compared").replaceChildren(...warning, element("table", { className: "beside" }, element("thead", {}, head), element("tbody", {}, ...body)));
}
function drawTray() {
  const rows = chosenRows(), tray = document.getElementById("tray");
  tray.hidden = !rows.length;
  tray.querySelector("span").textContent = rows.length < 2 ? `${rows.map(row => row.id)}: choose one more to compare` : rows.map(row => row.id).join(" and ");
  document.getElementById("beside").disabled = rows.length < 2;
}
