// Sentences and numbers for people: all words that the scripts put on the page. No DOM here.

export const WORDS = {
  model: "Model: ",
  noModel: "No model",
  modelIsLoading: "Model is loading…",
  serverGone: "The server does not answer",
  pasted: "Pasted picture",
  notALink: "That is not a link: it should begin with https://",
  noEvidence: "This model gives no evidence map. ",
  itsCard: "its card",
  uploading: "Uploading",
  analysed: "Being analysed",
  fetched: "Being fetched and analysed",
  tryingAgain: "The connection broke: trying again",
  again: "Trying again",
  manyThisMinute: "Many pictures this minute: waiting for a turn",
  manyAtOnce: "Many uploads at once: waiting for a turn",
  modelLoads: "Waiting for the model to load",
  connectionBroke: "The connection to the server broke: try again.",
  tooBusy: "The server is too busy: try again later.",
  orange: "Orange",
  speaksForAi: " speaks for AI-generated, ",
  blue: "blue",
  forHuman: " for human-made; ",
  fainter: "the fainter, the less it counted.",
  noTrackRecord: "How often this model errs on generators and photo sources that it had not met was not measured.",
};

// The interval in words, rounded as in the reasons that the server gives.
export function interval({ probability_low: low, probability_high: high }) {
  if (low === null || high === null) return "";
  const [from, to] = [percent(low), percent(high)];
  return from === to ? `about ${to}` : `between ${from} and ${to}`;
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const keepTogether = (text) => text.replaceAll(" %", "\u00a0%");

export function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

export function megabytes(bytes) {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export const tooLarge = (bytes, most) => `The file has ${megabytes(bytes)}, more than the ${megabytes(most)} allowed.`;
export const onlyTheFirst = (most, given) => `Only the first ${most} of ${given} were taken: add the others afterwards.`;
export const added = (number) => `${count(number, "picture", "pictures")} added.`;
export const answered = (name, entry) => [
  `${name}:`, declaredSentence(entry.declared)?.text, `${verdictWords(entry)}.`, probabilitySentence(entry),
].filter(Boolean).join(" ");
export const refused = (status) => `The server answered ${status}.`;
export const previewOf = (name) => `Preview of ${name}`;
export const modelLine = ({ title, trained_on: data }) => `Model: ${title}, trained on ${data}; see `;
export const trackRecord = ({ track_record: record }) => (
  keepTogether(record?.sentences.join(" ") ?? "") || WORDS.noTrackRecord
);
export const reportTitle = (name) => `Report on ${name}`;

const KINDS = { "AI-generated": "ai", "No sign of AI": "clear" };

// Which colour a verdict has: anything that is not sure has none.
export const verdictKind = ({ verdict }) => KINDS[verdict] ?? "unsure";

// The verdict, and which way an uncertain one leans.
export function verdictWords({ verdict, lean }) {
  return verdict === "Uncertain" && lean !== "none" ? `${verdict}, leans ${lean}` : verdict;
}

export function probabilitySentence(entry) {
  const words = interval(entry);
  return words && `Probability of AI: ${words}.`;
}

export function reasonSentence({ reason }) {
  return reason ? keepTogether(`${reason[0].toUpperCase()}${reason.slice(1).replace(/\.$/, "")}.`) : "";
}

// What its authors' calibration makes of a picture, as long as a detector of others has no interval here.
function publishedSentence({ probability_ai: probability, probability_low: low }, { detector }) {
  return detector && low === null ? `Probability of AI as its authors calibrated it: ${percent(probability)}.` : "";
}

export function explain(entry, facts) {
  const caveat = entry.verdict === "No sign of AI" ? "That is no proof that a person made it." : "";
  return [probabilitySentence(entry), publishedSentence(entry, facts), caveat].filter(Boolean).join(" ");
}

// How the pictures on the page stand; a state is "" while open, then a verdict or "error".
export function tally(states) {
  const open = states.filter((state) => !state).length;
  const among = (name) => states.filter((state) => state === name).length;
  return [
    open ? `${states.length - open} of ${states.length} done` : count(states.length, "picture", "pictures"),
    among("AI-generated") && `${among("AI-generated")} AI-generated`,
    among("No sign of AI") && `${among("No sign of AI")} without a sign of AI`,
    among("Uncertain") && `${among("Uncertain")} uncertain`,
    among("error") && `${among("error")} without an answer`,
  ].filter(Boolean).join(" · ");
}

export function shortLink(link) {
  try {
    const { hostname, pathname } = new URL(link);
    const last = decodeURIComponent(pathname.split("/").filter(Boolean).pop() ?? "");
    return last ? `${last} (${hostname})` : hostname;
  } catch {
    return link;
  }
}

const SOURCES = {
  trainedAlgorithmicMedia: "Made by a generator",
  compositeWithTrainedAlgorithmicMedia: "Partly made by a generator",
  algorithmicMedia: "Made by a program that was not trained",
  digitalCapture: "Taken with a camera",
  computationalCapture: "Taken with a camera, computed from several shots",
  digitalCreation: "Made by hand on a computer",
  humanEdits: "Edited by a person",
};

const BY_GENERATOR = ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"];
const BY_CAMERA = ["digitalCapture", "computationalCapture"];

// What a file says of its making, if it names a generator or carries a camera's signature: it comes before what a
// model makes of the pixels. `kind` is "ai" or "camera"; null without either.
export function declaredSentence({ generator, digital_source: source, credentials: signed, says_ai: saysAi }) {
  const changed = signed && !signed.intact ? "; it was changed since it was signed" : "";
  const say = (kind, making) => ({ kind, text: `The file says it was ${making} (declared, not proven)${changed}.` });
  if (saysAi) {
    const signer = BY_GENERATOR.includes(signed?.digital_source) ? signed.generator : null;
    const partly = source === "compositeWithTrainedAlgorithmicMedia" ? "partly " : "";
    return say("ai", `${partly}made by ${generator ?? signer ?? "a generator"}`);
  }
  if (!BY_CAMERA.includes(signed?.digital_source)) return null;
  const signer = signed.issuer ? `, signed by ${signed.issuer}` : ", and signed";
  return say("camera", `taken with a camera${signer}`);
}

function credentials({ issuer, generator, intact, digital_source: source }) {
  const signer = issuer ? `Signed by ${issuer}` : "Signed";
  return [
    generator ? `${signer} with ${generator}` : signer,
    source ? `says: ${(SOURCES[source] ?? source).toLowerCase()}` : "",
    intact ? "unchanged since" : "CHANGED since it was signed",
    "the signer was not checked",
  ].filter(Boolean).join("; ") + ".";
}

// What the file declares, as [name, value] rows; what it does not mention is left out.
export function declaredRows(facts) {
  const rows = [
    ["Format", facts.format],
    ["Size", `${facts.width} × ${facts.height} pixels, ${megabytes(facts.bytes)}`],
    ["Camera", facts.camera],
    ["Software", facts.software],
    ["Taken", facts.taken?.replace(/^(\d{4}):(\d\d):/, "$1-$2-")],
    ["Place", facts.location ? "The file says where it was taken" : null],
    ["Generator", facts.generator],
    ["Its parameters", facts.generator_parameters],
    ["Origin", facts.digital_source ? SOURCES[facts.digital_source] ?? facts.digital_source : null],
    ["Content credentials", facts.credentials ? credentials(facts.credentials) : "None"],
  ];
  return rows.filter(([, value]) => value);
}

const ROWS = ["upper", "middle", "lower"];
const COLUMNS = ["left", "centre", "right"];

// Where in the picture a map is strongest: "upper left".
function place(row, column, height, width) {
  const name = (at, size, names) => names[Math.min(2, Math.floor((3 * (at + 0.5)) / size))];
  const words = `${name(row, height, ROWS)} ${name(column, width, COLUMNS)}`;
  return words === "middle centre" ? "centre" : words;
}

export function strongest(map) {
  let best = { row: 0, column: 0, value: 0 };
  map.forEach((cells, row) => cells.forEach((value, column) => {
    if (Math.abs(value) > Math.abs(best.value)) best = { row, column, value };
  }));
  if (best.value === 0) return "";
  const side = best.value > 0 ? "AI-generated" : "human-made";
  return `Its strongest sign, for ${side}, lies in the ${place(best.row, best.column, map.length, map[0].length)}.`;
}

const LONGEST_ON_PAPER = 160;

// What a printed report says of one picture, as [name, value] rows.
export function reportRows(result, facts) {
  const declared = declaredRows(result.declared).map(([name, value]) => [
    name, value.length > LONGEST_ON_PAPER ? `${value.slice(0, LONGEST_ON_PAPER)}…` : value,
  ]);
  const rows = [
    ["File", result.filename],
    ["SHA-256", result.sha256],
    ["The file declares", declaredSentence(result.declared)?.text ?? "Neither a generator nor a camera's signature."],
    ["Verdict", verdictWords(result)],
    ["What that means", explain(result, facts)],
    ["Why", reasonSentence(result)],
    ["Track record", trackRecord(facts)],
    ["Model", `${facts.title} (${facts.name}), version ${facts.version || "unknown"}, trained on ${facts.trained_on}`],
    ["Date", `${result.date.slice(0, 16).replace("T", " ")} UTC`],
    ...declared,
  ];
  return rows.filter(([, value]) => value);
}
