// Sends pictures to the server, a few at a time, and waits politely when it is told to.

import { WORDS, refused } from "./words.js";

const AT_ONCE = 2;
const TRIES = 20;
const BROKEN_TRIES = 3;

let running = 0;
const waiting = [];

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift()().finally(() => {
      running -= 1;
      next();
    });
  }
}

// Ask for one prediction.
//   body: FormData, or an object to send as JSON
//   preview: whether the server should send back a small copy
//   report(text, percent | null): progress
//   signal: an AbortSignal; once aborted, nothing more is reported
// Resolves to an entry of the answer: a prediction, or { error, code }.
export function predict(body, { preview, report, signal }) {
  return new Promise((resolve) => {
    waiting.push(async () => resolve(await tryUntilAnswered(body, preview, report, signal)));
    next();
  });
}

async function tryUntilAnswered(body, preview, report, signal) {
  let broken = 0;
  for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt += 1) {
    const { status, answer, retryAfter } = await post(body, preview, report, signal);
    if (status === 200) return answer.predictions[0];
    if (wasBroken(status, answer)) {
      broken += 1;
      if (broken === BROKEN_TRIES) return { error: WORDS.connectionBroke, code: "no_connection" };
    } else if (status !== 429 && status !== 503) {
      return { error: answer.error ?? refused(status), code: "refused" };
    } else if (/no model/.test(answer.error)) {
      return { error: answer.error, code: "no_model" };
    }
    report(waitingFor(status, answer), null);
    await pause(retryAfter, signal);
  }
  return { error: WORDS.tooBusy, code: "busy" };
}

// Whether no whole request and answer went through: asking again does no harm, and usually meets another worker.
function wasBroken(status, answer) {
  return status === 0 || status === 408 || ([502, 503, 504].includes(status) && !answer.error);
}

function waitingFor(status, answer) {
  if (wasBroken(status, answer)) return WORDS.tryingAgain;
  if (status === 429) return WORDS.manyThisMinute;
  return /still/.test(answer.error) ? WORDS.modelLoads : WORDS.manyAtOnce;
}

function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

// XMLHttpRequest, because fetch() tells nothing of an upload's progress.
function post(body, preview, report, signal) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const upload = body instanceof FormData;
    request.open("POST", preview ? "predict?preview=1" : "predict");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (upload && loaded < total) report(WORDS.uploading, (100 * loaded) / total);
    });
    request.upload.addEventListener("load", () => report(upload ? WORDS.analysed : WORDS.fetched, null));
    request.addEventListener("loadend", () => resolve({
      status: request.status,
      answer: parse(request.responseText),
      retryAfter: Math.min(30, Number(request.getResponseHeader("Retry-After")) || 2),
    }));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (upload) {
      request.send(body);
    } else {
      request.setRequestHeader("Content-Type", "application/json");
      request.send(JSON.stringify(body));
    }
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
