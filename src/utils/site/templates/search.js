"use strict";
// Finds the sections that contain every word asked for; SEARCH_INDEX comes from search-index.js.

const MOST = 50;
const AROUND = 90;

const input = document.getElementById("q");
const list = document.getElementById("hits");
const status = document.getElementById("found");

const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

// A word is found where another one begins: "rate" is not in "generated", but in "rates" and in "error_rate".
const pattern = (word) => `(?<![\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`;
const finder = (word) => new RegExp(pattern(word), "iu");

function rank(row, words) {
  const heading = `${row.title} ${row.heading}`;
  if (!words.every((word) => finder(word).test(heading) || finder(word).test(row.text))) return 0;
  return 1 + words.filter((word) => finder(word).test(heading)).length;
}

function excerpt(text, words) {
  const places = words.map((word) => text.search(finder(word))).filter((place) => place >= 0);
  const middle = places.length ? Math.min(...places) : 0;
  const start = Math.max(0, middle - AROUND);
  const end = Math.min(text.length, middle + 2 * AROUND);
  return `${start ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`;
}

function appendMarked(parent, text, words) {
  const parts = text.split(new RegExp(`(${words.map(pattern).join("|")})`, "giu"));
  parts.forEach((part, number) => {
    if (number % 2) {
      const mark = document.createElement("mark");
      mark.textContent = part;
      parent.append(mark);
    } else {
      parent.append(part);
    }
  });
}

function hit(row, words) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = row.page + (row.anchor ? `#${row.anchor}` : "");
  link.textContent = row.heading && row.heading !== row.title ? `${row.title} › ${row.heading}` : row.title;
  const text = document.createElement("p");
  appendMarked(text, excerpt(row.text, words), words);
  item.append(link, text);
  return item;
}

function search() {
  const words = wordsOf(input.value);
  const found = words.length
    ? SEARCH_INDEX.map((row) => [rank(row, words), row]).filter(([place]) => place)
    : [];
  found.sort(([first], [second]) => second - first);
  list.replaceChildren(...found.slice(0, MOST).map(([, row]) => hit(row, words)));
  const more = found.length > MOST ? `, the first ${MOST} shown` : "";
  status.textContent = words.length ? `${found.length} section${found.length === 1 ? "" : "s"}${more}` : "";
}

input.value = new URLSearchParams(location.search).get("q") || "";
input.addEventListener("input", search);
document.getElementById("asking").addEventListener("submit", (event) => event.preventDefault());
search();
input.focus();
