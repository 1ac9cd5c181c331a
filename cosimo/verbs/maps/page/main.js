// Main: wires data, camera, painter and panels together, and listens to pointers and keys.

const data = new Data(JSON.parse(document.getElementById("data").textContent));
const get = (id) => document.getElementById(id);
const stage = get("map"), tip = get("tip"), card = get("card");
const camera = new Camera(data), painter = new Painter(get("points")), names = new Names(get("names")), grid = new Grid();
const coloring = new Coloring(data), states = new Uint8Array(data.count).fill(PLAIN), panel = new Panel(data, opened);
const flat = data.dim === 2;
let found = null, mixed = false, hovered = -1, open = -1, ratio = 1, asked = false, stale = true, colors = {};
let named = null; // codes of the groups that are not dim, where some are

// -- drawing

function redraw() {
  stale = true;
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function radius() {
  const closer = Math.max(camera.scale / (camera.whole || 1), 0.3);
  const room = Math.sqrt((painter.width * painter.height) / ratio ** 2 / Math.max(data.count, 1));
  const first = Math.min(Math.max(room * 0.13, 1.15), 5.5);
  return Math.min(first * closer ** 0.4, Math.max(first, 8)) * ratio;
}

function draw() {
  asked = false;
  camera.project();
  const size = radius(), crowded = data.count > 20000 && camera.scale < camera.whole * 6;
  painter.paint({
    x: camera.x, y: camera.y, depth: flat ? null : camera.depth, order: flat ? data.order : byDepth(), states, mixed,
    placed: data.placed, inks: coloring.inks, radius: size, halo: size > 2.4 * ratio && data.count <= 20000 ? 0.8 * ratio : 0,
    opacity: crowded ? 0.75 : 1, ground: inkOf(colors.ground), gray: inkOf(colors.gray),
  });
  drawNames(size);
}

function drawNames(size) {
  const shown = [], field = coloring.field, { x, y } = camera;
  if (get("labels").checked && field && field.kind === "category") {
    field.places.forEach((place, code) => {
      if (named && !named.has(code)) return;
      const [px, py] = camera.at(place);
      shown.push({ text: field.values[code], x: px, y: py, count: field.counts[code] });
    });
  }
  const rings = [], titles = [], few = camera.scale > camera.whole * 1.5 || data.count <= 40 ? looked().few(60) : null;
  if (get("labels").checked && few) few.forEach((i) => titles.push({ text: data.title(i), x: x[i] + size, y: y[i] }));
  for (const i of new Set([open, hovered])) if (i >= 0) rings.push({ x: x[i], y: y[i], radius: size + 3 * ratio });
  names.draw(shown, titles, rings, size * 0.6, colors);
}

// Points from far to near, by counting.
let buckets = null, depths = null;
function byDepth() {
  buckets = buckets || new Uint32Array(data.count);
  depths = depths || new Uint16Array(data.count);
  const starts = new Uint32Array(1026);
  for (let i = 0; i < data.count; i++) starts[(depths[i] = Math.floor(camera.depth[i] * 1024)) + 1]++;
  for (let c = 1; c < starts.length; c++) starts[c] += starts[c - 1];
  for (let i = 0; i < data.count; i++) buckets[starts[depths[i]]++] = i;
  return buckets;
}

// The grid of what is on the screen now.
function looked() {
  if (stale) grid.build(camera.x, camera.y, (i) => states[i] !== DIM, painter.width, painter.height);
  stale = false;
  return grid;
}

function resized() {
  const { clientWidth: width, clientHeight: height } = stage;
  if (!width || !height) return;
  // more than 4 million pixels are drawn coarser: on large screens that keeps the map fluid
  ratio = Math.min(devicePixelRatio || 1, 2, Math.sqrt(4e6 / (width * height)));
  const before = [painter.width, painter.height];
  painter.resize(Math.round(width * ratio), Math.round(height * ratio));
  names.resize(painter.width, painter.height, ratio);
  if (!before[0]) fit();
  else camera.move((painter.width - before[0]) / 2, (painter.height - before[1]) / 2);
  redraw();
}

// All of the map, beside the card where there is room.
function fit() {
  const wide = stage.clientWidth > 760, left = wide ? card.offsetWidth + 34 : 24, pad = 36;
  const right = wide && open >= 0 ? get("item").offsetWidth + 24 : 24;
  const [width, height] = [stage.clientWidth - left - right - (wide ? 40 : 0), stage.clientHeight - 2 * pad];
  camera.fit({ left: left * ratio, top: pad * ratio, width: Math.max(width, 60) * ratio, height: Math.max(height, 60) * ratio });
  redraw();
}

function themed(theme) {
  document.documentElement.dataset.theme = theme;
  const style = getComputedStyle(document.documentElement);
  colors = { ground: style.getPropertyValue("--ground").trim(), ink: style.getPropertyValue("--ink").trim(), gray: theme === "dark" ? "#aab2bd" : "#7d858f" };
  names.forget();
  redraw();
}

// -- states of points

function restate() {
  mixed = found !== null || coloring.chosen.size > 0;
  const hits = found === null ? null : new Set(found);
  for (let i = 0; i < data.count; i++) {
    const shown = coloring.shows(i) && (hits === null || hits.has(i));
    states[i] = shown ? (hits ? FOUND : PLAIN) : DIM;
  }
  const field = coloring.field, categories = mixed && field && field.kind === "category";
  named = categories ? new Set(field.codes.filter((_, i) => states[i] !== DIM)) : null;
  redraw();
}

let waiting = 0;
function searching() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    found = data.search(get("search").value);
    get("found").textContent = found === null ? "" : found.length ? SAY.found(counted(found.length)) : SAY.none;
    get("results").replaceChildren(...(found || []).slice(0, 50).map((i) => {
      const item = element("li"), button = element("button", "", data.title(i));
      button.type = "button";
      button.dir = "auto";
      button.addEventListener("click", () => { opened(i); flown(i); });
      item.append(button);
      return item;
    }));
    restate();
  }, data.count > 20000 ? 150 : 60);
}

