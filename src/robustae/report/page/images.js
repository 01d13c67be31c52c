"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const scores = facts.scores, BINS = 48, WIDTH = 640, HEIGHT = 150;
  const find = (id) => document.getElementById(id);
  const least = scores[scores.length - 1], span = Math.max(scores[0] - least, 1e-9);
  const most = least + span, slider = find("threshold"), cards = [...document.querySelectorAll("figure")];
  const place = (score) => WIDTH * Math.min(1, Math.max(0, (score - least) / span));

  const counts = new Array(BINS).fill(0);
  for (const score of scores) counts[Math.min(BINS - 1, Math.floor(BINS * (score - least) / span))] += 1;
  const highest = Math.max(...counts);
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return find("histogram").appendChild(element);
  };
  const bars = counts.map((count, bin) => {
    const tall = count ? Math.max(2, (HEIGHT - 6) * Math.sqrt(count / highest)) : 0;
    return svg("rect", { x: WIDTH * bin / BINS + 0.5, width: WIDTH / BINS - 1, y: HEIGHT - tall, height: tall });
  });
  const line = svg("line", { class: "threshold", y1: 0, y2: HEIGHT, "vector-effect": "non-scaling-stroke" });

  const show = () => {
    const at = Number(slider.value), above = scores.filter((score) => score > at).length;
    bars.forEach((bar, bin) => {
      bar.setAttribute("class", least + span * (bin + 0.5) / BINS > at ? "fill-outlier" : "fill-normal");
    });
    line.setAttribute("x1", place(at));
    line.setAttribute("x2", place(at));
    cards.forEach((card) => card.classList.toggle("flagged", Number(card.dataset.score) > at));
    find("at").textContent = at.toFixed(2);
    find("count").textContent = `${above} of ${scores.length}`;
    find("rest").textContent = above === 1 ? "image is flagged" : "images are flagged";
  };
  const fade = () => {
    document.documentElement.style.setProperty("--heat", find("heat").value);
    document.documentElement.style.setProperty("--ring", Number(find("heat").value) > 0 ? 1 : 0);
  };
  slider.min = Math.min(least, facts.threshold);
  slider.max = Math.max(most, facts.threshold);
  slider.value = facts.threshold;
  find("least").textContent = least.toFixed(1);
  find("most").textContent = most.toFixed(1);
  slider.addEventListener("input", show);
  find("heat").addEventListener("input", fade);
  show();
  fade();
})();
