// Second picture: one residual, its N, and what it costs.

const one = {r: 1.7};
const oneLam = lambdaSlider("one-lam", 0.1, 6, 2, paintOne);
const thresholdPlot = new Plot("threshold", [-3, 3], [-3, 3], drawThreshold);
const costPlot = new Plot("cost", [-3, 3], [-0.6, 6], drawCost);

function paintOne() {
  thresholdPlot.paint();
  costPlot.paint();
}

function drawThreshold(plot) {
  const lam = oneLam();
  deadZone(plot, lam);
  plot.axes();
  plot.curve((r) => r, colour("soft"), 1, [4, 4]);
  plot.curve((r) => clip(r, lam / 2), colour("normal"), 2);
  plot.curve((r) => soft(r, lam), colour("outlier"), 3);
  plot.dot(one.r, soft(one.r, lam), 7, colour("outlier"), colour("card"));
  plot.dot(one.r, clip(one.r, lam / 2), 5, colour("normal"), colour("card"));
  tellOne(lam);
}

function drawCost(plot) {
  const lam = oneLam();
  deadZone(plot, lam);
  plot.axes();
  plot.curve((r) => r * r, colour("soft"), 2, [7, 5]);
  plot.curve((r) => envelope(r, lam), colour("normal"), 3);
  plot.dot(one.r, Math.min(envelope(one.r, lam), plot.y1), 7, colour("normal"), colour("card"));
}

function deadZone(plot, lam) {
  plot.band(Math.max(plot.x0, -lam / 2), Math.min(plot.x1, lam / 2), `rgba(${colour("below")}, 0.09)`);
}

function tellOne(lam) {
  const two = (value) => (Object.is(value, -0) ? 0 : value).toFixed(2);
  byId("one-value").textContent =
    `r = ${two(one.r)}: N = ${two(soft(one.r, lam))}, and the weights feel ${two(clip(one.r, lam / 2))}. ` +
    `It costs ${two(envelope(one.r, lam))}; squared it would be ${two(one.r ** 2)}.`;
  for (const {canvas} of [thresholdPlot, costPlot]) {
    canvas.setAttribute("aria-valuenow", two(one.r));
    canvas.setAttribute("aria-valuetext", byId("one-value").textContent);
  }
}

function setResidual(r) {
  one.r = Math.max(-3, Math.min(3, r));
  paintOne();
}

for (const plot of [thresholdPlot, costPlot]) {
  dragging(plot, () => true, (place) => setResidual(place.x));
  plot.canvas.addEventListener("keydown", (event) => {
    const by = {ArrowLeft: -0.1, ArrowRight: 0.1}[event.key];
    if (by) { event.preventDefault(); setResidual(one.r + by); }
  });
}