function opened(i) {
  open = i;
  if (stage.clientWidth <= 640) folded(true); // or the two would cover the map
  panel.show(i);
  const [left, right] = [card.offsetLeft + card.offsetWidth, get("item").offsetLeft], x = camera.x[i] / ratio;
  if (stage.clientWidth > 760 && (x > right - 20 || x < left + 10)) flown(i);
  redraw();
}

function closed() {
  open = -1;
  panel.hide();
  redraw();
}

// Moves a point into the middle of what is not covered, and closer if it is far away; in a quarter of a second.
function flown(i) {
  camera.project();
  const narrow = stage.clientWidth <= 760, left = narrow ? 0 : card.offsetLeft + card.offsetWidth;
  const right = narrow ? stage.clientWidth : get("item").offsetLeft;
  const goal = [((left + right) / 2) * ratio, (stage.clientHeight / (narrow ? 4 : 2)) * ratio];
  const factor = flat ? Math.max(camera.whole * 3 / camera.scale, 1) : 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches, started = performance.now();
  let done = 0;
  const step = (now) => {
    const part = still ? 1 : Math.min(Math.max((now - started) / 250, 0), 1), eased = part * part * (3 - 2 * part), more = (eased - done) / (1 - done || 1);
    camera.project();
    camera.zoom(factor ** (eased - done), camera.x[i], camera.y[i]);
    camera.project();
    camera.move((goal[0] - camera.x[i]) * more, (goal[1] - camera.y[i]) * more);
    done = eased;
    redraw();
    if (part < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// -- pointers

const down = new Map();
let moved = 0;

function hover(event) {
  const [x, y] = [event.clientX * ratio, event.clientY * ratio];
  const i = event.pointerType === "touch" || down.size ? -1 : looked().nearest(x, y, Math.max(radius(), 6 * ratio) + 3 * ratio);
  stage.classList.toggle("over", i >= 0);
  if (i !== hovered) {
    hovered = i;
    drawNames(radius());
    tip.hidden = i < 0;
    if (i >= 0) {
      const value = coloring.field ? data.value(coloring.field, i) : "";
      tip.replaceChildren(...[data.picture(i), document.createTextNode(data.title(i))].filter(Boolean));
      if (value) tip.append(element("small", "", value));
    }
  }
  if (i < 0) return;
  const [right, bottom] = [innerWidth - tip.offsetWidth - 8, innerHeight - tip.offsetHeight - 8];
  tip.style.transform = `translate(${Math.min(event.clientX + 14, right)}px, ${Math.min(event.clientY + 14, bottom)}px)`;
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button > 2) return;
  stage.focus({ preventScroll: true });
  try { stage.setPointerCapture(event.pointerId); } catch { /* a pointer made by a program cannot be captured */ }
  down.set(event.pointerId, [event.clientX, event.clientY]);
  if (down.size === 1) moved = 0;
});

stage.addEventListener("pointermove", (event) => {
  const before = down.get(event.pointerId);
  if (!before) { hover(event); return; }
  const [dx, dy] = [(event.clientX - before[0]) * ratio, (event.clientY - before[1]) * ratio];
  moved += Math.abs(dx) + Math.abs(dy);
  const others = [...down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  if (others.length) {
    const [ox, oy] = others[0], far = (x, y) => Math.hypot(x - ox, y - oy) || 1;
    camera.zoom(far(event.clientX, event.clientY) / far(...before), ((event.clientX + ox) / 2) * ratio, ((event.clientY + oy) / 2) * ratio);
    camera.move(dx / 2, dy / 2);
  } else if (moved > 4 * ratio) {
    if (flat || event.shiftKey || event.buttons & 2) camera.move(dx, dy);
    else camera.turn(dx / ratio, dy / ratio);
    stage.classList.add("moving");
    if (hovered >= 0) { hovered = -1; tip.hidden = true; }
  }
  down.set(event.pointerId, [event.clientX, event.clientY]);
  if (moved > 4 * ratio) redraw();
});

function released(event) {
  const pressed = down.delete(event.pointerId);
  stage.classList.remove("moving");
  if (!pressed || moved > 4 * ratio || down.size || event.type !== "pointerup" || event.button !== 0) return;
  const touch = event.pointerType === "touch" ? 14 : 6;
  const i = looked().nearest(event.clientX * ratio, event.clientY * ratio, Math.max(radius(), touch * ratio) + 3 * ratio);
  if (i >= 0) opened(i);
  else if (open >= 0) closed();
}
stage.addEventListener("pointerup", released);
stage.addEventListener("pointercancel", released);
stage.addEventListener("pointerleave", () => { tip.hidden = true; if (hovered >= 0) { hovered = -1; redraw(); } });
stage.addEventListener("contextmenu", (event) => { if (!flat) event.preventDefault(); });
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : 1, speed = event.ctrlKey ? 0.01 : 0.0016;
  camera.zoom(Math.exp(-Math.max(Math.min(event.deltaY * lines, 300), -300) * speed), event.clientX * ratio, event.clientY * ratio);
  redraw();
}, { passive: false });
stage.addEventListener("dblclick", (event) => zoomed(2, event.clientX * ratio, event.clientY * ratio));

