// A [name, value] pair as one row of a <dl>. A long value scrolls, and the keyboard can reach it for that.

const LONG = 400;

export function row([name, value]) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  if (value.length > LONG) text.tabIndex = 0;
  group.append(term, text);
  return group;
}
