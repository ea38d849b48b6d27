// What the reader has chosen; it stands in the address, so that a choice can be handed on.
const FIRST = { q: "", dataset: "", board: "", champion: "", top1: "", ram: "", latency: "", sort: "name", down: "", axis: "ram", compare: "" };
const state = { ...FIRST, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
const chosenBoard = () => (state.board !== "" && DATA.boards[state.board] ? Number(state.board) : null);
const chosenRows = () => state.compare.split(" ").map(id => DATA.rows.find(row => row.id === id)).filter(Boolean).slice(0, 2);

function remember() {
  const kept = Object.entries(state).filter(([key, value]) => key in FIRST && String(value) !== FIRST[key]);
  const hash = new URLSearchParams(kept).toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.href.split("#")[0]);
}

const stands = { has: row => row.since !== null, later: row => row.later !== null, none: row => row.since === null };

// The rows that pass, and how many fail for want of a figure alone.
function chosen() {
  const board = chosenBoard(), words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const limits = [
    [state.top1, row => top1(row), (value, limit) => 100 * value >= limit],
    [state.ram, row => size(row, "ram", board), (value, limit) => value / 1024 <= limit],
    [state.latency, row => cost(row, kindOf(board), board), (value, limit) => value / (kindOf(board) === "emulated" ? 1e6 : 1) <= limit],
  ].filter(([limit]) => limit !== "");
  let unknown = 0;
  const rows = DATA.rows.filter(row => {
    if (!words.every(word => row.words.includes(word)) || (state.dataset && row.dataset !== state.dataset)) return false;
    if (board !== null && !on(row, board)) return false;
    if (stands[state.champion] && !stands[state.champion](row)) return false;
    const verdicts = limits.map(([limit, read, passes]) => { const value = read(row); return value === null ? null : passes(value, Number(limit)); });
    if (verdicts.includes(false)) return false;
    if (verdicts.includes(null)) { unknown += 1; return false; }
    return true;
  });
  return { rows, unknown };
}
