// The chart: what was sent, what may be sent, what is left of the quota, and 429 responses.
"use strict";

class Chart {
  static columns = ["at", "sent", "rate", "aimd", "left", "throttled"];
  static seconds = 900;

  // picked is called with the index of the sample under the pointer, or null.
  constructor(box, picked) {
    this.box = box;
    this.picked = picked;
    this.data = Chart.columns.map(() => []);
    this.allowed = 0;
    this.plot = null;
    this.drawn = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => {
      if (this.plot && this.plot.width !== this.width()) this.plot.setSize({ width: this.width(), height: this.height() });
    }).observe(box);
    this.build();
  }

  width() { return Math.max(200, Math.floor(this.box.clientWidth)); }

  height() { return innerWidth < 900 ? 220 : 290; }

  // replace takes samples as /api/samples lists them.
  replace(samples) {
    this.data = Chart.columns.map(() => []);
    for (const s of samples) this.append(s);
    this.draw(true);
  }

  add(sample) {
    this.append(sample);
    this.draw(false);
  }

  append(s) {
    const at = this.data[0];
    const last = at[at.length - 1];
    if (last !== undefined && s.at <= last) return;
    // Samples are missing: the lines end, and begin again.
    if (last !== undefined && s.at - last > 5) this.row({ at: last + 1 });
    this.row(s);
    if (s.left !== null) this.allowed = s.allowed;
    while (at[0] < s.at - Chart.seconds) for (const column of this.data) column.shift();
  }

  row(s) { Chart.columns.forEach((name, i) => this.data[i].push(s[name] ?? null)); }

  // draw redraws with every sample, or every fifth if reduced motion is preferred.
  draw(now) {
    if (!this.plot || (!now && this.calm.matches && ++this.drawn % 5)) return;
    this.plot.setData(this.data);
  }

  build() {
    if (this.plot) this.plot.destroy();
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue("--" + name).trim();
    const axis = { stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    // room is the width of an axis: that of its longest label, and of the ticks.
    const room = (u, labels) => {
      u.ctx.font = 12 * devicePixelRatio + "px system-ui, sans-serif";
      return 18 + Math.ceil(Math.max(24, ...(labels || []).map((l) => u.ctx.measureText(l).width / devicePixelRatio)));
    };
    const two = (n) => String(n).padStart(2, "0");
    this.plot = new uPlot({
      width: this.width(), height: this.height(),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: () => { const at = this.data[0]; const end = at.length ? at[at.length - 1] : Date.now() / 1000; return [end - Chart.seconds, end]; } },
        y: { range: (_, low, high) => [0, Math.max(1, (high || 0) * 1.15)] },
        quota: { range: (_, low, high) => [0, Math.max(1, this.allowed, high || 0)] },
      },
      axes: [
        { ...axis, space: 60, values: (_, ticks) => ticks.map((t) => { const d = new Date(t * 1000); return two(d.getHours()) + ":" + two(d.getMinutes()); }), incrs: [60, 120, 180, 300] },
        { ...axis, scale: "y", size: room, values: (_, ticks) => ticks.map((v) => v + "/s") },
        { ...axis, scale: "quota", side: 1, size: room, values: (_, ticks) => ticks.map(String), grid: { show: false } },
      ],
      series: [
        {},
        { scale: "y", stroke: colour("sent"), fill: colour("sent"), width: 1, paths: uPlot.paths.stepped({ align: -1 }), points: { show: false } },
        { scale: "y", stroke: colour("rate"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
        { scale: "y", stroke: colour("aimd"), width: 2, dash: [7, 5], points: { show: false } },
        { scale: "quota", stroke: colour("left"), width: 2, dash: [2, 3], points: { show: false } },
        { scale: "hits", show: false },
      ],
      hooks: {
        draw: [(u) => this.marks(u, colour("hit"))],
        setCursor: [(u) => this.picked(u.cursor.left >= 0 ? u.cursor.idx : null)],
      },
    }, this.data, this.box);
  }

  // marks draws a line at each second with a 429 response.
  marks(u, colour) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.fillStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    const arm = 4 * devicePixelRatio;
    this.data[5].forEach((hits, i) => {
      const x = Math.round(u.valToPos(this.data[0][i], "x", true));
      if (!hits || x < bbox.left) return;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - arm, bbox.top);
      ctx.lineTo(x + arm, bbox.top);
      ctx.lineTo(x, bbox.top + 2 * arm);
      ctx.fill();
    });
    ctx.restore();
  }
}
