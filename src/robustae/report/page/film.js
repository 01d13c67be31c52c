"use strict";
// One video carries all panels side by side, so nothing drifts; this cuts it up, frame by frame, and decides
// from the score panel which pixels are foreground at the threshold chosen on the page.

const FILM = JSON.parse(document.getElementById("facts").textContent);
const {fps, activity} = FILM;
// Panels are worked on at the size they are shown in: full size would cost ten times as much for nothing visible.
const scale = Math.min(1, 640 / FILM.width);
const width = Math.round(FILM.width * scale), height = Math.max(1, Math.round(FILM.height * scale));
const last = activity.frame.length - 1;
const place = Object.fromEntries(FILM.panels.map(panel => [panel.name, panel]));
const find = id => document.getElementById(id);
const video = find("video");
const scratch = () => document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const sheet = scratch(), reader = scratch(); // the frame of the video shown, and one panel of it

let at = 0; // frame asked for or shown, counted in the video
let wanted = null; // frame to go to once the seek under way has ended
let threshold = FILM.threshold;
let live = "score" in place && "original" in place; // whether the page may read the pixels of the video

const percent = p => `${100 * p >= 10 ? (100 * p).toFixed(0) : Number((100 * p).toPrecision(2))} %`;

function clock(seconds) {
  const tenths = Math.round(10 * seconds), minutes = Math.floor(tenths / 600);
  const two = number => String(number).padStart(2, "0");
  const rest = (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}

function trouble(text) {
  find("trouble").textContent = text;
  find("trouble").hidden = false;
}

// The video -------------------------------------------------------------------------------------------------

// Decoded piece by piece: one string of a whole long video would need several times its size.
function embedded(base64, type) {
  const parts = [], step = 1 << 20;
  for (let from = 0; from < base64.length; from += step) {
    const text = atob(base64.slice(from, from + step)), bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
    parts.push(bytes);
  }
  return URL.createObjectURL(new Blob(parts, {type}));
}

function load() {
  const data = find("video-data");
  const beside = String(FILM.video_name).split("/").map(encodeURIComponent).join("/");
  video.src = data.textContent ? embedded(data.textContent, FILM.type) : beside;
  data.remove();
}

function jump(frame) {
  wanted = Math.max(0, Math.min(last, Math.round(frame)));
  report(wanted);
  if (!video.seeking) seek();
}

function seek() {
  video.currentTime = (wanted + 0.5) / fps; // the middle of a frame is safe from rounding
  wanted = null;
}

function step(frames) {
  video.pause();
  jump(at + frames);
}

const toggle = () => video.paused ? video.play().catch(() => {}) : video.pause();

// Calls `show` with the number of every frame that reaches the screen.
function follow(show) {
  if (video.requestVideoFrameCallback) {
    const next = (now, {mediaTime}) => {
      show(Math.round(mediaTime * fps));
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    return;
  }
  let shown = null;
  const next = () => {
    const frame = Math.floor(video.currentTime * fps + 1e-3);
    if (frame !== shown && !video.seeking && video.readyState > 1) show(shown = frame);
    requestAnimationFrame(next);
  };
  next();
}

function show(frame) {
  sheet.drawImage(video, 0, 0);
  if (!video.seeking && wanted === null) report(Math.max(0, Math.min(last, frame)));
  paint();
}

// Pictures --------------------------------------------------------------------------------------------------

const canvas = name => find(name)?.getContext("2d");

function copy(name, to) {
  to?.drawImage(sheet.canvas, place[name].x, place[name].y, FILM.width, FILM.height, 0, 0, width, height);
}

function pixels(name) {
  copy(name, reader);
  return reader.getImageData(0, 0, width, height);
}

function paint() {
  if (!video.videoWidth) return;
  try {
    if (live) return paintLive();
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    withoutPixels();
  }
  for (const {name} of FILM.panels) copy(name, canvas(name));
}

function withoutPixels() {
  live = false;
  find("chooser").hidden = true;
  for (const id of ["tint", "view"]) if (find(id)) find(id).disabled = true;
  trouble("The browser does not let a page opened as a file read the video beside it: the panels are shown as " +
    "they were written, and the threshold stays. From a web server the page can move it.");
}

function paintLive() {
  const original = pixels("original"), score = pixels("score").data;
  const background = "background" in place ? pixels("background") : original;
  const {mask, count} = masked(score);
  canvas("background")?.putImageData(background, 0, 0);
  canvas("foreground")?.putImageData(foreground(original.data, background.data, score, mask), 0, 0);
  canvas("original").putImageData(find("tint").checked ? tinted(original, mask) : original, 0, 0);
  tellThreshold(count / mask.length);
}

function masked(score) {
  const mask = new Uint8Array(width * height), level = Math.min(255, threshold * 255 / FILM.score_scale);
  let count = 0;
  for (let k = 0; k < mask.length; k++) count += mask[k] = score[4 * k] >= level;
  return {mask, count};
}

const orange = () => getComputedStyle(document.documentElement).getPropertyValue("--above").split(",").map(Number);

// How the foreground panel shows pixel p: in its own colours, as the difference to the background, or its score.
const VIEWS = {
  colours(to, p, original, background, score, inside) {
    for (let c = p; c < p + 3; c++) to[c] = original[c];
    to[p + 3] = inside ? 255 : 0;
  },
  difference(to, p, original, background, score, inside) {
    for (let c = p; c < p + 3; c++) to[c] = inside ? 128 + (original[c] - background[c]) / 2 : 128;
    to[p + 3] = 255;
  },
  score(to, p, original, background, score) {
    to[p] = to[p + 1] = to[p + 2] = score[p];
    to[p + 3] = 255;
  },
};

function foreground(original, background, score, mask) {
  const image = new ImageData(width, height), draw = VIEWS[find("view").value];
  for (let k = 0; k < mask.length; k++) draw(image.data, 4 * k, original, background, score, mask[k]);
  return image;
}

// The mask over the original: tinted, its outline in full colour.
function tinted(image, mask) {
  const to = image.data, hue = orange(), reach = Math.max(1, Math.round(width / 400));
  for (let k = 0; k < mask.length; k++) {
    if (!mask[k]) continue;
    const strength = outline(mask, k, reach) ? 1 : 0.3;
    for (let c = 0; c < 3; c++) to[4 * k + c] += strength * (hue[c] - to[4 * k + c]);
  }
  return image;
}

function outline(mask, k, reach) {
  const x = k % width, up = k - reach * width, down = k + reach * width;
  return x >= reach && !mask[k - reach] || x < width - reach && !mask[k + reach] ||
    up >= 0 && !mask[up] || down < mask.length && !mask[down];
}

// What is reported --------------------------------------------------------------------------------------------------

function report(frame) {
  at = frame;
  const time = clock(activity.seconds[at]), share = percent(activity.share[at]);
  const flagged = activity.flagged[at] ? ", flagged" : "";
  find("where").textContent = `${time} · frame ${activity.frame[at]} · ${share} foreground${flagged}`;
  find("curve").setAttribute("aria-valuenow", at);
  find("curve").setAttribute("aria-valuetext", `${time}, frame ${activity.frame[at]}, ${share} foreground${flagged}`);
  const [cursor] = find("curve").getElementsByClassName("cursor");
  for (const end of ["x1", "x2"]) cursor.setAttribute(end, `${100 * (at + 0.5) / (last + 1)}%`);
  find("boxes")?.setAttribute("d", find("boxed").checked ? outlines(activity.boxes[at]) : "");
}

function outlines(boxes) {
  const path = box => {
    const [x, y, w, h] = box.split(",").map(Number);
    return `M${x} ${y}h${w}v${h}h${-w}z`;
  };
  return boxes ? boxes.split(";").map(path).join("") : "";
}

function tellThreshold(share) {
  const own = threshold === FILM.threshold ? ", automatic" : "";
  const text = `${Number(threshold.toPrecision(3))} noise deviations${own} · ${percent(share)} of this frame`;
  find("threshold-value").textContent = text;
  find("threshold").setAttribute("aria-valuetext", text);
}

// The curve -----------------------------------------------------------------------------------------------------

// As many columns as there are pixels at most, each with the least and largest share of its frames.
function columns(most) {
  const count = Math.min(most, last + 1), found = [];
  for (let k = 0; k < count; k++) {
    const from = Math.floor(k * (last + 1) / count), to = Math.floor((k + 1) * (last + 1) / count);
    const column = {low: Infinity, high: -Infinity, flagged: false};
    for (let frame = from; frame < to; frame++) {
      column.low = Math.min(column.low, activity.share[frame]);
      column.high = Math.max(column.high, activity.share[frame]);
      column.flagged ||= Boolean(activity.flagged[frame]);
    }
    found.push(column);
  }
  return found;
}

function drawCurve() {
  const curve = find("curve"), {clientWidth: wide, clientHeight: high} = curve;
  const found = columns(Math.max(1, wide)), part = wide / found.length;
  const top = activity.share.reduce((most, share) => Math.max(most, share), 0) || 1;
  const y = share => (high - (high - 20) * share / top).toFixed(1), x = k => ((k + 0.5) * part).toFixed(1);
  const line = found.map((column, k) => `${x(k)} ${y(column.low)}L${x(k)} ${y(column.high)}`).join("L");
  const area = found.map((column, k) => `${x(k)} ${y(column.high)}`).join("L");
  const bar = (column, k) => column.flagged ? `M${(k * part).toFixed(1)} 0h${Math.max(part, 1.5).toFixed(1)}V${high}H${(k * part).toFixed(1)}z` : "";
  const [svg] = curve.getElementsByTagName("svg");
  const draw = (name, path) => svg.getElementsByClassName(name)[0].setAttribute("d", path);
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  draw("curve", `M${line}`);
  draw("area", `M${x(0)} ${high}L${area}V${high}z`);
  draw("flags", found.map(bar).join(""));
  find("most").textContent = percent(top);
  document.querySelector(".ends i").hidden = !activity.flagged.some(Boolean);
}

function frameAt(event) {
  const {left, width: wide} = find("curve").getBoundingClientRect();
  return Math.floor((event.clientX - left) / wide * (last + 1));
}

// Hands on it ---------------------------------------------------------------------------------------------------

const STEPS = {
  ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
};

function keyed(event) {
  const {key, target} = event, onCurve = target === find("curve");
  if (event.altKey || event.ctrlKey || event.metaKey || target.closest("input, select")) return;
  if (key === " " && !target.closest("button")) toggle();
  else if (key === "ArrowLeft" || key === "ArrowRight" || onCurve && key in STEPS)
    step(STEPS[key] * (event.shiftKey ? Math.round(fps) : 1));
  else return;
  event.preventDefault();
}

function steer() {
  const curve = find("curve");
  curve.addEventListener("pointerdown", event => {
    curve.setPointerCapture(event.pointerId);
    jump(frameAt(event));
  });
  curve.addEventListener("pointermove", event => {
    if (curve.hasPointerCapture(event.pointerId)) jump(frameAt(event));
  });
  for (const button of document.querySelectorAll("[data-frame]"))
    button.addEventListener("click", () => jump(Number(button.dataset.frame)));
  find("play").addEventListener("click", toggle);
  find("back").addEventListener("click", () => step(-1));
  find("on").addEventListener("click", () => step(1));
  find("speed").addEventListener("change", event => { video.playbackRate = Number(event.target.value); });
  find("loop").addEventListener("change", event => { video.loop = event.target.checked; });
  find("boxed").addEventListener("change", () => report(at));
  document.addEventListener("keydown", keyed);
}

function steerThreshold() {
  const input = find("threshold"), step = FILM.score_scale / 255;
  Object.assign(input, {min: step, max: FILM.score_scale, step});
  const move = value => {
    threshold = value;
    paint();
  };
  const reset = () => {
    input.value = FILM.threshold;
    move(FILM.threshold);
  };
  input.addEventListener("input", () => move(Number(input.value)));
  find("automatic").addEventListener("click", reset);
  for (const id of ["tint", "view"]) find(id)?.addEventListener("change", paint);
  reset();
}

function playing() {
  find("play").textContent = video.paused ? "▶" : "❚❚";
  find("play").setAttribute("aria-label", video.paused ? "play" : "pause");
}

function begin() {
  Object.assign(sheet.canvas, {width: video.videoWidth, height: video.videoHeight});
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) toggle();
}

function download() {
  const names = Object.keys(activity), quoted = value => String(value).includes(",") ? `"${value}"` : value;
  const rows = activity.frame.map((_, k) => names.map(name => quoted(activity[name][k] ?? "")).join(","));
  const file = new Blob([[names.join(","), ...rows, ""].join("\n")], {type: "text/csv"});
  Object.assign(document.createElement("a"), {href: URL.createObjectURL(file), download: "activity.csv"}).click();
}

for (const event of ["play", "pause", "ended"]) video.addEventListener(event, playing);
video.addEventListener("loadedmetadata", begin);
// The callback of a frame may come before the seek has ended and find the frame before: drawn once more at its end.
video.addEventListener("seeked", () => wanted === null ? show(Math.floor(video.currentTime * fps + 1e-3)) : seek());
video.addEventListener("error", () => trouble(`The video cannot be played here: ${video.error.message || "no such file"}`));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
new ResizeObserver(drawCurve).observe(find("curve"));
find("download").addEventListener("click", download);
find("curve").setAttribute("aria-valuemax", last);
find("first").textContent = clock(activity.seconds[0]);
find("last").textContent = clock(activity.seconds[last]);
steer();
steerThreshold();
for (const context of [reader, ...FILM.panels.map(({name}) => canvas(name))])
  if (context) Object.assign(context.canvas, {width, height});
report(0);
follow(show);
load();
