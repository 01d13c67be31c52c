// Finishes what the page cannot show in HTML: pictures, films, and N at any lambda, from the inlined facts.

const FACTS = JSON.parse(document.getElementById("facts").textContent);

// The page's own colours, which differ between light and dark.
const hue = name => getComputedStyle(document.documentElement).getPropertyValue(name).split(",").map(Number);
const dark = matchMedia("(prefers-color-scheme: dark)");

async function unpack(packed) {
  const deflated = Uint8Array.from(atob(packed.deflate), c => c.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  if (packed.dtype === "json") return JSON.parse(new TextDecoder().decode(buffer));
  if (packed.dtype === "float32") return new Float32Array(buffer);
  const values = new Uint8Array(buffer);
  const row = values.length / packed.shape[0];
  if (packed.delta) for (let i = row; i < values.length; i++) values[i] += values[i - row];
  return values;
}

// Equation (6): N = soft(R, lambda / 2), entry by entry.
function soft(R, lam) {
  return Float64Array.from(R, r => Math.sign(r) * Math.max(Math.abs(r) - lam / 2, 0));
}

const share = N => N.reduce((count, n) => count + (n !== 0), 0) / N.length;
const percent = p => `${(100 * p).toFixed(p > 0 && p < 0.1 ? 2 : 1)}\u00a0%`;
const brief = v => v === null || v === undefined ? "–" : typeof v !== "number" ? String(v) : v.toPrecision(4).replace(/\.?0+($|e)/, "$1");
const largest = R => R.reduce((most, r) => Math.max(most, Math.abs(r)), 0);

function paint(canvas, [height, width], rgba) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let k = 0; k < width * height; k++) image.data.set(rgba(k), 4 * k);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintValues(canvas, shape, values, low, high) {
  const level = v => 255 * (v - low) / (high - low), channels = shape[2];
  paint(canvas, shape, k => channels < 3
    ? [level(values[channels * k]), level(values[channels * k]), level(values[channels * k]), 255]
    : [level(values[channels * k]), level(values[channels * k + 1]), level(values[channels * k + 2]), 255]);
}

// Nothing where N = 0, so that the page's own ground shows, light or dark.
function paintOutliers(canvas, shape, N, most) {
  const channels = shape[2], above = hue("--above"), below = hue("--below");
  paint(canvas, shape, k => {
    let n = 0;
    for (let c = 0; c < channels; c++) if (Math.abs(N[channels * k + c]) > Math.abs(n)) n = N[channels * k + c];
    return [...(n > 0 ? above : below), n === 0 ? 0 : 255 * Math.min(1, 0.08 + 0.92 * Math.pow(Math.abs(n) / most, 0.7))];
  });
}

function paintMask(canvas, shape, flagged) {
  const channels = shape[2], above = hue("--above");
  paint(canvas, shape, k => {
    let any = 0;
    for (let c = 0; c < channels; c++) any |= flagged[channels * k + c];
    return [...above, any ? 255 : 0];
  });
}

// The lambda slider: logarithmic, starts exactly at the fitted value, calls `changed` with each new one.
function lambdaSlider(part, slider, most, changed) {
  const input = part.querySelector(".lam"), output = part.querySelector(".lam-value");
  const fitted = slider.lam === null ? Infinity : slider.lam;
  const top = 2 * most * 1.02 || 1, bottom = Math.min(top / 1000, fitted / 20);
  const place = lam => 1000 * Math.log(Math.min(Math.max(lam, bottom), top) / bottom) / Math.log(top / bottom);
  const go = (lam, own) => {
    const nonzero = changed(lam);
    output.textContent = `${lam === Infinity ? "∞" : brief(lam)}${own ? " (fitted)" : ""} · N ≠ 0 in ${percent(nonzero)}`;
    Object.assign(output.dataset, {lam, share: nonzero});
  };
  let lam = fitted;
  const reset = () => { lam = fitted; input.value = place(lam); go(lam, true); };
  input.addEventListener("input", () => {
    lam = bottom * Math.pow(top / bottom, input.value / 1000);
    go(lam, false);
  });
  part.querySelector(".fitted").addEventListener("click", reset);
  reset();
  return () => go(lam, lam === fitted);
}

