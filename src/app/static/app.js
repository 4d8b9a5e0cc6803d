// The page: takes pictures in every way people have, and keeps their cards in the order given.

import { Card } from "./card.js";
import { bookmarklet, isLink, linkIn } from "./links.js";
import { save, toCsv, toJson } from "./saving.js";
import { predict } from "./sending.js";
import { watchServer } from "./server.js";
import { WORDS, added, answered, onlyTheFirst, shortLink, tally, tooLarge } from "./words.js";

const element = (id) => document.getElementById(id);
const drop = element("drop");
const MAX_FILES = Number(drop.dataset.files);
const MAX_BYTES = Number(drop.dataset.fileBytes);

const states = new Map(); // a card and its state: "" while open, then a verdict or "error"
const MAY_PASS = ["no_connection", "busy", "no_model", "refused", "failed"]; // reasons that are not the file's own
let clearing = new AbortController();
let previews = Promise.resolve(); // one at a time: a phone's memory is small
let facts = null; // the model's, as they were last seen
const known = watchServer(showServer);

// --- the server and its model ---

function showServer(state, detail) {
  element("model-chip").dataset.state = state;
  if (state === "ready") showModel(detail);
  if (state === "loading") element("model-name").textContent = WORDS.modelIsLoading;
  if (state === "gone") element("model-name").textContent = WORDS.serverGone;
  if (state === "failed") showNoModel(detail);
}

function showModel(found) {
  facts = found;
  const link = document.createElement("a");
  link.href = "card";
  link.textContent = facts.title;
  element("model-name").replaceChildren(WORDS.model, link);
  element("reading").textContent = facts.reading;
  element("notice").hidden = true;
  if (facts.notice) notify(facts.notice);
}

function showNoModel(sentence) {
  element("model-name").textContent = WORDS.noModel;
  notify(sentence);
}

function notify(sentence) {
  element("notice").textContent = sentence;
  element("notice").hidden = false;
}

// --- taking pictures ---

function addFiles(files) {
  take([...files], (file) => {
    const name = file.name || WORDS.pasted;
    const card = addCard(name, name);
    const shown = preview(card, file);
    if (file.size > MAX_BYTES) {
      fail(card, { error: tooLarge(file.size, MAX_BYTES), code: "too_large" });
      return;
    }
    const body = new FormData();
    body.append("file", file, file.name);
    ask(card, body, shown.then((drawn) => !drawn));
  });
}

function addLinks(links) {
  take(links, (link) => ask(addCard(shortLink(link), link), { urls: [link] }, Promise.resolve(true)));
}

function take(list, add) {
  if (!list.length) return;
  const taken = list.slice(0, MAX_FILES);
  const [first] = taken.map((item) => { add(item); return element("cards").lastElementChild; });
  say(added(taken.length));
  complain(list.length > MAX_FILES ? onlyTheFirst(MAX_FILES, list.length) : "");
  first.scrollIntoView({ block: "nearest" });
}

// Say below the ways in what did not work; `input` tells whether that is due to what the visitor wrote.
function complain(sentence, input = false) {
  element("link-error").textContent = sentence;
  if (input) element("link").setAttribute("aria-invalid", "true");
  else element("link").removeAttribute("aria-invalid");
}

function addCard(name, given) {
  const card = new Card(element("card-template"), name, given);
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
    const again = () => { states.set(card, ""); showTally(); ask(card, body, needsPreview); };
    fail(card, entry, body.urls || MAY_PASS.includes(entry.code) ? again : undefined);
    return;
  }
  if (entry.preview) await card.showPicture(toBlob(entry.preview));
  await known;
  card.showAnswer(entry, facts);
  settle(card, entry.verdict, { ...entry, model_version: facts.version }, answered(card.name, entry));
}

function fail(card, entry, again) {
  const instead = entry.suggestion && (() => addLinks([entry.suggestion]));
  card.showError(entry.error, { again, instead });
  settle(card, "error", entry, `${card.name}: ${entry.error}`);
}

function settle(card, state, entry, sentence) {
  card.result = { ...entry, filename: card.result.filename, date: new Date().toISOString() };
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
  for (const id of ["save-csv", "save-json"]) element(id).disabled = ![...states.values()].some(Boolean);
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

function takeChosen() {
  addFiles(element("files").files);
  element("files").value = "";
}

element("files").addEventListener("change", takeChosen);
takeChosen(); // those that were chosen while this script was on its way

element("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = element("link");
  const links = input.value.split(/\s+/).filter(Boolean);
  if (!links.length) { // nothing was given, as on the keyboard's way past this field: nothing is wrong
    complain("");
    input.focus();
  } else if (links.every(isLink)) {
    input.value = "";
    element("link-hint").hidden = true;
    addLinks(links);
  } else {
    complain(WORDS.notALink, true);
    input.focus();
  }
});

element("link").value ||= linkIn(location.href);
element("link-hint").hidden = !linkIn(location.href);

element("bookmarklet").href = bookmarklet(location.href);
element("bookmarklet").addEventListener("click", (event) => {
  event.preventDefault();
  element("bookmarklet-hint").hidden = false;
});
element("elsewhere").hidden = false;

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
let own = false; // something of this page is dragged, such as the bookmark

document.addEventListener("dragstart", () => { own = true; });
document.addEventListener("dragend", () => { own = false; });

document.addEventListener("dragenter", () => {
  if (own) return;
  depth += 1;
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (depth === 0) document.body.classList.remove("dragging");
});

document.addEventListener("dragover", (event) => event.preventDefault());

document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  if (own) return;
  const { files } = event.dataTransfer;
  const links = event.dataTransfer.getData("text/uri-list").split(/\s+/).filter(isLink);
  if (files.length) addFiles(files);
  else addLinks(links);
});

element("clear").addEventListener("click", clearAll);

// --- saving ---

const results = () => [...states].filter(([, state]) => state).map(([card]) => card.result);

element("save-csv").addEventListener("click", () => save(toCsv(results()), "text/csv", "csv"));
element("save-json").addEventListener("click", () => save(toJson(results(), facts), "application/json", "json"));
