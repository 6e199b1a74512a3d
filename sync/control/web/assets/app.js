// The status page. Everything that comes from the server is foreign: it becomes text, never markup.
"use strict";

const $ = (id) => document.getElementById(id);
const marks = { ok: "✓", busy: "↻", warn: "!", bad: "✕" };
const signs = { create: "+", restore: "+", adopt: "~", update: "~", unmanage: "-", deactivate: "-", delete: "-" };
const weights = { failed: "bad", held: "warn", quarantined: "bad", applied: "ok" };

// visible escapes characters that cannot be seen, or that change the direction of text.
const visible = (s) => String(s).replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));

function put(node, text) {
  text = visible(text);
  if (node.textContent !== text) node.textContent = text;
}

// el makes an element; children are elements, or text.
function el(tag, kind, ...children) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  for (const child of children) {
    if (child === null || child === undefined || child === "") continue;
    node.append(child instanceof Node ? child : visible(child));
  }
  return node;
}

// fill replaces the children of a node only if their data has changed: otherwise focus and selection stay.
const filled = new Map();
function fill(node, from, make) {
  const key = JSON.stringify(from);
  if (filled.get(node) === key) return;
  filled.set(node, key);
  node.replaceChildren(...from.map(make));
}

const number = new Intl.NumberFormat("en");
const zero = "0001-01-01T00:00:00Z";
const moment = (s) => (s && s !== zero ? new Date(s).getTime() : 0);

function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return s + " s";
  if (s < 90 * 60) return Math.round(s / 60) + " min";
  if (s < 48 * 3600) return Math.round(s / 3600) + " h";
  return Math.floor(s / 86400) + " days";
}

const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB", { timeZoneName: "short" });
const zone = clock(Date.now()).replace(/^[\d:]* /, "");
const day = (ms) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
const short = (revision) => (revision || "none").replace(/^([0-9a-f]{12})[0-9a-f]*(-dirty)?$/, "$1$2");

// --- the status

let current = null; // the last status
let receivedAt = 0; // when, by this machine's clock

function show(s) {
  current = s;
  const now = moment(s.now);
  const ago = (t) => (moment(t) ? duration(now - moment(t)) + " ago" : s.totals.passes ? "never" : "not yet");
  const [top, ...rest] = s.lines;
  $("hero").dataset.level = top.level;
  put($("mark"), marks[top.level]);
  put($("headline"), top.text);
  document.title = visible(marks[top.level] + " " + top.text.slice(0, 80) + " – usersyncd");
  announce(top);
  fill($("lines"), rest, (line) => {
    const li = el("li", "", el("span", "mark", marks[line.level]), el("span", "", line.text));
    li.dataset.level = line.level;
    li.firstChild.setAttribute("aria-hidden", "true");
    return li;
  });

  put($("where"), [s.api, s.dir].filter(Boolean).join(" · "));
  put($("version"), " · usersyncd " + s.version + (s.pid ? ", pid " + s.pid : ""));

  const total = s.changing;
  $("progress-line").hidden = s.phase !== "apply" || total === 0;
  $("progress").max = total || 1;
  $("progress").value = s.done;
  put($("progress-text"), number.format(s.done) + " of " + number.format(total));

  fill($("counts"), [
    ["In sync", s.inSync, ""], ["To be changed", s.pending, ""], ["Held", s.held, "warn"],
    ["Left out: problems", s.failedSpecs || 0, "bad"], ["Failed", s.failed - (s.failedSpecs || 0) + s.quarantined, "bad"],
    ["Skipped", s.skipped, ""], ["Deferred", s.deferred, ""],
  ], ([name, n, weight]) => el("div", n ? weight : "zero", el("dt", "", name), el("dd", "", number.format(n))));

  fill($("facts"), facts(s, now, ago), ([name, text, weight]) => el("div", weight, el("dt", "", name), el("dd", "", text)));
  lists(s);

  const l = s.limiter;
  const limit = s.limitedBy ? "Limited by " + s.limitedBy : "No call was made yet";
  const quota = l.windowed ? `; ${number.format(l.left)} of ${number.format(l.allowed)} requests left for ${Math.ceil(l.reset)} s` : "; quota not known yet";
  const others = l.windowed && l.others ? `, ${number.format(l.others)} used by other programs` : "";
  const gate = l.gate > 0 ? `; nothing is sent for ${Math.ceil(l.gate)} s` : "";
  put($("pace"), `${limit}${quota}${others}${gate}; 429 responses since start: ${number.format(l.throttled)}.`);
}

