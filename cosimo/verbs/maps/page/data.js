// Data: what is written into the page → typed arrays and fields. Draws nothing.

function unpacked(base64, Kind) {
  const raw = atob(base64), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

class Data {
  constructor(written) {
    Object.assign(this, written);
    this.points = unpacked(written.points, Float32Array); // count × dim
    this.placed = unpacked(written.placed, Uint8Array);
    for (const field of this.fields) {
      if (field.codes) field.codes = unpacked(field.codes, Int32Array);
      if (field.numbers) field.numbers = unpacked(field.numbers, Float32Array);
    }
    this.order = shuffled(this.count); // no value lies on top of all others because it came last
  }

  title(i) { return this.titles[i] === null ? this.ids[i] : this.titles[i]; }

  // What an item that is a picture looks like, as an element; null for any other.
  picture(i) {
    if (!this.pictures[i]) return null;
    const image = element("img");
    image.src = `data:image/webp;base64,${this.pictures[i]}`;
    image.alt = "";
    return image;
  }

  value(field, i) {
    if (field.kind === "number") return Number.isNaN(field.numbers[i]) ? "" : shownNumber(field.numbers[i]);
    return field.codes[i] < 0 ? "" : field.values[field.codes[i]];
  }

  // Titles, ids and texts in lower case, made when first searched.
  get lower() {
    if (!this._lower) this._lower = this.ids.map((id, i) => `${this.title(i)}\n${id}\n${this.texts[i] || ""}`.toLowerCase());
    return this._lower;
  }

  // The items that hold all words of a question, in any order.
  search(question) {
    const words = question.toLowerCase().split(/\s+/).filter(Boolean), found = [];
    if (!words.length) return null;
    const first = [];
    this.lower.forEach((text, i) => {
      if (!words.every((word) => text.includes(word))) return;
      (this.title(i).toLowerCase().includes(words[0]) ? first : found).push(i);
    });
    return first.concat(found);
  }
}

const shownNumber = (x) => Number(x.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 6, useGrouping: Math.abs(x) >= 1e5 });

function shuffled(count) {
  const order = new Uint32Array(count).map((_, i) => i);
  let seed = 12345;
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((seed / 4294967296) * (i + 1)), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}
