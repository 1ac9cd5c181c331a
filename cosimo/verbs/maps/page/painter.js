// Painter: places, colors and states of points → pixels. All blending is done here, in an array that is copied to the canvas
// once a frame: 100,000 calls of arc() take half a second where there is no GPU, this takes a few milliseconds.

const MARGIN = 16; // pixels around the canvas, so that no point at its edge has to be cut
const LEVELS = 16; // of depth
const DIM = 0, PLAIN = 1, FOUND = 2; // states of a point

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.discs = new Map();
  }

  resize(width, height) {
    this.canvas.width = this.width = width;
    this.canvas.height = this.height = height;
    this.stride = width + 2 * MARGIN;
    this.image = new ImageData(this.stride, height + 2 * MARGIN);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.discs.clear();
  }

  // A disc, or a ring, as steps through the pixels and how much of each it covers, for 4 × 4 places inside of a pixel.
  _disc(radius, opacity, ring) {
    const key = Math.round(radius * 4) * 4096 + Math.round(opacity * 256) * 2 + (ring ? 1 : 0);
    let made = this.discs.get(key);
    if (made) return made;
    const r = Math.max(Math.round(radius * 4) / 4, 0.5), reach = Math.ceil(r) + 1, thick = Math.max(r * 0.38, 1.1);
    made = [];
    for (let part = 0; part < 16; part++) {
      const cx = ((part & 3) + 0.5) / 4, cy = ((part >> 2) + 0.5) / 4, steps = [], covers = [];
      for (let dy = -reach; dy <= reach; dy++) {
        for (let dx = -reach; dx <= reach; dx++) {
          const away = Math.hypot(dx + 0.5 - cx, dy + 0.5 - cy);
          let cover = Math.min(Math.max(r + 0.5 - away, 0), 1);
          if (ring) cover *= Math.min(Math.max(away - (r - thick) + 0.5, 0.12), 1);
          const alpha = Math.round(cover * opacity * 256);
          if (alpha > 3) { steps.push(dy * this.stride + dx); covers.push(alpha); }
        }
      }
      made.push({ steps: Int32Array.from(steps), covers: Uint16Array.from(covers) });
    }
    this.discs.set(key, made);
    return made;
  }

  _stamp(x, y, color, disc) {
    const px = Math.floor(x), py = Math.floor(y);
    const part = disc[((y - py) * 4 & 3) * 4 + ((x - px) * 4 & 3)], steps = part.steps, covers = part.covers;
    const at = (py + MARGIN) * this.stride + px + MARGIN, pixels = this.pixels;
    const red_blue = color & 0xff00ff, green = color & 0x00ff00;
    for (let i = 0; i < steps.length; i++) {
      const a = covers[i], b = 256 - a, p = at + steps[i];
      if (a === 256) { pixels[p] = color; continue; }
      const under = pixels[p];
      const rb = ((Math.imul(red_blue, a) + Math.imul(under & 0xff00ff, b)) >>> 8) & 0xff00ff;
      const g = ((Math.imul(green, a) + Math.imul(under & 0x00ff00, b)) >>> 8) & 0x00ff00;
      pixels[p] = 0xff000000 | rb | g;
    }
  }

  // Draws all points: those that are dim, then the others, then those that were found.
  paint(scene) {
    const { x, y, order, states, radius, ground } = scene;
    this.pixels.fill(ground);
    const edge = MARGIN - 2, right = this.width + edge, bottom = this.height + edge;
    // in a color mixed beforehand: thousands of faint points on top of each other would be as strong as any other
    const dim = this._disc(radius * 0.85, 1, false), faint = mixedInk(scene.gray, scene.ground, 0.2);
    for (const state of scene.mixed ? [DIM, PLAIN, FOUND] : [PLAIN]) {
      const brushes = state === DIM ? [] : this._brushes(scene, state === FOUND ? radius * 1.25 : radius);
      for (let k = 0; k < order.length; k++) {
        const i = order[k];
        if (states[i] !== state) continue;
        const px = x[i], py = y[i];
        if (!(px > -edge && px < right && py > -edge && py < bottom)) continue;
        if (state === DIM) { this._stamp(px, py, faint, dim); continue; }
        const brush = brushes[scene.depth ? Math.floor(scene.depth[i] * (LEVELS - 0.01)) : 0];
        if (brush.halo) this._stamp(px, py, scene.ground, brush.halo);
        this._stamp(px, py, scene.inks[i], scene.placed[i] ? brush.ring : brush.disc);
      }
    }
    this.context.putImageData(this.image, -MARGIN, -MARGIN, MARGIN, MARGIN, this.width, this.height);
  }

  // What points are stamped with: one brush, or in three dimensions smaller and fainter ones for those farther away.
  _brushes(scene, size) {
    return Array.from({ length: scene.depth ? LEVELS : 1 }, (_, level) => {
      const near = scene.depth ? level / (LEVELS - 1) : 1, r = Math.min(scene.depth ? size * (0.6 + 0.7 * near) : size, MARGIN - 4);
      const opacity = scene.opacity * (scene.depth ? 0.35 + 0.65 * near : 1);
      const halo = scene.halo ? this._disc(r + scene.halo, 0.85 * opacity, false) : null;
      return { halo, disc: this._disc(r, opacity, false), ring: this._disc(r, opacity, true) };
    });
  }
}

// "#rrggbb" → a pixel as the array has it, blue first.
function inkOf(hex) {
  const value = parseInt(hex.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

// Part of one color in another, both as pixels.
function mixedInk(one, other, part) {
  const mixed = [0, 8, 16].map((shift) => Math.round(((one >> shift) & 255) * part + ((other >> shift) & 255) * (1 - part)) << shift);
  return (0xff000000 | mixed[0] | mixed[1] | mixed[2]) >>> 0;
}