function facts(s, now, ago) {
  const doing = { scan: "reading the specs", wait: "waiting for the API", refresh: "reading the organization", read: "reading details of users", apply: "changing users", idle: "idle" };
  const next = moment(s.next) > now ? ", next pass in " + duration(moment(s.next) - now) : "";
  const same = s.applied && !s.applied.undone && s.applied.revision === s.head; // uncommitted edits are part of both
  const watch = { watching: `watching ${number.format(s.watch.dirs)} folders`, polling: "polling: " + (s.watch.reason || "no events"), starting: "starting" };
  const c = s.totals.calls;
  const edits = s.dirty ? ", with uncommitted edits" : "";
  const how = !s.applied ? "" : s.applied.undone ? ", rolled back since" : same ? ", up to date" + edits : ", not up to date";
  return [
    ["Now", (doing[s.phase] || s.phase || "not running") + (s.phase === "idle" ? next : moment(s.began) ? ", for " + duration(now - moment(s.began)) : ""), s.stuck ? "bad" : ""],
    ["Head", short(s.head) + edits, s.dirty ? "warn" : ""],
    ["Applied", s.applied ? short(s.applied.revision) + how + ", " + ago(s.applied.at) : "nothing yet", s.applied && !same ? "warn" : ""],
    ["Last success", ago(s.success), s.error ? "bad" : ""],
    ...(s.error ? [["Error", s.error, "bad"]] : []),
    ["Organization", "read " + ago(s.refresh)],
    ["Checkout", watch[s.watch.mode] || s.watch.mode || "not watched", s.watch.mode === "polling" ? "warn" : ""],
    ["Configuration", s.settings ? "invalid, the previous one is in use: " + s.settings : "valid", s.settings ? "warn" : ""],
    ["Paused", s.paused ? "since " + day(moment(s.paused.at)) + " " + clock(moment(s.paused.at)) + (s.paused.by ? " by " + s.paused.by : "") : "no", s.paused ? "warn" : ""],
    ["Requests", `${number.format(c.total)}: ${number.format(c.reads)} reads, ${number.format(c.writes)} writes, ${number.format(c.retried)} retried`],
    ["Passes", `${number.format(s.totals.passes)}, ${number.format(s.totals.passErrors)} failed`, ""],
    ["Up", moment(s.started) ? "for " + duration(now - moment(s.started)) : "unknown"],
  ].map(([name, text, weight]) => [name, text, weight || ""]);
}

const users = (n) => `${number.format(n)} ${n === 1 ? "user" : "users"}`;
const names = ({ users, count }) => users.join(", ") + (count > users.length ? ` and ${number.format(count - users.length)} more` : "");

