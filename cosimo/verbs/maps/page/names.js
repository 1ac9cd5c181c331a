// Names: labels of groups, titles of few points, rings around what is chosen; on a canvas of their own over the points.

class Names {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.made = new Map();
  }

  resize(width, height, ratio) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.ratio = ratio;
    this.made.clear();
  }

  forget() { this.made.clear(); }

  // A text with a halo of the ground's color, drawn once: strokeText takes most of a frame for forty names.
  _text(text, size, weight, colors, most) {
    const key = `${size} ${weight} ${text}`;
    if (this.made.has(key)) return this.made.get(key);
    if (this.made.size > 2000) this.made.clear();
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d"), px = size * this.ratio;
    const font = `${weight} ${px}px ${getComputedStyle(document.body).fontFamily}`;
    const characters = Array.from(text), short = characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
    context.font = font;
    const pad = Math.ceil(px * 0.35);
    canvas.width = Math.ceil(context.measureText(short).width) + 2 * pad;
    canvas.height = Math.ceil(px * 1.3) + 2 * pad;
    context.font = font;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = px * 0.32;
    context.strokeStyle = colors.ground;
    context.globalAlpha = 0.85;
    context.strokeText(short, pad, canvas.height / 2);
    context.globalAlpha = 1;
    context.fillStyle = colors.ink;
    context.fillText(short, pad, canvas.height / 2);
    this.made.set(key, canvas);
    return canvas;
  }

  // Draws labels ({text, x, y, count}) a little above their places, the largest group first, leaving out what would lie on another
  // one; then titles of points.
  draw(labels, titles, rings, above, colors) {
    const { context, ratio } = this, taken = [];
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const most = labels.length ? Math.max(...labels.map((label) => label.count)) : 1;
    const first = this.canvas.width / ratio > 640 ? 12 : 10;
    for (const label of labels) {
      const size = first + Math.round(4 * Math.sqrt(label.count / most));
      const image = this._text(label.text, size, 650, colors, 34);
      const inside = label.x >= 0 && label.x <= this.canvas.width, last = this.canvas.width - image.width;
      const left = label.x - image.width / 2; // of a group on the screen the whole name is
      this._put(image, inside ? Math.max(Math.min(left, last), 0) : left, label.y - image.height * 0.85 - above, taken);
    }
    for (const title of titles) {
      const image = this._text(title.text, 11.5, 400, colors, 56);
      this._put(image, title.x + 5 * ratio, title.y - image.height / 2, taken);
    }
    for (const ring of rings) {
      for (const [color, width] of [[colors.ground, 4.5], [colors.ink, 2]]) {
        context.beginPath();
        context.arc(ring.x, ring.y, ring.radius, 0, 2 * Math.PI);
        context.strokeStyle = color;
        context.lineWidth = width * ratio;
        context.stroke();
      }
    }
  }

  _put(image, left, top, taken) {
    const [right, bottom] = [left + image.width, top + image.height];
    if (right < 0 || bottom < 0 || left > this.canvas.width || top > this.canvas.height) return;
    const inset = image.height * 0.22; // the halo may touch another one
    if (taken.some(([l, t, r, b]) => left < r && right > l && top + inset < b && bottom - inset > t)) return;
    taken.push([left, top + inset, right, bottom - inset]);
    this.context.drawImage(image, Math.round(left), Math.round(top));
  }
}
