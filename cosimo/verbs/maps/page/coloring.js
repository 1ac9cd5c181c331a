// Coloring: a field → a color for each point, and the legend that says which. A click on a value leaves the others dim.

const MOST = 40; // values with a color of their own

class Coloring {
  constructor(data) {
    this.data = data;
    this.inks = new Uint32Array(data.count);
    this.chosen = new Set(); // positions of values; MOST: the others, -1: none
    this.ramp = ramp(data.ramp);
    this.use(data.fields.findIndex((field) => field.name === data.color));
  }

  use(at) {
    const { data, inks } = this, field = data.fields[at];
    this.field = field;
    this.chosen.clear();
    if (!field) inks.fill(inkOf(data.palette[0]));
    else if (field.kind === "number") this._scale(field);
    else {
      const palette = data.palette.map(inkOf), other = inkOf(data.other);
      field.codes.forEach((code, i) => { inks[i] = code >= 0 && code < MOST ? palette[code] : other; });
    }
  }

  _scale(field) {
    const other = inkOf(this.data.other), known = field.numbers.filter((value) => !Number.isNaN(value)).sort();
    // a few far-off values do not make all others the same color
    this.low = known[Math.floor(known.length * 0.01)];
    this.high = known[Math.ceil(known.length * 0.99) - 1];
    const span = this.high - this.low || 1;
    field.numbers.forEach((value, i) => {
      const part = Math.min(Math.max((value - this.low) / span, 0), 1);
      this.inks[i] = Number.isNaN(value) ? other : this.ramp[Math.round(part * 255)];
    });
  }

  // Whether a point is of a chosen value, or none is chosen.
  shows(i) {
    if (!this.chosen.size) return true;
    const code = this.field.codes[i];
    return this.chosen.has(code >= MOST ? MOST : code);
  }

  // [position, name, color, count] of what the legend lists.
  entries() {
    const { field, data } = this;
    if (!field || field.kind === "number") return [];
    const found = field.values.slice(0, MOST).map((value, code) => [code, value || "—", data.palette[code], field.counts[code]]);
    const rest = field.values.length - found.length, sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    if (rest > 0) found.push([MOST, SAY.other(counted(rest)), data.other, sum(field.counts.slice(MOST))]);
    const without = data.count - sum(field.counts);
    if (without > 0) found.push([-1, SAY.missing, data.other, without]);
    return found;
  }

  legend(box, changed) {
    box.replaceChildren();
    if (this.field && this.field.kind === "number") {
      const bar = element("div", "ramp"), ends = element("div", "ends");
      bar.style.background = `linear-gradient(to right, ${this.data.ramp.join(", ")})`;
      ends.append(element("span", "", shownNumber(this.low)), element("span", "", shownNumber(this.high)));
      box.append(bar, ends);
    }
    for (const [code, name, color, count] of this.entries()) {
      const button = element("button"), dot = element("i"), text = element("span", "", name);
      button.type = "button";
      dot.style.background = color;
      text.dir = "auto";
      button.title = name;
      button.append(dot, text, element("b", "", counted(count)));
      button.addEventListener("click", () => {
        if (!this.chosen.delete(code)) this.chosen.add(code);
        this._press(box);
        changed();
      });
      button.dataset.code = code;
      box.append(button);
    }
    this._press(box);
  }

  _press(box) {
    box.classList.toggle("chosen", this.chosen.size > 0);
    for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", this.chosen.has(Number(button.dataset.code)));
  }
}

function ramp(stops) {
  const parts = stops.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, step) => {
    const at = (step / 255) * (parts.length - 1), low = Math.min(Math.floor(at), parts.length - 2);
    const mixed = parts[low].map((value, channel) => Math.round(value + (parts[low + 1][channel] - value) * (at - low)));
    return inkOf(`#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`);
  });
}

function element(kind, name = "", text = "") {
  const made = document.createElement(kind);
  if (name) made.className = name;
  if (text) made.textContent = text; // never innerHTML: titles are anybody's
  return made;
}
