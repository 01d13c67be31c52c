// Third picture: a composed restaurant, X = background + N + noise, the background fitted anew for each lambda.

const WIDE = 112, HIGH = 84, FRAMES = 30;
const WAITS = [11, 19];  // frames that a guest stands at the counter: less or more than half
const room = emptyRoom(), films = WAITS.map(filmed);
const film = () => films[byId("longer").checked ? 1 : 0];
const filmLam = lambdaSlider("film-lam", 0.02, 2, 0.1, () => { fitted = null; paintFilm(); });
let fitted = null, playing = 0;

function emptyRoom() {
  const pixels = new Float32Array(WIDE * HIGH), random = generator(9);
  const grain = Array.from({length: 15 * 12}, () => 0.05 * random());
  return pixels.map((_, j) => shade(j % WIDE, Math.floor(j / WIDE), grain));
}

/** Wall, counter, lamps, a floor of tiles, two tables. */
function shade(x, y, grain) {
  const inside = (cx, cy, rx, ry) => ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;
  for (const [cx, cy] of [[24, 70], [88, 64]]) {
    if (inside(cx, cy, 13, 5)) return 0.78;
    if (Math.abs(x - cx) < 1.5 && y > cy && y < cy + 13) return 0.2;
  }
  if (y < 26) return lamps(x, y) + 0.5 - 0.004 * y;
  if (y < 40 && x > 34) return x % 13 < 1 || y === 26 ? 0.22 : 0.32 + 0.002 * y;
  if (y < 30) return 0.42;
  return 0.5 + 0.0025 * (y - 30) + grain[Math.floor(y / 7) * 15 + Math.floor((x + y / 3) / 10) % 15];
}

function lamps(x, y) {
  return [30, 60, 90].reduce((sum, cx) => sum + 0.4 * Math.exp(-(((x - cx) / 7) ** 2 + ((y - 6) / 5) ** 2)), 0);
}

/** Where the guests stand in a frame: [x, foot, height, coat]. */
function guests(t, waits) {
  const people = [[-8 + 4.6 * t, 62, 34, 0.12], [122 - 5.2 * t, 78, 40, 0.95]];
  const gone = Math.max(0, t - waits + 1);
  people.push([70 + 6 * gone, 57 + 0.6 * gone, 30, 0.08]);
  return people;
}

function filmed(waits) {
  const random = generator(23);
  return Array.from({length: FRAMES}, (_, t) => {
    const frame = room.slice();
    for (const guest of guests(t, waits)) drawGuest(frame, guest, t);
    return frame.map((v) => Math.max(0, Math.min(1, v + 0.02 * normal(random))));
  });
}

function drawGuest(frame, [cx, foot, height, coat], t) {
  for (let y = Math.floor(foot - height); y <= foot; y++) {
    for (let x = Math.floor(cx - height / 3); x <= cx + height / 3; x++) {
      const part = partOf((x - cx) / height, (foot - y) / height, t);
      const shades = {head: 0.72, coat, legs: coat + 0.08};
      if (part && x >= 0 && x < WIDE && y >= 0 && y < HIGH) frame[y * WIDE + x] = shades[part];
    }
  }
}

/** Which part of a guest covers this place, measured in their height: head, coat, legs or none. */
function partOf(u, v, t) {
  if (u * u + ((v - 0.9) / 1.05) ** 2 < 0.0081) return "head";
  if (v > 0.42 && v < 0.8 && Math.abs(u) < 0.13 - 0.04 * Math.abs(v - 0.6)) return "coat";
  const stride = 0.07 + 0.04 * Math.sin(1.7 * t);
  return v <= 0.42 && Math.abs(Math.abs(u) - stride * (1 - v / 0.5)) < 0.05 ? "legs" : null;
}

/** Background, and its error against the empty room, for the lambda chosen. */
function fitRoom() {
  if (!fitted) {
    const b = centres(film(), filmLam());
    const error = Math.sqrt(b.reduce((sum, v, j) => sum + (v - room[j]) ** 2, 0) / b.length);
    fitted = {b, error};
  }
  return fitted;
}

function paintFilm() {
  const t = Number(byId("frame").value), X = film()[t], {b, error} = fitRoom(), lam = filmLam();
  const N = X.map((v, j) => soft(v - b[j], lam));
  paintPixels("film-x", X, grey);
  paintPixels("film-b", b, grey);
  paintPixels("film-n", N, diverging(1.4));
  paintPixels("film-noise", X.map((v, j) => v - b[j] - N[j]), diverging(5));
  const share = N.reduce((sum, v) => sum + (v !== 0), 0) / N.length;
  byId("frame-value").textContent = `frame ${t + 1} of ${FRAMES}`;
  byId("film-value").textContent = `N ≠ 0 in ${percent(share)} of this frame. ` +
    `The background is off the empty room by ${error.toFixed(3)} (root mean square)${verdict(lam, share)}`;
}

function verdict(lam, share) {
  if (lam === Infinity) return ": it is the mean, with a ghost of everybody.";
  if (share > 0.4) return ": noise has become outlier, too.";
  return ".";
}

const grey = (v) => [255 * v, 255 * v, 255 * v];
/** 0 is the colour of the card; above orange, below blue. */
function diverging(gain) {
  const channels = (name) => name.match(/\d+/g).map(Number);
  const paper = hex(colour("card")), above = channels(colour("above")), below = channels(colour("below"));
  return (v) => {
    const s = Math.min(1, gain * Math.abs(v)), to = v > 0 ? above : below;
    return paper.map((p, i) => p + s * (to[i] - p));
  };
}

function hex(text) {
  const digits = text.length === 4 ? text.slice(1).replace(/./g, "$&$&") : text.slice(1);
  return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
}

function paintPixels(id, values, colours) {
  const canvas = byId(id), context = canvas.getContext("2d");
  Object.assign(canvas, {width: WIDE, height: HIGH});
  const image = context.createImageData(WIDE, HIGH);
  values.forEach((v, j) => { image.data.set(colours(v), 4 * j); image.data[4 * j + 3] = 255; });
  context.putImageData(image, 0, 0);
}

function play() {
  clearInterval(playing);
  playing = playing ? 0 : setInterval(() => {
    byId("frame").value = (Number(byId("frame").value) + 1) % FRAMES;
    paintFilm();
  }, 160);
  byId("play").textContent = playing ? "❚❚" : "▶";
  byId("play").setAttribute("aria-label", playing ? "pause" : "play");
}

byId("frame").max = FRAMES - 1;
byId("frame").value = 7;
byId("frame").addEventListener("input", paintFilm);
byId("longer").addEventListener("change", () => { fitted = null; paintFilm(); });
byId("play").addEventListener("click", play);
redraws.push(paintFilm);
