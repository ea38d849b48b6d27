// The drawing: accuracy against what it costs, a Pareto front for each data set and archive, points that open cards.
const HEIGHT = 340, ABOVE = 12, BELOW = 40, LEFT = 58, RIGHT = 14;
const SHAPES = ["M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", "M-4.5,-4.5h9v9h-9z", "M0,-5.8L5.6,4.4H-5.6z", "M0,-6.2L6.2,0L0,6.2L-6.2,0z"];
const GROUPS = [...new Set(DATA.rows.map(row => row.group))].sort();
const AXES = [
  { key: "ram", name: "RAM (KiB)", read: row => scaled(size(row, "ram", chosenBoard()), 1024) },
  { key: "weights", name: "weights (KiB)", read: row => scaled(row.weights, 1024) },
  ...DATA.boards.map((board, place) => ({
    key: `board-${place}`,
    name: `${board.how === "emulated" ? "emulated instructions (M)" : board.how === "farm" ? "latency by ST's farm (ms)" : "measured latency (ms)"}: ${board.title}${board.how === "no target" ? ", no target" : ""}`,
    read: row => { const one = on(row, place); return one === null ? null : scaled(one.value, board.how === "emulated" ? 1e6 : 1); },
  })),
];
const scaled = (value, by) => (value === null ? null : value / by);
const axisNow = () => AXES.find(one => one.key === state.axis) || AXES[0];
const groupName = key => { const [dataset, archive] = JSON.parse(key); return GROUPS.filter(one => JSON.parse(one)[0] === dataset).length > 1 ? `${dataset}: ${archive}` : dataset; };
const colour = key => `var(--series-${GROUPS.indexOf(key) % 6})`;

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
// Those that nothing of their group beats: cheapest first, each more accurate than all before.
function front(points) {
  let best = -1;
  return [...points].sort((one, two) => one.value - two.value || two.share - one.share).filter(point => point.share > best && (best = point.share, true));
}
function markFronts(rows) {
  const axis = axisNow();
  const points = rows.map(row => ({ row, value: axis.read(row), share: top1(row) })).filter(one => one.value !== null && one.share !== null);
  for (const row of DATA.rows) row.onFront = false;
  const fronts = GROUPS.map(key => [key, front(points.filter(one => one.row.group === key))]).filter(([, found]) => found.length);
  for (const [, found] of fronts) for (const one of found) one.row.onFront = true;
  return { axis, points, fronts };
}
function scaleOf(values, from, to, logarithmic) {
  const way = logarithmic ? Math.log10 : value => value;
  let low = way(Math.min(...values)), high = way(Math.max(...values));
  const margin = Math.max((high - low) * 0.05, logarithmic ? 0.02 : Math.abs(high) * 0.005 || 0.5);
  low -= margin; high += margin;
  return Object.assign(value => from + (way(value) - low) / (high - low) * (to - from), { low, high, logarithmic });
}
function ticksOf(scale, most) {
  if (scale.logarithmic && scale.high - scale.low > 0.9) {
    const found = [];
    for (let power = Math.floor(scale.low); power <= scale.high; power += 1) for (const digit of scale.high - scale.low > 2.2 ? [1] : [1, 2, 5]) found.push(digit * 10 ** power);
    return found.filter(value => Math.log10(value) >= scale.low && Math.log10(value) <= scale.high);
  }
  const [low, high] = scale.logarithmic ? [10 ** scale.low, 10 ** scale.high] : [scale.low, scale.high];
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(one => one * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toPrecision(10)));
  return found;
}
function describe(point, axis) {
  const one = point.row.accuracy;
  return `${point.row.title} · ${point.row.dataset} · ${point.row.resolution}: ${percent(one.top1)} (${(100 * one.ci95[0]).toFixed(2)} - ${(100 * one.ci95[1]).toFixed(2)}, n = ${one.n}), ${axis.name} ${number(point.value, 2)}${point.row.onFront ? ", Pareto front" : ""}`;
}
function drawPlot({ axis, points, fronts }, rows) {
  const place = document.getElementById("plot"), missing = rows.length - points.length;
  document.getElementById("plot-note").textContent = `A point opens its card. Filled and joined: the Pareto front of a data set. With the keyboard: arrow keys from point to point, Enter opens. The table below holds the same figures.${missing ? ` Not drawn, for want of a figure: ${missing}.` : ""}`;
  document.getElementById("tip").hidden = true;
  const legend = fronts.map(([key]) => element("span", {}, svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, svg("path", { d: SHAPES[GROUPS.indexOf(key) % 4], style: `fill:${colour(key)}` })), groupName(key)));
  document.getElementById("legend").replaceChildren(...legend);
  if (!points.length) { place.replaceChildren(element("p", { className: "none" }, "No chosen model has both figures.")); return; }
  const width = Math.max(280, place.clientWidth), values = points.map(one => one.value);
  const x = scaleOf(values, LEFT, width - RIGHT, Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 12);
  const y = scaleOf(points.map(one => 100 * one.share), HEIGHT - BELOW, ABOVE, false);
  const root = svg("svg", { width: "100%", height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group", "aria-label": `Top 1 accuracy against ${axis.name}`, "aria-describedby": "plot-note" });
  for (const tick of ticksOf(y, 5)) root.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }), svg("text", { x: LEFT - 8, y: y(tick), dy: ".35em", "text-anchor": "end" }, `${tick} %`));
  for (const tick of ticksOf(x, width / 90)) root.append(svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: ABOVE, y2: HEIGHT - BELOW }), svg("text", { x: x(tick), y: HEIGHT - BELOW + 18, "text-anchor": "middle" }, tick.toLocaleString("en")));
  root.append(svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: HEIGHT - BELOW, y2: HEIGHT - BELOW }));
  for (const [key, found] of fronts) root.append(svg("path", { class: "front", style: `stroke:${colour(key)}`, d: found.map((one, at) => (at ? `H${x(one.value)}V${y(100 * one.share)}` : `M${x(one.value)},${y(100 * one.share)}`)).join("") }));
  const ordered = [...points].sort((one, two) => one.value - two.value || one.share - two.share);
  for (const [at, one] of ordered.entries()) {
    const mark = svg("path", { d: SHAPES[GROUPS.indexOf(one.row.group) % 4] }), area = svg("circle", { r: 11, class: "area" });
    const link = svg("a", { href: one.row.page, tabindex: at ? -1 : 0, class: one.row.onFront ? "point on-front" : "point", "aria-label": describe(one, axis), "data-id": one.row.id, transform: `translate(${x(one.value).toFixed(1)},${y(100 * one.share).toFixed(1)})`, style: `--of:${colour(one.row.group)}` }, area, mark);
    link.point = one;
    root.append(link);
  }
  place.replaceChildren(root);
}
function showTip(link) {
  const tip = document.getElementById("tip");
  tip.hidden = !link;
  if (link) tip.textContent = describe(link.point, axisNow());
}
function movePoint(event) {
  const links = [...document.querySelectorAll("#plot a")], at = links.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  if (!links[to]) return;
  links[at].setAttribute("tabindex", -1);
  links[to].setAttribute("tabindex", 0);
  links[to].focus();
}
