// Draws api/status every two seconds. Everything that comes from a record is untrusted text: it is
// only ever set as textContent.
"use strict";

const REFRESH_MS = 2000;
const RATES = 60;
const rates = [];
let previous = null;

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function show(id, value) {
  byId(id).textContent = value;
}

function figure(value) {
  return value === null || value === undefined ? "–" : number.format(value);
}

// A process that does not know a figure shows no tile for it.
function tile(id, value) {
  show(id, figure(value));
  byId(id).parentElement.hidden = value === null || value === undefined;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function time(text) {
  const made = element("time");
  const date = new Date(text);
  if (text && !Number.isNaN(date.getTime())) {
    made.dateTime = date.toISOString();
    made.title = text;
    const sameDay = date.toDateString() === new Date().toDateString();
    made.textContent = sameDay ? date.toLocaleTimeString() : date.toLocaleString();
  }
  return made;
}

function item(head, ...lines) {
  const made = element("li");
  const top = element("div", "head");
  top.append(...head);
  made.append(top, ...lines);
  return made;
}

function list(id, emptyId, items) {
  byId(id).replaceChildren(...items);
  if (emptyId) byId(emptyId).hidden = items.length > 0;
}

function driftItem(drift) {
  const kind = ["warning", "recovered"].includes(drift.kind) ? drift.kind : drift.severity;
  const label = drift.kind === "drift" ? `${drift.severity} drift` : drift.kind;
  const since = drift.change_point && drift.change_point.ts;
  const facts = [...new Set([drift.detector, drift.signal])];
  facts.push(drift.meaning ? `${drift.diagnosis}: ${drift.meaning}` : drift.diagnosis);
  if (since) facts.push(`changed at ${new Date(since).toLocaleString()}`);
  return item(
    [element("span", `tag ${kind}`, label), element("b", "", drift.sensor_id), time(drift.ts)],
    element("p", "words", drift.words),
    element("p", "note", facts.filter(Boolean).join(" · ")),
  );
}

function adaptationItem(done) {
  const model = (ref) => (ref ? `${ref.name} v${ref.version}` : "none");
  return item(
    [element("span", "tag", done.action), element("b", "", done.sensor_id), time(done.ts)],
    element("p", "words", done.reason || ""),
    element("p", "note", `model ${model(done.model_before)} → ${model(done.model_after)}`),
  );
}

function letterItem(letter) {
  return item(
    [element("b", "", letter.message), time(letter.ts)],
    element("p", "note", `${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`),
  );
}

function partitionRow(partition) {
  const row = element("tr");
  const state = element("td");
  const tone = { running: "recovered", restoring: "warning", paused: "warning", unowned: "warning" }[partition.state];
  state.append(element("span", `tag ${tone || ""}`, partition.state));
  row.append(
    element("td", "", String(partition.partition)),
    state,
    element("td", "number", figure(partition.position)),
    element("td", "number", figure(partition.behind)),
    element("td", "number sensors", figure(partition.sensors)),
  );
  return row;
}

function drawRate(events) {
  const now = performance.now();
  if (events === null || events === undefined) return;
  if (previous && events >= previous.events && now > previous.at) {
    rates.push(((events - previous.events) * 1000) / (now - previous.at));
    if (rates.length > RATES) rates.shift();
    const last = rates[rates.length - 1];
    show("rate", figure(last < 10 ? last : Math.round(last)));
  }
  previous = { events, at: now };
  if (rates.length < 2) return;
  const top = Math.max(...rates, 1);
  const points = rates.map(
    (rate, i) => `${((i * 240) / (rates.length - 1)).toFixed(1)},${(46 - (rate / top) * 42).toFixed(1)}`,
  );
  const spark = byId("spark");
  spark.querySelector(".line").setAttribute("d", `M${points.join("L")}`);
  spark.querySelector(".area").setAttribute("d", `M0,48L${points.join("L")}L240,48Z`);
}

function pill(text, tone) {
  const state = byId("state");
  if (state.textContent !== text) state.textContent = text;
  state.className = `pill ${tone}`;
}

function reasons(lines) {
  const box = byId("reasons");
  const text = lines.join("\n");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = lines.length === 0;
}

function draw(status) {
  const partitions = status.partitions || [];
  const known = partitions.filter((p) => p.behind !== null && p.behind !== undefined);
  const about = [status.role, status.group && `group ${status.group}`, status.task];
  about.push(status.guarantee && status.guarantee.replaceAll("_", " "), status.version);
  show("about", about.filter(Boolean).join(" · "));
  if (!status.alive) pill("dead", "bad");
  else if (!status.ready) pill("not ready", "warn");
  else pill("ready", "good");
  reasons(status.reasons || []);
  const behind = known.reduce((sum, p) => sum + p.behind, 0);
  show("behind", known.length ? figure(behind) : "–");
  const lag = status.lag_seconds;
  show("lag", lag === null || lag === undefined ? "" : `${figure(lag)} s behind`);
  tile("sensors", status.sensors);
  tile("drifts", status.drift_events);
  tile("dead", status.dead_letters);
  byId("tile-dead").classList.toggle("warn", status.dead_letters > 0);
  drawRate(status.events);
  list("drift", "no-drift", (status.recent_drift || []).map(driftItem));
  list("partitions", "no-partitions", partitions.map(partitionRow));
  const done = status.recent_adaptations || [];
  byId("card-adaptations").hidden = done.length === 0;
  list("adaptations", null, done.slice(0, 10).map(adaptationItem));
  list("letters", "no-letters", (status.recent_dead_letters || []).slice(0, 10).map(letterItem));
  show("updated", `Updated ${new Date().toLocaleTimeString()}, every ${REFRESH_MS / 1000} s`);
}

async function refresh() {
  try {
    const answer = await fetch("api/status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`the process answered ${answer.status}`);
    draw(await answer.json());
  } catch (error) {
    pill("no answer", "bad");
    reasons([`${error.message}. What is shown may be old.`]);
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();
