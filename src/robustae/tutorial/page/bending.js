// First picture: points to be dragged, a line of least squares, and one with N.

const cloud = {points: [], chosen: 0, steps: null};

function freshPoints() {
  const random = generator(4);
  return Array.from({length: 22}, (_, i) => {
    const x = 0.06 + 0.88 * i / 21;
    return {x, y: 0.22 + 0.55 * x + 0.025 * normal(random)};
  });
}

const cloudLam = lambdaSlider("cloud-lam", 0.02, 2, 0.16, () => { stopSteps(); cloudPlot.paint(); });
const cloudPlot = new Plot("cloud", [0, 1], [0, 1], drawCloud);

/** The robust line and its N: those of the step shown, or where the steps end. */
function robustState() {
  if (cloud.steps) return cloud.steps;
  const line = robustLine(cloud.points, cloudLam());
  return {line, N: residuals(cloud.points, line).map((r) => soft(r, cloudLam()))};
}

function drawCloud(plot) {
  const plain = plainLine(cloud.points), {line, N} = robustState();
  cloud.points.forEach((p, i) => {
    if (N[i]) plot.line([[p.x, p.y - N[i]], [p.x, p.y]], colour("outlier"), 3);
  });
  plot.curve((x) => plain[0] + plain[1] * x, colour("soft"), 2, [7, 5]);
  plot.curve((x) => line[0] + line[1] * x, colour("normal"), 3);
  cloud.points.forEach((p, i) => drawPoint(plot, p, N[i], i));
  tellCloud(plain, line, N);
}

function drawPoint(plot, p, N, i) {
  const fill = N ? colour("outlier") : colour("ink");
  const focused = document.activeElement === plot.canvas && i === cloud.chosen;
  plot.dot(p.x, p.y, 5.5, fill, focused ? colour("normal") : colour("card"));
}

function tellCloud(plain, line, N) {
  const outlying = N.filter(Boolean).length;
  byId("cloud-plain").textContent = plain[1].toFixed(2);
  byId("cloud-robust").textContent = line[1].toFixed(2);
  byId("cloud-outlying").textContent = `${outlying} of ${N.length}`;
  byId("cloud-objective").textContent = objective(cloud.points, line, N, cloudLam()).toFixed(3);
}

function nearest(place) {
  const plot = cloudPlot;
  const away = (p) => Math.hypot(plot.across(p.x) - plot.across(place.x), plot.down(p.y) - plot.down(place.y));
  const distances = cloud.points.map(away);
  const least = Math.min(...distances);
  return least < 28 ? distances.indexOf(least) : -1;
}

function moveTo(i, x, y) {
  cloud.points[i].x = Math.max(0.01, Math.min(0.99, x));
  cloud.points[i].y = Math.max(0.01, Math.min(0.99, y));
  stopSteps();
  cloudPlot.paint();
}

function pickUp(place) {
  const i = nearest(place);
  if (i >= 0) cloud.chosen = i;
  return i >= 0;
}

function moveByKey(event) {
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
  if (event.key === " ") cloud.chosen = (cloud.chosen + 1) % cloud.points.length;
  if (!moves && event.key !== " ") return;
  event.preventDefault();
  const p = cloud.points[cloud.chosen], by = event.shiftKey ? 0.1 : 0.02;
  moveTo(cloud.chosen, p.x + by * (moves ? moves[0] : 0), p.y + by * (moves ? moves[1] : 0));
}

function reset() {
  cloud.points = freshPoints();
  cloud.chosen = 18;
  stopSteps();
  cloudPlot.paint();
}

/** One more good point of the right half becomes a bad one. */
function spoil() {
  const order = [18, 15, 20, 13, 17, 11, 19];
  const good = order.find((i) => cloud.points[i].y > 0.4);
  if (good !== undefined) moveTo(good, cloud.points[good].x, 0.06 + 0.02 * (good % 4));
}

// Alternation: N and the line in turn, from N = 0.

let ticking = 0;

function stopSteps() {
  clearInterval(ticking);
  cloud.steps = null;
  byId("cloud-value").textContent = "";
}

function step() {
  const {points} = cloud, now = cloud.steps || {line: plainLine(points), N: points.map(() => 0), count: 0};
  const count = now.count + 1, forN = count % 2 === 1;
  if (forN) cloud.steps = {line: now.line, N: residuals(points, now.line).map((r) => soft(r, cloudLam())), count};
  else cloud.steps = {line: lineWithout(points, now.N), N: now.N, count};
  const what = forN ? "N by soft-thresholding, the line held" : "the line by least squares, N held";
  byId("cloud-value").textContent = `Step ${count}: ${what}.`;
  cloudPlot.paint();
}

function alternate() {
  stopSteps();
  if (calm()) { for (let k = 0; k < 60; k++) step(); return; }
  ticking = setInterval(() => { step(); if (cloud.steps.count >= 60) clearInterval(ticking); }, 220);
}

dragging(cloudPlot, pickUp, (place) => moveTo(cloud.chosen, place.x, place.y));
// A finger on a point drags it; anywhere else it scrolls the page.
cloudPlot.canvas.addEventListener("touchstart", (event) => {
  if (nearest(cloudPlot.at(event.touches[0])) >= 0) event.preventDefault();
}, {passive: false});
cloudPlot.canvas.addEventListener("keydown", moveByKey);
for (const event of ["focus", "blur"]) cloudPlot.canvas.addEventListener(event, () => cloudPlot.paint());
byId("spoil").addEventListener("click", spoil);
byId("reset").addEventListener("click", reset);
byId("step").addEventListener("click", () => { clearInterval(ticking); step(); });
byId("alternate").addEventListener("click", alternate);
reset();
