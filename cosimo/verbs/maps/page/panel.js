// Panel: one item, opened: its title, link, fields and text, and what lies beside it.

class Panel {
  constructor(data, open) {
    this.data = data;
    this.box = document.getElementById("item");
    this.open = open;
    this.box.querySelector("h3").textContent = SAY.beside;
    const close = document.getElementById("close");
    close.textContent = "×";
    close.setAttribute("aria-label", SAY.close);
  }

  show(i) {
    const { data, box } = this, part = (selector) => box.querySelector(selector);
    part("h2").textContent = data.title(i);
    part(".id").textContent = data.titles[i] === null ? "" : data.ids[i];
    this._link(part(".open"), data.links[i]);
    const list = part("dl");
    list.replaceChildren();
    for (const field of data.fields) {
      const value = data.value(field, i);
      if (!value || value === data.links[i] || value === data.title(i)) continue;
      const shown = element("dd", "", value);
      shown.dir = "auto";
      list.append(element("dt", "", nameOf(field)), shown);
    }
    part(".text").textContent = (data.texts[i] || "") + (data.cut[i] ? SAY.short : "");
    part(".text").prepend(...[data.picture(i)].filter(Boolean));
    const beside = part(".beside ol");
    beside.replaceChildren(...this._beside(i, 6).map((other) => {
      const item = element("li"), button = element("button", "", data.title(other));
      button.type = "button";
      button.dir = "auto";
      button.addEventListener("click", () => this.open(other));
      item.append(button);
      return item;
    }));
    part(".beside").hidden = data.count < 2;
    box.hidden = false;
    box.scrollTop = 0;
    document.body.classList.add("reading");
  }

  hide() {
    this.box.hidden = true;
    document.body.classList.remove("reading");
  }

  // An address opens only if it leads to a web page; it was checked when the page was made, and is again.
  _link(box, address) {
    let url = null;
    try { url = address ? new URL(address) : null; } catch { url = null; }
    const safe = url !== null && (url.protocol === "https:" || url.protocol === "http:"), link = box.querySelector("a");
    box.hidden = !safe;
    link.textContent = safe ? `${SAY.open}: ${url.hostname}` : "";
    if (safe) link.href = url.href;
    else link.removeAttribute("href");
  }

  _beside(i, most) {
    const { points, dim, count } = this.data, away = new Float32Array(count);
    for (let j = 0; j < count; j++) {
      let sum = 0;
      for (let axis = 0; axis < dim; axis++) sum += (points[j * dim + axis] - points[i * dim + axis]) ** 2;
      away[j] = j === i ? Infinity : sum;
    }
    const best = [];
    for (let j = 0; j < count; j++) {
      if (j === i || (best.length === most && away[j] >= away[best[most - 1]])) continue;
      best.push(j);
      best.sort((a, b) => away[a] - away[b]);
      best.length = Math.min(best.length, most);
    }
    return best;
  }
}
