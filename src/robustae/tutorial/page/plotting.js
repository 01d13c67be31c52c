// Canvases that know their axes, and sliders over lambda.

const byId = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const redraws = [];

/** A canvas with x in [x0, x1] and y in [y0, y1]; `draw` is called whenever it has to be painted anew. */
class Plot {
  constructor(id, [x0, x1], [y0, y1], draw) {
    Object.assign(this, {canvas: byId(id), x0, x1, y0, y1, drawing: draw});
    this.context = this.canvas.getContext("2d");
    redraws.push(() => this.paint());
  }
  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }
  across(x) { return (x - this.x0) / (this.x1 - this.x0) * this.width; }
  down(y) { return (this.y1 - y) / (this.y1 - this.y0) * this.height; }
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: this.x0 + (event.clientX - box.left) / this.width * (this.x1 - this.x0),
      y: this.y1 - (event.clientY - box.top) / this.height * (this.y1 - this.y0),
    };
  }
  paint() {
    const scale = devicePixelRatio || 1;
    this.canvas.width = this.width * scale;
    this.canvas.height = this.height * scale;
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.drawing(this);
  }
  line(points, stroke, width = 2, dash = []) {
    const c = this.context;
    c.beginPath();
    points.forEach(([x, y], i) => c[i ? "lineTo" : "moveTo"](this.across(x), this.down(y)));
    Object.assign(c, {strokeStyle: stroke, lineWidth: width, lineJoin: "round"});
    c.setLineDash(dash);
    c.stroke();
  }
  curve(f, stroke, width = 2, dash = []) {
    const points = [];
    for (let i = 0; i <= 240; i++) {
      const x = this.x0 + i / 240 * (this.x1 - this.x0);
      points.push([x, f(x)]);
    }
    this.line(points, stroke, width, dash);
  }
  dot(x, y, radius, fill, ring) {
    const c = this.context;
    c.beginPath();
    c.arc(this.across(x), this.down(y), radius, 0, 2 * Math.PI);
    Object.assign(c, {fillStyle: fill, strokeStyle: ring || fill, lineWidth: 2});
    c.fill();
    c.setLineDash([]);
    c.stroke();
  }
  band(x0, x1, fill) {
    this.context.fillStyle = fill;
    this.context.fillRect(this.across(x0), 0, this.across(x1) - this.across(x0), this.height);
  }
  axes() {
    this.line([[this.x0, 0], [this.x1, 0]], colour("line"), 1);
    this.line([[0, this.y0], [0, this.y1]], colour("line"), 1);
  }
}

/** Calls `move` with the place of the pointer while it is held down on the canvas; `grab` may refuse it. */
function dragging(plot, grab, move) {
  const canvas = plot.canvas;
  let held = false;
  canvas.addEventListener("pointerdown", (event) => {
    held = grab(plot.at(event));
    if (!held) return;
    canvas.setPointerCapture(event.pointerId);
    move(plot.at(event));
  });
  canvas.addEventListener("pointermove", (event) => { if (held) move(plot.at(event)); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = false; });
}

/** A slider whose value is lambda on a logarithmic scale; its right end is infinity. */
function lambdaSlider(id, low, high, start, changed) {
  const slider = byId(id), steps = 100;
  Object.assign(slider, {min: 0, max: steps, step: 1});
  slider.value = Math.round(Math.log(start / low) / Math.log(high / low) * (steps - 1));
  const lam = () => (Number(slider.value) === steps ? Infinity : low * (high / low) ** (slider.value / (steps - 1)));
  const report = () => {
    const text = `λ = ${lambdaText(lam())}`;
    byId(`${id}-value`).textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", () => { report(); changed(); });
  report();
  return lam;
}

const lambdaText = (lam) => (lam === Infinity ? "∞" : lam.toFixed(lam < 0.1 ? 3 : 2));
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function redraw() { redraws.forEach((each) => each()); }
addEventListener("load", redraw);
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
