// Words: what the page says, in English and Chinese, by the browser's language.

const WORDS = {
  en: {
    search: "Search titles and texts", found: (n) => `${n} found`, none: "nothing found", color: "Color", one: "one color",
    labels: "Names on the map", about: "About this map", items: (n) => `${n} items`, placed: (n) => `${n} placed later`,
    other: (n) => `${n} others`, missing: "no value", close: "Close", fold: "Fold", open: "Open", beside: "Beside it on the map",
    closer: "Closer", farther: "Farther", whole: "All", theme: "Light or dark", map: "Map of the items; arrow keys move, + and − zoom",
    short: "… (shortened here)", field: { cluster: "cluster", folder: "folder", placed: "placed" },
    trust: (t, k, m) => `Trustworthiness ${t} (1 is perfect, a map by chance has 0.5): whether what lies side by side is alike. ${k} of each item's ${m} nearest are among its ${m} nearest here. Distances between far-away groups say little.`,
    share: (s) => `A PCA: the axes show ${s} of all variance.`,
    rings: "Hollow points are new: placed beside what they are like, on a map made without them.",
    hints: "Drag moves, wheel zooms, a click opens an item, / searches, Esc closes.",
    hints3: "Drag turns, Shift and drag moves, wheel zooms, a click opens an item, / searches, Esc closes.",
  },
  zh: {
    search: "搜索标题和正文", found: (n) => `找到 ${n} 条`, none: "没有找到", color: "着色", one: "单色", labels: "在图上显示名称",
    about: "关于此图", items: (n) => `${n} 条`, placed: (n) => `${n} 条为后来放置`, other: (n) => `其他 ${n} 个值`, missing: "无值",
    close: "关闭", fold: "折叠", open: "打开", beside: "图上相邻", closer: "放大", farther: "缩小", whole: "全部", theme: "浅色或深色",
    map: "条目地图；方向键移动，+ 和 − 缩放", short: "……（此处已截短）", field: { cluster: "聚类", folder: "文件夹", placed: "放置" },
    trust: (t, k, m) => `可信度 ${t}（1 为最佳，随机约 0.5）：图上相邻的条目是否真的相似。每条的 ${m} 个最近邻中有 ${k} 在图上仍是最近邻。相距较远的群之间的距离没有多少意义。`,
    share: (s) => `主成分分析：坐标轴表现了全部方差的 ${s}。`, rings: "空心点是新条目：放在与其相似的条目旁，制图时尚不存在。",
    hints: "拖动平移，滚轮缩放，单击打开条目，/ 搜索，Esc 关闭。", hints3: "拖动旋转，Shift 加拖动平移，滚轮缩放，单击打开条目，/ 搜索，Esc 关闭。",
  },
};
const CHINESE = /^zh\b/i.test(navigator.language || "");
const SAY = WORDS[CHINESE ? "zh" : "en"];
const nameOf = (field) => (Object.hasOwn(SAY.field, field.name) ? SAY.field[field.name] : field.name); // "constructor" is one, too
const counted = (n) => n.toLocaleString(CHINESE ? "zh" : "en");
const percent = (share) => `${Math.round(share * 100)}%`;
