// Sentences and numbers for people: all words that the scripts put on the page. No DOM here.

export const WORDS = {
  model: "Model: ",
  noModel: "No model",
  pasted: "Pasted picture",
  notALink: "That is not a link: it should begin with https://",
  noEvidence: "This model gives no evidence map. ",
  itsCard: "its card",
  uploading: "Uploading",
  analysed: "Being analysed",
  fetched: "Being fetched and analysed",
  tryingAgain: "The connection broke: trying again",
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
};

export function percent(probability) {
  const value = 100 * probability;
  if (value > 0 && value < 1) return "under 1%";
  if (value < 100 && value > 99) return "over 99%";
  return `${Math.round(value)}%`;
}

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
export const answered = (name, { verdict, probability_ai: ai }) => `${name}: ${verdict}, probability of AI ${percent(ai)}.`;
export const refused = (status) => `The server answered ${status}.`;
export const previewOf = (name) => `Preview of ${name}`;
export const modelLine = ({ title, trained_on: data }) => `Model: ${title}, trained on ${data}; see `;
export const bandLabel = ([low, high]) => `Uncertain ${Math.round(100 * low)}–${percent(high)}`;

// Between which probabilities no verdict is ever given.
export const silence = (policy) => policy ? [policy.clear_up_to ?? 0, policy.ai_from ?? 1] : null;

export function scaleLabel(probability, band) {
  const zone = band ? `; uncertain from ${percent(band[0])} to ${percent(band[1])}` : "";
  return `Probability of AI ${percent(probability)}${zone}`;
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

export function explain({ probability_ai: probability, reason }) {
  const sentence = reason ? ` ${reason[0].toUpperCase()}${reason.slice(1)}.` : "";
  return `Probability of AI: ${percent(probability)}.${sentence}`;
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
