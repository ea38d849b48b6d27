"use strict";
// How figures are read from a row and written. `null` is what was not measured, and is never a number.
const DATA = JSON.parse(document.getElementById("data").textContent);
const NONE = "not measured";
const number = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const kib = bytes => (bytes === null ? NONE : `${number(bytes / 1024, 2)} KiB`);
const percent = share => `${(100 * share).toFixed(2)} %`;
const millions = count => (count === null ? NONE : `${number(count / 1e6, 2)} M`);
const least = values => values.reduce((found, one) => (one !== null && (found === null || one < found) ? one : found), null);

function element(name, properties, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) key.includes("-") || key === "role" ? made.setAttribute(key, value) : (made[key] = value);
  made.append(...children.filter(child => child !== null));
  return made;
}

for (const row of DATA.rows) {
  row.accuracy = row.formats.find(one => one.format === row.format) || null;
  row.words = [row.id, row.title, row.dataset, row.archive, row.commit || "", row.resolution].join(" ").toLowerCase();
  row.group = JSON.stringify([row.dataset, row.archive]);
}

const on = (row, board) => row.boards.find(one => one.board === board) || null;
const how = figure => DATA.boards[figure.board].how;
const unit = board => (board.how === "emulated" ? "instructions" : "ms");
const written = figure => (how(figure) === "emulated" ? `${millions(figure.value)} instructions` : `${number(figure.value, 3)} ms`);

// What is known of a row: by the chosen board, or over all.
const top1 = row => (row.accuracy ? row.accuracy.top1 : null);
function size(row, key, board) {
  const figure = board === null ? null : on(row, board);
  return figure && figure[key] !== null ? figure[key] : row[key];
}
function cost(row, kind, board) {
  const wanted = row.boards.filter(one => (board === null ? true : one.board === board) && how(one) === kind);
  return least(wanted.map(one => one.value));
}
// The kind of time that is filtered and sorted by: of the chosen board, else measured here on a target.
const kindOf = board => (board === null ? "measured" : DATA.boards[board].how);