function zoomed(factor, x = painter.width / 2, y = painter.height / 2) {
  camera.zoom(factor, x, y);
  redraw();
}

// -- keys and buttons

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape") {
    if (event.target === get("search") && get("search").value) { get("search").value = ""; searching(); }
    else if (open >= 0) closed();
    else if (found !== null) { get("search").value = ""; searching(); }
    stage.focus();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    get("search").focus();
  } else if (event.key === "Enter" && event.target === get("search") && found && found.length) {
    opened(found[0]);
    flown(found[0]);
  } else if (event.target === stage || event.target === document.body) {
    const step = 60 * ratio, moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) { event.preventDefault(); camera.move(...moves[event.key]); redraw(); }
    if (event.key === "+" || event.key === "=") zoomed(1.4);
    if (event.key === "-") zoomed(1 / 1.4);
    if (event.key === "0") fit();
  }
});

function begin() {
  get("title").textContent = data.title_;
  const about = data.about, later = data.placed.reduce((a, b) => a + b, 0);
  get("about").textContent = [SAY.items(counted(data.count)), about.method, ...(later ? [SAY.placed(counted(later))] : [])].join(" · ");
  const said = [];
  if (about.trustworthiness !== null) said.push(SAY.trust(about.trustworthiness.toFixed(2), percent(about.kept), about.neighbours));
  if (about.share !== null) said.push(SAY.share(percent(about.share)));
  if (later) said.push(SAY.rings);
  said.push(flat ? SAY.hints : SAY.hints3);
  get("more").querySelector("summary").textContent = SAY.about;
  get("more").querySelector("div").append(...said.map((text) => element("p", "", text)));
  get("search").placeholder = SAY.search;
  get("search").setAttribute("aria-label", SAY.search);
  get("coloring").querySelector("span").textContent = SAY.color;
  get("naming").querySelector("span").textContent = SAY.labels;
  stage.setAttribute("aria-label", SAY.map);
  document.documentElement.lang = CHINESE ? "zh" : "en";
  for (const [id, text] of [["closer", SAY.closer], ["farther", SAY.farther], ["whole", SAY.whole], ["theme", SAY.theme], ["fold", SAY.fold]]) {
    get(id).title = text;
    get(id).setAttribute("aria-label", text);
  }
  const select = get("color");
  data.fields.forEach((field, at) => {
    if (field.kind === "text") return;
    const option = element("option", "", nameOf(field));
    option.value = at;
    option.selected = field === coloring.field;
    select.append(option);
  });
  const plain = element("option", "", SAY.one);
  plain.value = -1;
  plain.selected = !coloring.field;
  select.append(plain);
  select.addEventListener("change", () => { coloring.use(Number(select.value)); coloring.legend(get("legend"), restate); restate(); });
  coloring.legend(get("legend"), restate);
  get("search").addEventListener("input", searching);
  get("labels").addEventListener("change", redraw);
  get("close").addEventListener("click", closed);
  get("closer").addEventListener("click", () => zoomed(1.5));
  get("farther").addEventListener("click", () => zoomed(1 / 1.5));
  get("whole").addEventListener("click", fit);
  get("fold").addEventListener("click", () => folded(!card.classList.contains("folded")));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  get("theme").addEventListener("click", () => themed(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  dark.addEventListener("change", () => themed(dark.matches ? "dark" : "light"));
  folded(innerWidth <= 640);
  themed(dark.matches ? "dark" : "light");
  new ResizeObserver(resized).observe(stage);
  resized();
}

function folded(yes) {
  card.classList.toggle("folded", yes);
  get("fold").textContent = yes ? "▸" : "▾";
  get("fold").setAttribute("aria-expanded", !yes);
}

begin();
