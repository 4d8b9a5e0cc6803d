// One picture's report: filled in from what its card has already, and printed. The picture does not leave the browser.

import { row } from "./rows.js";
import { reportRows, reportTitle, verdictKind } from "./words.js";

const PAGE_TITLE = document.title;

//   picture: a canvas, or null
//   scale: the drawn interval
//   result: the answer's entry with its `date`
//   facts: the model's
export function printReport(picture, scale, result, facts) {
  const report = document.getElementById("report");
  const canvas = report.querySelector("canvas");
  canvas.hidden = !picture;
  if (picture) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
  }
  report.dataset.verdict = verdictKind(result);
  report.querySelector(".report-scale").replaceChildren(scale.cloneNode(true));
  report.querySelector("dl").replaceChildren(...reportRows(result, facts).map(row));
  document.title = reportTitle(result.filename); // becomes the name of the PDF
  document.body.classList.add("reporting");
  window.addEventListener("afterprint", () => {
    document.body.classList.remove("reporting");
    document.title = PAGE_TITLE;
  }, { once: true });
  window.print();
}
