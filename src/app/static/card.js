// One picture's card: its preview, progress, answer or error, and the evidence map.

import {
  WORDS, bandLabel, declaredRows, explain, modelLine, percent, previewOf, scaleLabel, silence, strongest,
} from "./words.js";

const PREVIEW_SIDE = 900;
const VERDICTS = { "No sign of AI": "human", "AI-generated": "ai", Uncertain: "unsure" };
const RGB = { ai: [213, 94, 0], human: [0, 114, 178] };

export class Card {
  constructor(template, name) {
    this.item = template.content.cloneNode(true).firstElementChild;
    this.name = name;
    this.root = this.find(".card");
    this.find(".name").textContent = name;
    this.find(".evidence-button").addEventListener("click", () => this.toggleEvidence());
    this.find(".declared-button").addEventListener("click", () => {
      this.find(".declared").hidden = !toggle(this.find(".declared-button"));
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
    this.find(".progress-text").textContent = `${text}…`;
    if (value === null) bar.removeAttribute("value");
    else bar.value = value;
  }

  showError(sentence, suggestion, retry) {
    this.root.dataset.state = "failed";
    if (!this.root.classList.contains("has-picture")) this.root.classList.add("without-picture");
    this.find(".error-text").textContent = sentence;
    const button = this.find(".suggestion");
    button.hidden = !suggestion;
    if (suggestion) button.addEventListener("click", () => retry(suggestion), { once: true });
  }

  showAnswer(prediction, facts) {
    const { probability_ai: probability, verdict, declared } = prediction;
    const band = silence(facts.policy);
    this.root.dataset.state = "done";
    this.root.dataset.verdict = VERDICTS[verdict] ?? "unsure";
    this.find(".verdict").textContent = verdict;
    this.find(".sentence").textContent = explain(prediction);
    this.showScale(probability, band, facts.threshold ?? 0.5);
    this.find(".declares-ai").hidden = !declared.says_ai;
    this.find(".declared dl").append(...declaredRows(declared).map(row));
    this.find(".model-line").replaceChildren(...modelParts(facts));
    this.evidence = prediction.evidence;
    const button = this.find(".evidence-button");
    if (!this.evidence || !this.root.classList.contains("has-picture")) {
      button.hidden = true;
      this.find(".model-line").prepend(this.evidence ? "" : WORDS.noEvidence);
    }
    this.find(".answer").hidden = false;
  }

  showScale(probability, band, threshold) {
    const [low, high] = band ?? [threshold, threshold];
    const scale = this.find(".scale");
    const set = (name, value) => scale.style.setProperty(name, `${100 * value}%`);
    set("--at", probability);
    set("--low", low);
    set("--high", high);
    set("--shift", Math.min(0.9, Math.max(0.1, probability)));
    this.find(".marker-label").textContent = percent(probability);
    this.find(".band-label").textContent = band ? bandLabel(band) : "";
    scale.setAttribute("aria-label", scaleLabel(probability, band));
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

function row([name, value]) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  group.append(term, text);
  return group;
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
