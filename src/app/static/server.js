// Knows whether the server answers and with which model, and keeps looking: either can change while a page is open.

const CALM = 10_000;
const SOON = 1_500;
const PATIENCE = 8_000;

// Look for the model, now and again and again.
//   show(state, detail): called when something changed: "ready" with the model's facts, "loading",
//     "failed" with a sentence, or "gone"
// Resolves to the model's facts, once there are any.
export function watchServer(show) {
  return new Promise((resolve) => { watch(show, resolve); });
}

async function watch(show, resolve) {
  let wake = () => {};
  for (const name of ["online", "offline"]) window.addEventListener(name, () => wake());
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  let before = "";
  for (;;) {
    const [state, detail] = await look();
    const now = JSON.stringify([state, detail]);
    if (now !== before) show(state, detail);
    before = now;
    if (state === "ready") resolve(detail);
    await new Promise((resume) => {
      const timer = setTimeout(resume, state === "ready" ? CALM : SOON);
      wake = () => { clearTimeout(timer); resume(); };
    });
  }
}

async function look() {
  const response = await fetch("model", { signal: AbortSignal.timeout(PATIENCE) }).catch(() => null);
  const answer = await response?.json().catch(() => null);
  if (response?.ok && answer) return ["ready", answer];
  if (!answer?.error) return ["gone"]; // or a proxy answers in its place
  return /still/.test(answer.error) ? ["loading"] : ["failed", answer.error];
}
