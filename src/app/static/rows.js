// A [name, value] pair as one row of a <dl>.

export function row([name, value]) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  group.append(term, text);
  return group;
}
