"use strict";
// Tables: the threshold and the rows to download, the cell map, and N at any lambda or share set aside.

const CHART = {left: 52, right: 466, top: 24, bottom: 190};  // the frame that charts.py draws in
const TICKS = 8, TALLEST = 640, BLOCK_POWER = 0.7;  // of the cell map: rows named, pixels

const many = n => n.toLocaleString("en").replaceAll(",", "\u202f");
const nth = (i, facts) => facts.labels[i] ? `row ${facts.top[i].row}, ${facts.labels[i]}` : `row ${facts.top[i].row}`;

function svg(name, attributes, text = "") {
  const element = document.createElementNS(document.querySelector("svg").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

// Bars of the histogram again, of whose rows the `flagged` highest are anomalous, and the threshold's line.
function drawScores(chart, scores, flagged, threshold) {
  const {left, right, top, bottom} = CHART, {edges, normal, anomalous, log} = scores;
  const scale = v => log ? Math.log(v) : v, low = scale(edges[0]), high = scale(edges[edges.length - 1]);
  const x = v => left + (right - left) * (scale(v) - low) / (high - low);
  const totals = normal.map((count, k) => count + anomalous[k]), most = Math.max(...totals);
  const y = count => bottom - (bottom - top) * Math.sqrt(count / most), bars = [];
  let rest = flagged;
  for (let k = totals.length - 1; k >= 0; k--) {
    const outlying = Math.min(rest, totals[k]), calm = totals[k] - outlying;
    rest -= outlying;
    for (const [base, count, style] of [[0, calm, "normal"], [calm, outlying, "outlier"]]) {
      if (!count) continue;
      const bar = svg("rect", {
        x: x(edges[k]), y: y(base + count), width: Math.max(x(edges[k + 1]) - x(edges[k]) - 1, 0.5),
        height: y(base) - y(base + count), class: `fill-${style}`,
      });
      bar.append(svg("title", {}, `${count} rows, score ${brief(edges[k])} to ${brief(edges[k + 1])}`));
      bars.push(bar);
    }
  }
  chart.querySelector(".bars").replaceChildren(...bars);
  chart.querySelectorAll(".threshold, .mark").forEach(old => old.remove());
  const at = Math.min(Math.max(x(threshold), left), right) || left;
  chart.append(
    svg("line", {x1: at, x2: at, y1: top - 6, y2: bottom, class: "threshold"}),
    svg("text", {x: Math.max(at, left + 310), y: top - 10, class: "end mark"}, `threshold ${brief(threshold)}`));
}

// The slider goes by the number of rows called anomalous, logarithmic from none up.
function startThreshold(part, facts, energies, lines) {
  const input = part.querySelector(".cut"), held = energies.length, {scores} = facts, n = scores.rows;
  const chart = part.querySelector(".scores svg"), save = part.querySelector(".save");
  const tile = part.querySelector('.tile[data-name="anomalies"]'), chips = part.querySelectorAll(".top .chip");
  const between = k => k === 0 ? energies[0] : k === held ? energies[held - 1] : (energies[k - 1] + energies[k]) / 2;
  let flagged = 0;
  const go = (k, own) => {
    while (!own && k > 0 && k < held && energies[k] === energies[k - 1]) k++;  // equal scores go together
    flagged = k;
    const threshold = own ? scores.threshold : between(k), some = Math.min(k, lines.length);
    const output = part.querySelector(".cut-value");
    output.textContent = `${many(k)} of ${many(n)} (${percent(k / n)})${own ? ", as fitted" : ""}`;
    Object.assign(output.dataset, {flagged: k, threshold});
    drawScores(chart, scores, k, threshold);
    tile.querySelector("b").textContent = many(k);
    tile.querySelector("small").textContent = `${percent(k / n)} of the rows`;
    chips.forEach((chip, i) => {
      chip.className = i < k ? "chip" : "chip calm";
      chip.textContent = i < k ? "anomalous" : "normal";
    });
    save.disabled = !some;
    save.textContent = `Download ${many(some)} ${some === 1 ? "row" : "rows"} (CSV)`;
    part.querySelector(".save-value").textContent = some < k
      ? `The page holds the ${many(some)} rows of the highest scores; robustae score writes all.` : "";
  };
  const reset = () => {
    input.value = 1000 * Math.log1p(scores.anomalies) / Math.log1p(held);
    go(scores.anomalies, true);
  };
  input.addEventListener("input", () => go(Math.round(Math.expm1(input.value / 1000 * Math.log1p(held))), false));
  part.querySelector(".cut-fitted").addEventListener("click", reset);
  save.addEventListener("click", () => {
    const text = facts.export.header + lines.slice(0, flagged).join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
    link.download = `${facts.title.replace(/\.\w+$/, "").replace(/[^\w.-]+/g, "_")}_anomalies.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  reset();
}

// Lines beside an element or a point of it; nothing hides the tip.
function showTip(heading, lines, box) {
  const tip = document.getElementById("tip");
  tip.hidden = !heading;
  if (!heading) return;
  tip.replaceChildren(Object.assign(document.createElement("b"), {textContent: heading}),
    ...lines.filter(Boolean).flatMap(line => [line, document.createElement("br")]));
  tip.style.left = `${Math.max(8, Math.min(box.right + 8, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${box.bottom + tip.offsetHeight + 8 > innerHeight ? box.top - tip.offsetHeight - 6 : box.bottom + 6}px`;
}

const range = (block, step, most) => step === 1 ? `${block}` : `${block * step} to ${Math.min((block + 1) * step, most) - 1}`;

// Flagged cells red or blue on yellow, missing ones white, each the paler the less it is off; blocks of
// cells mix these colours, in which few flagged cells count for more than their share.
function startCellMap(part, facts, orders) {
  const cells = facts.cells, {rows, columns} = cells, canvas = part.querySelector(".cells canvas");
  const single = cells.row_step * cells.column_step === 1, choice = part.querySelector(".order select");
  canvas.style.height = `${Math.max(48, Math.min(14 * rows, TALLEST))}px`;
  const share = (k, layer) => orders[choice.value][3 * k + layer] / 255;
  const draw = () => {
    const [calm, above, below, gone, pale] = ["calm", "above", "below", "gone", "pale"].map(name => hue(`--map-${name}`));
    const mixed = (first, second, part) => first.map((c, i) => c + (second[i] - c) * part);
    const one = k => share(k, 2) ? gone : share(k, 0) ? mixed(pale, above, share(k, 0)) : share(k, 1) ? mixed(pale, below, share(k, 1)) : calm;
    const several = k => {
      const [up, down] = [0, 1].map(layer => Math.pow(share(k, layer), BLOCK_POWER));
      const inked = mixed(below, above, up + down ? up / (up + down) : 0);
      return mixed(mixed(calm, gone, share(k, 2)), inked, Math.min(1, up + down));
    };
    paint(canvas, [rows, columns], k => [...(single ? one : several)(k), 255]);
    part.querySelector(".down").replaceChildren(...ticks());
  };
  const named = block => choice.value === "score" ? `#${block * cells.row_step + 1}`
    : cells.labels[block] || `${block * cells.row_step}`;
  const ticks = () => {
    const every = Math.max(1, Math.ceil(rows / TICKS)), marks = [];
    const letters = Math.max(...cells.labels.map(label => label.length), `${facts.read.rows}`.length + 1);
    part.querySelector(".down").style.width = `${Math.min(letters + 1, 16)}ch`;
    for (let block = 0; block < rows; block += every) {
      const mark = Object.assign(document.createElement("span"), {textContent: named(block), title: named(block)});
      mark.style.top = `${100 * (block + 0.5) / rows}%`;
      marks.push(mark);
    }
    return marks;
  };
  const amount = share => single ? `${brief(3 + 7 * Math.max(0, share - 0.4) / 0.6)}${share >= 1 ? " or more" : ""} deviations`
    : percent(share);
  const point = event => {
    const box = canvas.getBoundingClientRect();
    const r = Math.floor((event.clientY - box.top) / box.height * rows), c = Math.floor((event.clientX - box.left) / box.width * columns);
    if (r < 0 || c < 0 || r >= rows || c >= columns) return showTip("");
    const shares = [0, 1, 2].map(layer => orders[choice.value][3 * (r * columns + c) + layer] / 255);
    const first = c * cells.column_step, last = Math.min(first + cells.column_step, cells.names.length) - 1;
    const where = choice.value === "score" ? "by score, rank" : "row";
    const lines = ["above by", "below by", "missing"].map((word, layer) => shares[layer]
      && (single ? layer < 2 ? `${word} ${amount(shares[layer])}` : word : `${["above", "below", "missing"][layer]}: ${amount(shares[layer])}`));
    showTip(first === last ? cells.names[first] : `${cells.names[first]} to ${cells.names[last]}`, [
      `${where} ${choice.value === "score" && single ? r + 1 : range(r, cells.row_step, facts.read.rows)}`,
      choice.value === "file" ? cells.labels[r] : "", ...lines, shares.some(Boolean) ? "" : "as expected",
    ], {left: event.clientX, right: event.clientX, top: event.clientY, bottom: event.clientY + 8});
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => showTip(""));
  choice.addEventListener("change", draw);
  dark.addEventListener("change", draw);
  draw();
}

// sign(r) max(|r| - weight lam / 2, 0) by source column; all of r in rows set aside.
function shrunk(R, lam, weights, columns, aside) {
  if (!weights.length && !aside.length) return soft(R, lam);
  return Float64Array.from(R, (r, k) => aside.includes(Math.floor(k / columns)) ? r
    : Math.sign(r) * Math.max(Math.abs(r) - (weights.length ? weights[k % columns] : 1) * lam / 2, 0));
}

// The share slider: rows whose energy is beyond that share's cutoff are set aside.
function trimSlider(part, trim, changed) {
  const input = part.querySelector(".trim"), output = part.querySelector(".trim-value");
  const go = (share, cutoff, own) => {
    const aside = trim.energies.flatMap((energy, i) => energy > cutoff ? [i] : []);
    output.textContent = `${percent(share)}${own ? " (fitted)" : ""} · ${aside.length} of the ${trim.energies.length} above`;
    output.dataset.aside = aside.length;
    changed(aside);
  };
  const reset = () => {
    input.value = trim.shares.reduce((best, s, k) => Math.abs(s - trim.share) < Math.abs(trim.shares[best] - trim.share) ? k : best, 0);
    go(trim.share, trim.cutoff, true);
  };
  input.addEventListener("input", () => go(trim.shares[input.value], trim.cutoffs[input.value], false));
  part.querySelector(".trim-fitted").addEventListener("click", reset);
  reset();
}

function startOutliers(part, facts, R) {
  const {map, slider} = facts, columns = facts.read.columns, cells = [...part.querySelectorAll(".map td")];
  const at = cell => cell.dataset.i * columns + map.index[cell.dataset.j];
  let N = null, aside = [], again = () => {};
  const mark = lam => {
    N = shrunk(R, lam, slider.weights, columns, aside);
    for (const cell of cells) cell.classList.toggle("outlying", N[at(cell)] !== 0);
    return share(N);
  };
  if (R) again = lambdaSlider(part, slider, largest(R), mark);
  if (R && facts.trim) trimSlider(part, facts.trim, rows => { aside = rows; again(); });
  const grid = part.querySelector(".map");
  grid.addEventListener("pointerover", event => {
    const cell = event.target.closest("td");
    if (!cell) return showTip("");
    const {i, j} = cell.dataset, observed = map.observed[i][j], off = map.deviations[i][j];
    showTip(map.columns[j], [
      nth(i, facts),
      observed === null ? "missing" : `observed ${brief(observed)}`,
      map.expected[i][j] === null ? "" : `expected ${brief(map.expected[i][j])}`,
      observed === null ? "" : `${brief(Math.abs(off))} deviations${map.flagged[i][j] ? ", flagged" : ""}`,
      N && observed !== null ? `N ${brief(N[at(cell)])} (scaled)` : "",
    ], cell.getBoundingClientRect());
  });
  grid.addEventListener("pointerleave", () => showTip(""));
  return () => N;
}

async function startTable(part, facts) {
  const packed = [facts.threshold.energies, facts.export.lines, facts.cells.file, facts.cells.score];
  const [energies, lines, file, score] = await Promise.all(packed.map(unpack));
  startThreshold(part, facts, energies, lines);
  startCellMap(part, facts, {file, score});
  addEventListener("scroll", () => showTip(""), {passive: true, capture: true});
  return startOutliers(part, facts, facts.slider ? await unpack(facts.slider.residuals) : null);
}