function lists(s) {
  const list = (name, all, left, make) => {
    $(name).hidden = all.length === 0;
    fill($(name + "-list"), left > 0 ? [...all, left] : all, (one) => (typeof one === "number" ? el("li", "entry muted", `and ${number.format(one)} more`) : make(one)));
  };
  list("holds", s.holds, 0, (h) => el("li", "entry",
    el("div", "who", el("strong", "", users(h.count)), el("span", "tag warn", "--" + h.guard)),
    el("p", "", h.reason),
    el("p", "small muted", names(h)),
    el("p", "run small", "To release: ", el("code", "", "usersyncd release " + h.id))));
  list("problems", s.specs, s.problems - s.specs.length, (p) => el("li", "entry", el("span", "mono", `${p.file}:${p.line}:${p.column}`), p.field ? ": " + p.field : "", ": " + p.message));
  const next = moment(s.next) > moment(s.now) ? "retried in the next pass" : "";
  list("failures", s.failures, s.rejected - s.failures.reduce((n, f) => n + f.count, 0), (f) => el("li", "entry",
    el("div", "who", el("strong", "", users(f.count)), f.status ? el("span", "tag bad", f.status + (f.code ? " " + f.code : "")) : ""),
    el("p", "", f.message),
    el("p", "small muted", names(f)),
    el("p", "small muted", [f.correlationId ? "correlation id " + f.correlationId : "", next].filter(Boolean).join(" · "))));
  list("notes", (s.notes || []).map((n) => ({ n })), 0, ({ n }) => el("li", "entry", n));
}

// announce tells a screen reader when the state changes, not each time a number does.
let announced = "";
function announce(line) {
  const key = line.level + " " + line.topic;
  if (announced !== key) put($("announce"), line.text);
  announced = key;
}

// --- the chart

const legend = [
  ["sent", "sent", (s) => s.sent.toFixed(1) + "/s"], ["rate", "target rate", (s) => s.rate.toFixed(1) + "/s"], ["aimd", "rate limit", (s) => s.aimd.toFixed(1) + "/s"],
  ["left", "quota left", (s) => (s.left === null ? "?" : number.format(s.left))], ["hit", "429", (s) => String(s.throttled)],
];
let newest = null;
let pointed = null;

function drawLegend() {
  const s = pointed || newest;
  if (!s) return;
  fill($("legend"), legend.map(([kind, name, value]) => [kind, name, value(s)]), ([kind, name, value]) => el("div", "", el("dt", "", el("span", "key " + kind), " ", name), el("dd", "", value)));
}

put($("zone"), zone);
const chart = new Chart($("chart"), (i) => {
  pointed = null;
  if (i !== null && i !== undefined && chart.data[1][i] !== null && chart.data[1][i] !== undefined) {
    pointed = Object.fromEntries(Chart.columns.map((name, column) => [name, chart.data[column][i]]));
  }
  drawLegend();
});

async function loadSamples() {
  const past = await load("/api/samples");
  if (!past) return;
  chart.replace(past.samples);
  newest = past.samples[past.samples.length - 1] || newest;
  drawLegend();
}

// --- plan and history

async function load(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10000) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the stream shows when the server is back
  }
}

// throttle returns a function that calls work at once, but at most every ms. No call is lost.
function throttle(ms, work) {
  let timer = 0;
  let again = false;
  const run = async () => {
    again = false;
    timer = setTimeout(() => { timer = 0; if (again) run(); }, ms);
    await work();
  };
  return () => { if (timer || document.hidden) again = true; else run(); };
}

const fields = (all) => {
  const list = el("ul", "fields", ...all.map((f) => el("li", "", f.field + ": ",
    f.before ? el("del", "", el("bdi", "", f.before)) : "", f.before ? " → " : "", el("ins", "", el("bdi", "", f.after)), f.note ? el("span", "small muted", " (" + f.note + ")") : "")));
  return all.length ? list : "";
};

async function fetchPlan() {
  const q = $("filter").value.trim();
  const plan = await load("/api/plan?q=" + encodeURIComponent(q));
  if (!plan || q !== $("filter").value.trim()) return;
  const shown = plan.changes.length;
  put($("plan-count"), plan.total === 0 ? "No changes." : q === "" ? `${number.format(plan.total)} changes${shown < plan.total ? `, the first ${shown} of them` : ""}`
    : `${number.format(plan.matches)} of ${number.format(plan.total)} changes${shown < plan.matches ? `, the first ${shown} of them` : ""}`);
  fill($("plan"), plan.changes, (c) => el("li", "entry",
    el("div", "who", el("span", "sign", signs[c.action] || "?"), el("strong", "", c.email), el("span", "tag", c.does), el("span", "tag", c.why),
      c.result !== "planned" ? el("span", "tag " + (weights[c.result] || ""), c.result) : "", c.at ? el("span", "mono muted", c.at) : ""),
    c.note ? el("p", "small", c.note) : "", c.hold ? el("p", "small", "held under ", el("code", "", c.hold)) : "", fields(c.fields)));
}
const loadPlan = throttle(3000, fetchPlan);

