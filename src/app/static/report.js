// One picture's report: filled in from what its card has already, and printed. The picture does not leave the browser.

import { reportRows, reportTitle } from "./words.js";
import { row } from "./rows.js";

const PAGE_TITLE = document.title;

export function printReport(picture, result, facts) {
  const report = document.getElementById("report");
  const canvas = report.querySelector("canvas");
  canvas.hidden = !picture;
  if (picture) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
  }
  report.querySelector("dl").replaceChildren(...reportRows(result, facts).map(row));
  document.title = reportTitle(result.filename); // becomes the name of the PDF
  document.body.classList.add("reporting");
  window.addEventListener("afterprint", () => {
    document.body.classList.remove("reporting");
    document.title = PAGE_TITLE;
  }, { once: true });
  window.print();
}
