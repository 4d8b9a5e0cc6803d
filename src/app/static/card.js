// One picture's card: its preview, progress, answer or error, and the evidence map.

import { printReport } from "./report.js";
import { row } from "./rows.js";
import {
  WORDS, declaredRows, declaredSentence, explain, modelLine, previewOf, probabilitySentence, reasonSentence, strongest,
  trackRecord, verdictKind, verdictWords,
} from "./words.js";

const PREVIEW_SIDE = 900;
const RGB = { ai: [213, 94, 0], human: [0, 114, 178] };

export class Card {
  //   name: for people
  //   given: the file's name or the whole link, for what is saved
  constructor(template, name, given) {
    this.item = template.content.cloneNode(true).firstElementChild;
    this.name = name;
    this.result = { filename: given }; // the answer's entry, once there is one
    this.root = this.find(".card");
    this.find(".name").textContent = name;
    this.find(".evidence-button").addEventListener("click", () => this.toggleEvidence());
    this.find(".declared-button").addEventListener("click", () => this.toggleDeclared());
    this.find(".report-button").addEventListener("click", () => {
      const picture = this.root.classList.contains("has-picture") ? this.find(".picture") : null;
      printReport(picture, this.find(".scale"), this.result, this.facts);
    });
  }

  find(selector) {
    return this.item.querySelector(selector);
  }

  // Draw a blob; false if this browser cannot.
  async showPicture(blob) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob);
    } catch {
      this.root.classList.add("without-picture");
      return false;
    }
    const scale = Math.min(1, PREVIEW_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = this.find(".picture");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    canvas.removeAttribute("aria-hidden");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", previewOf(this.name));
    this.root.classList.remove("without-picture");
    this.root.classList.add("has-picture");
    return true;
  }

  showProgress(text, value) {
    const bar = this.find("progress");
    this.root.dataset.state = "busy";
    this.find(".failure").hidden = true;
    this.find(".progress-text").textContent = `${text}…`;
    if (value === null) bar.removeAttribute("value");
    else bar.value = value;
  }

  // Show what went wrong; `again` and `instead` are called if the visitor asks for that, and may be missing.
  showError(sentence, { again, instead }) {
    this.root.dataset.state = "failed";
    if (!this.root.classList.contains("has-picture")) this.root.classList.add("without-picture");
    this.find(".failure").hidden = false;
    this.find(".failure .error-text").textContent = sentence;
    offer(this.find(".suggestion"), instead);
    offer(this.find(".again"), again && (() => {
      this.find(".name").focus(); // the button is about to go
      this.showProgress(WORDS.again, null);
      again();
    }));
  }

  showAnswer(entry, facts) {
    this.facts = facts;
    this.evidence = entry.evidence;
    this.root.dataset.state = "done";
    this.root.dataset.verdict = verdictKind(entry);
    this.find(".verdict").textContent = verdictWords(entry);
    this.find(".sentence").textContent = explain(entry, facts);
    this.find(".reason").textContent = reasonSentence(entry);
    this.find(".record").textContent = trackRecord(facts);
    this.showScale(entry);
    this.showDeclared(entry.declared);
    this.find(".model-line").replaceChildren(...modelParts(facts));
    const button = this.find(".evidence-button");
    if (!this.evidence || !this.root.classList.contains("has-picture")) {
      button.hidden = true;
      this.find(".model-line").prepend(this.evidence ? "" : WORDS.noEvidence);
    }
    this.find(".answer").hidden = false;
  }

  // The interval alone: a mark at one value within it would say more than is known.
  showScale(entry) {
    const scale = this.find(".scale");
    const sentence = probabilitySentence(entry);
    scale.hidden = !sentence;
    scale.style.setProperty("--low", `${100 * entry.probability_low}%`);
    scale.style.setProperty("--high", `${100 * entry.probability_high}%`);
    scale.setAttribute("aria-label", sentence);
  }

  // What the file declares stands first, and open, where it names a generator or carries a camera's signature.
  showDeclared(declared) {
    this.find(".declared dl").append(...declaredRows(declared).map(row));
    const sentence = declaredSentence(declared);
    if (!sentence) return;
    this.root.dataset.declares = sentence.kind;
    this.find(".declares").textContent = sentence.text;
    this.find(".declares").hidden = this.find(".kicker").hidden = false;
    this.toggleDeclared();
  }

  toggleDeclared() {
    this.find(".declared").hidden = !toggle(this.find(".declared-button"));
  }

  toggleEvidence() {
    const shown = toggle(this.find(".evidence-button"));
    const legend = this.find(".legend");
    this.find(".evidence").hidden = !shown;
    legend.hidden = !shown;
    if (legend.hasChildNodes()) return;
    this.drawEvidence();
    legend.append(
      ...[mark(WORDS.orange, "for-ai"), WORDS.speaksForAi, mark(WORDS.blue, "for-human"), WORDS.forHuman],
      `${WORDS.fainter} ${strongest(this.evidence)}`,
    );
  }

  drawEvidence() {
    const picture = this.find(".picture");
    const canvas = this.find(".evidence");
    canvas.width = picture.width;
    canvas.height = picture.height;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(paint(this.evidence), 0, 0, canvas.width, canvas.height);
  }
}

// A map as a small picture: orange above zero, blue below, opaque where it is strongest.
function paint(map) {
  const small = document.createElement("canvas");
  small.height = map.length;
  small.width = map[0].length;
  const image = new ImageData(small.width, small.height);
  const most = Math.max(...map.flat().map(Math.abs)) || 1;
  map.flat().forEach((value, index) => {
    const colour = value > 0 ? RGB.ai : RGB.human;
    image.data.set([...colour, Math.round(200 * Math.abs(value) / most)], 4 * index);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  return small;
}

// Flip a button that opens something; true if it is open now.
function toggle(button) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  return open;
}

// Show a button if there is something to do, which it does when pressed.
function offer(button, action) {
  button.hidden = !action;
  button.onclick = action ?? null;
}

function mark(text, className) {
  const bold = document.createElement("b");
  bold.className = className;
  bold.textContent = text;
  return bold;
}

function modelParts(facts) {
  const link = document.createElement("a");
  link.href = "card";
  link.textContent = WORDS.itsCard;
  return [modelLine(facts), link, "."];
}
