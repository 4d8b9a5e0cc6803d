// Writes the results on the page as CSV or JSON, and hands a file to the browser. Nothing is sent anywhere.

import { declaredSentence } from "./words.js";

const COLUMNS = [
  ...["file", "label", "probability_ai", "probability_low", "probability_high", "confidence", "verdict", "lean"],
  ...["reason", "error", "sha256", "declared", "model", "model_version", "date"],
]; // the command line's, then what a file on its own would lack

// A spreadsheet takes a text that begins so for a formula, and a file's name may be meant as one.
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

// Results, each the answer's entry with `model_version` and `date`, as CSV (RFC 4180; the mark at the beginning tells
// spreadsheets that it is UTF-8).
export function toCsv(results) {
  const rows = results.map((result) => {
    const { filename: file, declared } = result;
    const values = { ...result, file, declared: declared && declaredSentence(declared)?.text };
    return COLUMNS.map((name) => cell(values[name]));
  });
  return `\ufeff${[COLUMNS, ...rows].map((row) => `${row.join(",")}\r\n`).join("")}`;
}

function cell(value) {
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value ?? "") ? `'${value}` : value ?? "";
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// The same as JSON, with all that the answer holds but the copy of the picture.
export function toJson(results, model) {
  const predictions = results.map(({ preview, ...rest }) => rest);
  return `${JSON.stringify({ model, predictions }, null, 2)}\n`;
}

export function save(text, type, ending) {
  const link = document.createElement("a");
  const day = new Date().toISOString().slice(0, 10);
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `human-or-ai-${day}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it late
}
