"use strict";
// The mathematics: what exceeds lam / 2 goes to N, the rest is squared.

const clip = (r, half) => Math.max(-half, Math.min(half, r));
const soft = (r, lam) => r - clip(r, lam / 2);
const envelope = (r, lam) => { const c = clip(r, lam / 2); return lam === Infinity ? r * r : c * (2 * r - c); };

/** Weighted least squares: the line [a, b] of y = a + b x. */
function leastSquares(points, y, weight) {
  let w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  points.forEach((p, i) => {
    const k = weight ? weight[i] : 1;
    w += k; wx += k * p.x; wy += k * y[i]; wxx += k * p.x * p.x; wxy += k * p.x * y[i];
  });
  const spread = w * wxx - wx * wx;
  const slope = Math.abs(spread) < 1e-12 ? 0 : (w * wxy - wx * wy) / spread;
  return [(wy - slope * wx) / w, slope];
}

const residuals = (points, line) => points.map((p) => p.y - line[0] - line[1] * p.x);
const plainLine = (points) => leastSquares(points, points.map((p) => p.y));

/** The line of least envelope: residuals beyond lam / 2 are weighed down until they pull with lam / 2. */
function robustLine(points, lam) {
  const y = points.map((p) => p.y);
  let line = plainLine(points);
  for (let k = 0; k < 200 && lam < Infinity; k++) {
    const weight = residuals(points, line).map((r) => Math.min(1, lam / 2 / Math.max(Math.abs(r), 1e-9)));
    line = leastSquares(points, y, weight);
  }
  return line;
}

/** The paper's step for the weights: least squares on what is left without N. */
const lineWithout = (points, N) => leastSquares(points, points.map((p, i) => p.y - N[i]));

/** J for a line and an N. */
const objective = (points, line, N, lam) => residuals(points, line).reduce(
  (sum, r, i) => sum + (r - N[i]) ** 2 + (N[i] ? lam * Math.abs(N[i]) : 0), 0);

/** The centre of least envelope of every pixel: the mean for lam = Infinity, near the median for small lam. */
function centres(frames, lam) {
  const low = frames[0].slice(), high = frames[0].slice(), half = lam / 2;
  for (const frame of frames) {
    frame.forEach((v, j) => { if (v < low[j]) low[j] = v; if (v > high[j]) high[j] = v; });
  }
  if (lam === Infinity) return low.map((_, j) => frames.reduce((sum, frame) => sum + frame[j], 0) / frames.length);
  const pull = (b, j) => { let sum = 0; for (const frame of frames) sum += clip(frame[j] - b, half); return sum; };
  for (let k = 0; k < 14; k++) {
    for (let j = 0; j < low.length; j++) {
      const middle = (low[j] + high[j]) / 2;
      if (pull(middle, j) > 0) low[j] = middle; else high[j] = middle;
    }
  }
  return low.map((v, j) => (v + high[j]) / 2);
}

/** Random numbers in [0, 1) that are the same on every screen. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
