// Camera: coordinates of the map → pixels of the window. Two dimensions move and zoom, three turn as well.

class Camera {
  constructor(data) {
    this.points = data.points;
    this.dim = data.dim;
    this.count = data.count;
    this.x = new Float32Array(data.count); // where each point is on the screen, in pixels of the canvas
    this.y = new Float32Array(data.count);
    this.depth = new Float32Array(data.dim === 3 ? data.count : 0); // 0 far, 1 near
    this.scale = 1; // pixels a unit
    this.left = this.top = 0; // where the middle of the map is
    this.turned = 0.6;
    this.tilted = 0.35;
    this._bounds();
  }

  // The middle and the reach of all points, but for the farthest thousandth: one stray item does not shrink the rest.
  _bounds() {
    const low = [], high = [];
    for (let axis = 0; axis < this.dim; axis++) {
      const values = new Float32Array(this.count).map((_, i) => this.points[i * this.dim + axis]).sort();
      const cut = Math.floor(this.count / 1000);
      low.push(values[cut] ?? 0);
      high.push(values[this.count - 1 - cut] ?? 0);
    }
    this.middle = low.map((value, axis) => (value + high[axis]) / 2);
    this.size = low.map((value, axis) => high[axis] - value);
    this.reach = Math.hypot(...this.size) / 2;
  }

  // Everything inside of a rectangle of the window.
  fit(box) {
    const [wide, high] = this.dim === 2 ? this.size : [this.reach * 1.7, this.reach * 1.7];
    const scale = Math.min(box.width / (wide || 1e-9), box.height / (high || 1e-9));
    this.scale = this.whole = wide || high ? scale : 1;
    this.left = box.left + box.width / 2;
    this.top = box.top + box.height / 2;
  }

  zoom(factor, x, y) {
    const scale = Math.min(Math.max(this.scale * factor, this.whole * 0.3), this.whole * 2000);
    this.left = x + (this.left - x) * (scale / this.scale);
    this.top = y + (this.top - y) * (scale / this.scale);
    this.scale = scale;
  }

  move(dx, dy) { this.left += dx; this.top += dy; }

  turn(dx, dy) {
    this.turned += dx * 0.008;
    this.tilted = Math.min(Math.max(this.tilted + dy * 0.008, -1.55), 1.55);
  }

  // Sets x, y and depth of all points.
  project() {
    const { points, x, y, depth, count, scale, left, top, middle } = this;
    if (this.dim === 2) {
      const a = left - middle[0] * scale, b = top + middle[1] * scale;
      for (let i = 0, at = 0; i < count; i++, at += 2) {
        x[i] = points[at] * scale + a;
        y[i] = b - points[at + 1] * scale;
      }
      return;
    }
    const [cos, sin, up, down] = [Math.cos(this.turned), Math.sin(this.turned), Math.cos(this.tilted), Math.sin(this.tilted)];
    const far = 1 / (this.reach * 2.6 || 1);
    for (let i = 0, at = 0; i < count; i++, at += 3) {
      const px = points[at] - middle[0], py = points[at + 1] - middle[1], pz = points[at + 2] - middle[2];
      const u = px * cos + pz * sin, w = pz * cos - px * sin, v = py * up - w * down, z = py * down + w * up;
      const near = 1 / (1 - z * far), s = scale * near;
      x[i] = left + u * s;
      y[i] = top - v * s;
      depth[i] = Math.min(Math.max(0.5 + z * far * 1.25, 0), 1);
    }
  }

  // One place of the map on the screen: [x, y].
  at(place) {
    if (this.dim === 2) return [this.left + (place[0] - this.middle[0]) * this.scale, this.top - (place[1] - this.middle[1]) * this.scale];
    const [cos, sin, up, down] = [Math.cos(this.turned), Math.sin(this.turned), Math.cos(this.tilted), Math.sin(this.tilted)];
    const [px, py, pz] = place.map((value, axis) => value - this.middle[axis]);
    const u = px * cos + pz * sin, w = pz * cos - px * sin, s = this.scale / (1 - (py * down + w * up) / (this.reach * 2.6 || 1));
    return [this.left + u * s, this.top - (py * up - w * down) * s];
  }
}
