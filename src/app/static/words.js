// Sentences and numbers for people. No DOM here.

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