async function startImages(part, facts) {
  const {shape, low, high} = facts.pictures, d = shape[0] * shape[1] * shape[2];
  const [observed, expected, R] = await Promise.all(
    [facts.pictures.observed, facts.pictures.expected, facts.slider ? facts.slider.residuals : facts.pictures.outliers].map(unpack));
  const of = (values, k) => values.subarray(k * d, (k + 1) * d), cards = [...part.querySelectorAll(".card")];
  const most = largest(R);
  let N = R;
  cards.forEach((card, k) => {
    paintValues(card.querySelector(".observed"), shape, of(observed, k), low, high);
    paintValues(card.querySelector(".expected"), shape, of(expected, k), low, high);
  });
  const draw = () => cards.forEach((card, k) => paintOutliers(card.querySelector(".outliers"), shape, of(N, k), most));
  if (facts.slider) lambdaSlider(part, facts.slider, most, lam => {
    N = soft(R, lam);
    draw();
    return share(N);
  }); else draw();
  dark.addEventListener("change", draw);
  return () => N;
}

async function startFilm(part, facts) {
  const film = facts.film, {shape, low, high} = film, d = shape[0] * shape[1] * shape[2];
  const [observed, expected, flagged] = await Promise.all([film.observed, film.expected, film.mask].map(unpack));
  const unit = facts.slider ? await unpack(facts.slider.unit) : [1];
  const given = facts.slider ? null : await unpack(film.outliers);
  const level = bytes => Float32Array.from(bytes, v => low + (high - low) * v / 255);
  const canvas = name => part.querySelector(`canvas.${name}`), of = (values, k) => values.subarray(k * d, (k + 1) * d);
  const ends = part.querySelector(".activity .cursor"), chart = part.querySelector(".activity svg");
  const slide = part.querySelector(".frame"), play = part.querySelector(".play");
  const [left, right] = [52, 466], last = film.activity.length - 1;
  let R = null, N = null, most = 1, again = () => {};
  const residual = k => {
    const X = level(of(observed, k)), Xhat = film.still ? expected : level(of(expected, k));
    return [X, Xhat, X.map((x, j) => (x - Xhat[j]) / unit[unit.length > 1 ? j : 0])];
  };
  const show = k => {
    const [X, Xhat, now] = residual(k);
    R = now;
    paintValues(canvas("observed"), shape, X, low, high);
    paintValues(canvas("expected"), shape, Xhat, low, high);
    paintMask(canvas("mask"), shape, of(flagged, k));
    const frame = film.frames[k], x = left + (right - left) * frame / Math.max(last, 1);
    ends.setAttribute("x1", x);
    ends.setAttribute("x2", x);
    part.querySelector(".frame-value").textContent = `${frame} · ${percent(film.activity[frame])} in the mask`;
    again();
  };
  const busiest = film.frames.reduce((best, f, k) => film.activity[f] > film.activity[film.frames[best]] ? k : best, 0);
  most = largest(residual(busiest)[2]);
  show(slide.value = busiest);
  if (facts.slider) again = lambdaSlider(part, facts.slider, most, lam => {
    N = soft(R, lam);
    paintOutliers(canvas("outliers"), shape, N, most);
    return share(N);
  }); else again = () => {
    N = Float64Array.from(of(given, +slide.value), byte => (byte - 128) / 127);
    paintOutliers(canvas("outliers"), shape, N, 1);
  };
  again();
  slide.addEventListener("input", () => show(+slide.value));
  dark.addEventListener("change", () => show(+slide.value));
  chart.addEventListener("click", event => {
    const at = (event.offsetX / chart.clientWidth * 480 - left) / (right - left) * film.frames.length;
    show(slide.value = Math.max(0, Math.min(film.frames.length - 1, Math.round(at))));
  });
  let clock = null;
  play.addEventListener("click", () => {
    clearInterval(clock);
    clock = clock ? null : setInterval(() => show(slide.value = (+slide.value + 1) % film.frames.length), 200);
    play.textContent = clock ? "❚❚" : "▶";
  });
  return () => N;
}

const START = {table: startTable, images: startImages, film: startFilm};

// What the page shows, for whoever opens the console: one function per section that returns its N.
window.robustae = {soft, outliers: []};
window.robustae.ready = Promise.all([...document.querySelectorAll("section")].map(async part => {
  const facts = FACTS[part.dataset.part];
  if (START[facts.kind]) window.robustae.outliers[part.dataset.part] = await START[facts.kind](part, facts);
})).catch(error => {
  const output = Object.assign(document.createElement("p"), {className: "note", textContent: `Pictures could not be drawn: ${error.message}`});
  document.querySelector("main").prepend(output);
});
