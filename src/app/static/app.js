// The page: takes pictures in every way people have, and keeps their cards in the order given.

import { Card } from "./card.js";
import { predict } from "./sending.js";
import { WORDS, added, answered, onlyTheFirst, shortLink, tally, tooLarge } from "./words.js";

const element = (id) => document.getElementById(id);
const drop = element("drop");
const MAX_FILES = Number(drop.dataset.files);
const MAX_BYTES = Number(drop.dataset.fileBytes);

const states = new Map(); // a card and its state: "" while open, then a verdict or "error"
let clearing = new AbortController();
let previews = Promise.resolve(); // one at a time: a phone's memory is small
const model = waitForModel();

// --- the model ---

async function waitForModel() {
  for (;;) {
    const response = await fetch("model").catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (response?.ok) return showModel(answer);
    const failed = answer?.error && !/still/.test(answer.error);
    if (failed) showNoModel(answer.error);
    await new Promise((resolve) => setTimeout(resolve, failed ? 2000 : 1000)); // the server keeps trying too
  }
}

function showModel(facts) {
  const link = document.createElement("a");
  link.href = "card";
  link.textContent = facts.title;
  element("model-name").replaceChildren(WORDS.model, link);
  element("model-chip").dataset.state = "ready";
  element("reading").textContent = facts.reading;
  element("notice").hidden = true;
  if (facts.notice) notify(facts.notice);
  return facts;
}

function showNoModel(sentence) {
  element("model-name").textContent = WORDS.noModel;
  element("model-chip").dataset.state = "failed";
  notify(sentence);
}

function notify(sentence) {
  element("notice").textContent = sentence;
  element("notice").hidden = false;
}

// --- taking pictures ---

function addFiles(files) {
  take([...files], (file) => {
    const card = addCard(file.name || WORDS.pasted);
    const shown = preview(card, file);
    if (file.size > MAX_BYTES) {
      fail(card, { error: tooLarge(file.size, MAX_BYTES) });
      return;
    }
    const body = new FormData();
    body.append("file", file, file.name);
    ask(card, body, shown.then((drawn) => !drawn));
  });
}

function addLinks(links) {
  take(links, (link) => ask(addCard(shortLink(link)), { urls: [link] }, Promise.resolve(true)));
}

function take(list, add) {
  if (!list.length) return;
  const taken = list.slice(0, MAX_FILES);
  const [first] = taken.map((item) => { add(item); return element("cards").lastElementChild; });
  say(added(taken.length));
  element("link-error").textContent = list.length > MAX_FILES ? onlyTheFirst(MAX_FILES, list.length) : "";
  first.scrollIntoView({ block: "nearest" });
}

function addCard(name) {
  const card = new Card(element("card-template"), name);
  element("cards").append(card.item);
  states.set(card, "");
  showTally();
  return card;
}

function preview(card, file) {
  previews = previews.then(() => card.showPicture(file));
  return previews;
}

// --- asking and showing ---

async function ask(card, body, needsPreview) {
  const { signal } = clearing;
  const report = (text, value) => signal.aborted || card.showProgress(text, value);
  const wantsCopy = await needsPreview;
  const entry = await predict(body, { preview: wantsCopy, report, signal });
  if (signal.aborted) return;
  if (entry.error) {
    fail(card, entry);
    return;
  }
  if (entry.preview) await card.showPicture(toBlob(entry.preview));
  card.showAnswer(entry, await model);
  settle(card, entry.verdict, answered(card.name, entry));
}

function fail(card, { error, suggestion }) {
  card.showError(error, suggestion, (link) => addLinks([link]));
  settle(card, "error", `${card.name}: ${error}`);
}

function settle(card, state, sentence) {
  states.set(card, state);
  say(sentence);
  showTally();
}

function toBlob(base64) {
  return new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], { type: "image/jpeg" });
}

// Tell a screen reader, after what was said before.
function say(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  element("status").append(line);
}

function showTally() {
  element("tally").textContent = tally([...states.values()]);
  element("results").hidden = !states.size;
  document.body.classList.toggle("has-results", states.size > 0);
}

function clearAll() {
  clearing.abort();
  clearing = new AbortController();
  states.clear();
  element("cards").replaceChildren();
  element("status").replaceChildren();
  showTally();
  element("files").focus();
}

// --- the ways in ---

const isLink = (text) => /^https?:\/\/\S+$/i.test(text);

element("files").addEventListener("change", ({ target }) => {
  addFiles(target.files);
  target.value = "";
});

element("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = element("link");
  const links = input.value.trim().split(/\s+/);
  if (links.every(isLink)) {
    input.value = "";
    input.removeAttribute("aria-invalid");
    addLinks(links);
  } else {
    input.setAttribute("aria-invalid", "true");
    element("link-error").textContent = WORDS.notALink;
    input.focus();
  }
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    addFiles(event.clipboardData.files);
  } else if (!event.target.matches("input")) {
    const links = event.clipboardData.getData("text").trim().split(/\s+/);
    if (links.every(isLink)) addLinks(links);
  }
});

let depth = 0; // enter and leave fire for every element on the way

document.addEventListener("dragenter", () => {
  depth += 1;
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", () => {
  depth -= 1;
  if (depth === 0) document.body.classList.remove("dragging");
});

document.addEventListener("dragover", (event) => event.preventDefault());

document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  const { files } = event.dataTransfer;
  const links = event.dataTransfer.getData("text/uri-list").split(/\s+/).filter(isLink);
  if (files.length) addFiles(files);
  else addLinks(links);
});

element("clear").addEventListener("click", clearAll);
