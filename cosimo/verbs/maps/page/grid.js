// Grid: which point is under the pointer. Made when first asked after the camera moved: points sorted into squares of the window.

const CELL = 24; // pixels

class Grid {
  build(x, y, usable, width, height) {
    this.columns = Math.ceil(width / CELL) + 1;
    this.rows = Math.ceil(height / CELL) + 1;
    const starts = new Uint32Array(this.columns * this.rows + 1), cells = new Int32Array(x.length);
    for (let i = 0; i < x.length; i++) {
      const inside = usable(i) && x[i] >= 0 && y[i] >= 0 && x[i] < width && y[i] < height;
      cells[i] = inside ? Math.floor(y[i] / CELL) * this.columns + Math.floor(x[i] / CELL) : -1;
      if (inside) starts[cells[i] + 1]++;
    }
    for (let c = 1; c < starts.length; c++) starts[c] += starts[c - 1];
    this.starts = starts;
    this.members = new Uint32Array(starts[starts.length - 1]);
    const next = starts.slice();
    for (let i = 0; i < x.length; i++) if (cells[i] >= 0) this.members[next[cells[i]]++] = i;
    this.x = x;
    this.y = y;
  }

  // The nearest point within `reach` pixels; -1 where there is none.
  nearest(px, py, reach) {
    let best = -1, least = reach * reach;
    const last = (value, most) => Math.min(Math.floor(value / CELL), most - 1);
    for (let row = Math.max(Math.floor((py - reach) / CELL), 0); row <= last(py + reach, this.rows); row++) {
      for (let column = Math.max(Math.floor((px - reach) / CELL), 0); column <= last(px + reach, this.columns); column++) {
        const cell = row * this.columns + column;
        for (let k = this.starts[cell]; k < this.starts[cell + 1]; k++) {
          const i = this.members[k], away = (this.x[i] - px) ** 2 + (this.y[i] - py) ** 2;
          if (away <= least) [best, least] = [i, away];
        }
      }
    }
    return best;
  }

  // The points on the screen, as long as there are no more than `most`; null where there are.
  few(most) { return this.members.length <= most ? this.members : null; }
}