let limit = 50;
async function fetchHistory() {
  const past = await load("/api/history?limit=" + limit);
  if (!past) return;
  const shown = past.events.length;
  put($("history-count"), shown === 0 ? "No changes yet." : past.more && past.limit === past.most ? `The last ${number.format(shown)}. See usersyncd history for all.` : `The last ${number.format(shown)}, newest first`);
  $("more").hidden = !past.more || past.limit === past.most;
  fill($("history"), past.events, (e) => {
    const ms = moment(e.at);
    const at = el("time", "muted", (day(ms) === day(Date.now()) ? "" : day(ms) + " ") + clock(ms));
    at.dateTime = e.at;
    at.title = e.at;
    return el("li", "entry",
      el("div", "who", at, el("span", "sign", signs[e.action] || "?"), el("strong", "", e.email), el("span", "tag", e.does), el("span", "tag", e.why),
        e.undoes ? el("span", "tag warn", "rolls back " + short(e.undoes)) : "", e.uncertain ? el("span", "tag warn", "uncertain: the response was lost") : "", el("span", "mono muted", short(e.revision))),
      fields(e.fields), e.correlationId ? el("p", "small muted", "correlation id " + e.correlationId) : "");
  });
}
const loadHistory = throttle(3000, fetchHistory);

$("more").addEventListener("click", () => {
  limit = Math.min(1000, limit * 2);
  fetchHistory();
});
let typing = 0;
$("filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(fetchPlan, 150);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  loadPlan();
  loadHistory();
});
document.addEventListener("keydown", (e) => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) {
    e.preventDefault();
    $("filter").focus();
  } else if (e.key === "Escape" && e.target === $("filter")) {
    $("filter").value = "";
    fetchPlan();
  }
});

// --- the stream

const streamTimeout = 10000; // ms without an event, after which the connection counts as lost
let stream = null;
let seen = { plan: "", history: "", seq: 0 };

function connect() {
  if (stream) stream.close();
  receivedAt = Date.now();
  stream = new EventSource("/events");
  stream.onmessage = (e) => receive(JSON.parse(e.data));
  stream.onerror = () => {
    disconnected();
    // It reconnects by itself, unless the response was no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}

function receive({ build, sample, status: s }) {
  if (build !== document.documentElement.dataset.build) {
    location.reload();
    return;
  }
  receivedAt = Date.now();
  $("link").dataset.state = "live";
  put($("link-text"), "live");
  $("lost").hidden = true;
  document.body.classList.remove("stale");
  show(s);
  newest = sample;
  if (sample.seq === seen.seq + 1) chart.add(sample);
  else loadSamples();
  if (!pointed) drawLegend();
  const plan = [s.plan, s.phase, s.done, s.failed, s.held, s.pending, s.started].join();
  const history = [JSON.stringify(s.totals.changes), s.started].join();
  if (plan !== seen.plan) loadPlan();
  if (history !== seen.history) loadHistory();
  seen = { plan, history, seq: sample.seq };
}

function disconnected() {
  $("link").dataset.state = "lost";
  put($("link-text"), "connection lost");
  document.body.classList.add("stale");
  $("lost").hidden = false;
  put($("lost"), "Connection lost, reconnecting. " + (current ? "The data below is from " + clock(moment(current.now)) + "." : "No data yet."));
}

setInterval(() => {
  if (Date.now() - receivedAt < streamTimeout) return;
  disconnected();
  connect();
}, 1000);
connect();
