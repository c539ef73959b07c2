// Follows a tenant's jobs over one event stream, and asks at intervals wherever the stream is not to be had.

const $ = (id) => document.getElementById(id);
const KINDS = {
  "report.export": "Report", "webhook.fanout": "Webhooks", "webhook.deliver": "Delivery",
  "email.send": "E-mail", "payout.send": "Payout", noop: "No-op",
};
const STATES = { queued: "queued", running: "running", retrying: "will retry", succeeded: "done", failed: "failed",
  cancelled: "cancelled" };
const OVER = new Set(["succeeded", "failed", "cancelled"]);
const POLL = 2000, SLOWEST_RECONNECT = 15000, SOON = 400;

class ProblemAnswer extends Error {
  constructor(status, body) {
    const fields = (body.errors || []).map((each) => `${(each.pointer || each.parameter || "").slice(1)}: ${each.detail}`);
    super([body.detail || body.title || `The server answered ${status}.`, ...fields].join(" "));
    this.status = status;
  }
}

async function call(method, path, body, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server can't be reached. Try again in a moment.");
  }
  const text = await answer.text();
  let found = {};
  try { found = text ? JSON.parse(text) : {}; } catch { /* a proxy's page, not ours: the status says enough */ }
  if (!answer.ok) throw new ProblemAnswer(answer.status, found);
  return found;
}

// -- what is known of the jobs -------------------------------------------------------------------------------------

const jobs = new Map();      // id → job, with `links`
const rows = new Map();      // id → its <li>
const parents = new Map();   // child id → parent id
const dirty = new Set();     // jobs to ask about again
let next = null, refreshing = 0, listed = false;

function take(job) {
  const known = jobs.get(job.id);
  if (known && known.seq > job.seq) return;  // the stream was faster
  jobs.set(job.id, known ? { ...known, ...job } : job);
}

function order() {
  return [...jobs.values()].sort((a, b) => (a.accepted_at < b.accepted_at ? 1 : a.accepted_at > b.accepted_at ? -1 : 0));
}

function shown(job) {
  const wanted = $("filter").value;
  return !wanted || (wanted === "unfinished" ? !OVER.has(job.state) : job.state === wanted);
}

function onEvent(event) {
  let said;
  try { said = JSON.parse(event.data); } catch { return; }
  const job = jobs.get(said.job_id);
  if (!job) {
    ask(parents.get(said.job_id) || "new");
    return;
  }
  if (said.seq <= job.seq) return;
  const before = job.state;
  Object.assign(job, { seq: said.seq, state: said.state, percent: said.percent, message: said.message });
  if (said.state !== before) {
    ask(job.id);
    if (OVER.has(said.state)) announce(`${title(job)}: ${STATES[said.state]}`);
  }
  draw();
}

// A burst of events becomes one question.
function ask(what) {
  dirty.add(what);
  if (!refreshing) refreshing = setTimeout(answerQuestions, SOON);
}

async function answerQuestions() {
  const wanted = [...dirty];
  dirty.clear();
  try {
    if (wanted.includes("new")) await load();
    for (const id of wanted.filter((each) => each !== "new").slice(0, 20)) {
      const { job, links } = await call("GET", `/jobs/${id}`);
      take({ ...job, links });
      await children(jobs.get(id));
    }
    draw();
  } catch (error) {
    ifSignedOut(error);
  } finally {
    refreshing = dirty.size ? setTimeout(answerQuestions, SOON) : 0;
  }
}

async function load(cursor) {
  const query = new URLSearchParams({ parent: "none", limit: "25", ...(cursor ? { cursor } : {}) });
  const page = await call("GET", `/jobs?${query}`);
  page.jobs.forEach(take);
  if (cursor || !listed) next = page.next;
  listed = true;
  for (const job of page.jobs) if (rows.get(job.id)?.querySelector("details").open) await children(job);
  draw();
  return page;
}

async function children(job) {
  const row = rows.get(job.id);
  if (!job.children || !row) return;
  if (!row.querySelector("details").open && !job.children.failed) return;
  const found = await call("GET", `/jobs?${new URLSearchParams({ parent: job.id, limit: "100" })}`);
  found.jobs.forEach((child) => parents.set(child.id, job.id));
  job.deliveries = found.jobs.reverse();
}

// -- drawing -------------------------------------------------------------------------------------------------------

function title(job) {
  return KINDS[job.kind] || job.kind;
}

function when(iso) {
  const at = new Date(iso), today = new Date().toDateString() === at.toDateString();
  return at.toLocaleString([], today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}

function why(job) {
  if (!job.error) return "No reason was recorded.";
  return [job.error.class, job.error.message].filter(Boolean).join(": ");
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function chip(element, state) {
  element.dataset.state = state;
  set(element, STATES[state] || state);
}

function draw() {
  const list = $("jobs"), wanted = order().filter(shown);
  wanted.forEach((job, n) => {
    let row = rows.get(job.id);
    if (!row) {
      row = $("job").content.firstElementChild.cloneNode(true);
      row.querySelector("details").addEventListener("toggle", () => ask(job.id));
      rows.set(job.id, row);
    }
    drawOne(row, job);
    if (list.children[n] !== row) list.insertBefore(row, list.children[n] || null);
  });
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  $("empty").hidden = wanted.length > 0 || !listed;
  set($("empty"), jobs.size ? "No job is in that state." : "Nothing here yet. Export a report, and watch it work.");
  $("more").hidden = !next;
}

function drawOne(row, job) {
  const part = (name) => row.querySelector(name);
  chip(part(".chip"), job.state);
  set(part(".what"), title(job));
  set(part(".when"), when(job.accepted_at));
  part(".when").dateTime = job.accepted_at;
  const bar = part("progress");
  bar.value = job.percent;
  bar.setAttribute("aria-label", `${title(job)}: ${job.percent} percent`);
  bar.hidden = OVER.has(job.state);
  const attempts = job.attempts > 1 ? ` (attempt ${job.attempts})` : "";
  set(part(".message"), job.state === "succeeded" || job.state === "failed" ? outcome(job) : `${job.message || ""}${attempts}`);
  part(".reason").hidden = job.state !== "failed";
  if (job.state === "failed") set(part(".reason"), why(job));
  const link = part(".download");
  link.hidden = !job.links?.artifact;
  if (job.links?.artifact) {
    link.href = job.links.artifact;
    link.setAttribute("aria-label", `Download the report of ${when(job.accepted_at)}`);
  }
  drawChildren(part("details"), job);
}

function outcome(job) {
  const result = job.result || {};
  if (job.state === "failed") return `Gave up after ${job.attempts} ${job.attempts === 1 ? "attempt" : "attempts"}. Waits among the dead letters.`;
  if (result.superseded_by) return `Superseded by version ${result.superseded_by} of the invoice.`;
  return "";
}

function drawChildren(details, job) {
  details.hidden = !job.children;
  if (!job.children) return;
  const counted = Object.entries(STATES).filter(([state]) => job.children[state])
    .map(([state, name]) => `${job.children[state]} ${name}`);
  set(details.querySelector("summary"), `${job.children.total} deliveries: ${counted.join(", ")}`);
  if (job.children.failed && details.dataset.opened === undefined) {
    details.dataset.opened = "";  // once: a reader who closes it has seen it
    details.open = true;
  }
  const list = details.querySelector("ul");
  list.replaceChildren(...(job.deliveries || []).map((child) => {
    const item = document.createElement("li");
    const state = document.createElement("span"), name = document.createElement("span"), said = document.createElement("span");
    state.className = "chip";
    chip(state, child.state);
    name.textContent = `Subscriber ${child.natural_key.split(":")[2]}`;  // tenant:webhook:subscriber:…
    said.textContent = child.state === "failed" ? why(child) : child.state === "retrying" ? child.message : "";
    item.append(state, name, ...(said.textContent ? [said] : []));
    return item;
  }));
}

function announce(text) {
  set($("announce"), text);
}

// -- the stream, and the fallback ----------------------------------------------------------------------------------

let stream = null, polling = 0, reconnect = 0, patience = 1000;

function connection(state, text) {
  $("connection").dataset.state = state;
  set($("connection"), text);
}

async function follow() {
  clearTimeout(reconnect);
  stream?.close();
  let url;
  try {
    url = (await load()).links.events;  // begins where this list ends: nothing falls in between
  } catch (error) {
    if (!ifSignedOut(error)) fallBack();
    return;
  }
  stream = new EventSource(url, { withCredentials: true });
  stream.onopen = () => {
    clearInterval(polling);
    polling = 0;
    patience = 1000;
    connection("live", "Live");
  };
  stream.onmessage = onEvent;
  stream.onerror = () => {
    // A lost connection comes back by itself; a refused one (too many streams, an ended session) does not.
    if (stream.readyState === EventSource.CLOSED) fallBack();
    else poll();
  };
}

function poll() {
  connection("waiting", "Reconnecting; asking every 2 seconds");
  if (!polling) polling = setInterval(() => { for (const job of unfinished()) ask(job.id); ask("new"); }, POLL);
}

function unfinished() {
  return [...jobs.values()].filter((job) => !OVER.has(job.state) || (job.children && job.children.succeeded + job.children.failed < job.children.total));
}

function fallBack() {
  poll();
  clearTimeout(reconnect);
  reconnect = setTimeout(follow, patience + Math.random() * 500);
  patience = Math.min(patience * 2, SLOWEST_RECONNECT);
}

// -- signing in and asking for work --------------------------------------------------------------------------------

function ifSignedOut(error) {
  if (error.status !== 401) return false;
  signedOut();
  return true;
}

function signedOut() {
  stream?.close();
  clearInterval(polling);
  clearTimeout(reconnect);
  polling = 0;
  [jobs, rows, parents, dirty].forEach((each) => each.clear());
  listed = false;
  $("jobs").replaceChildren();
  $("signed-in").hidden = $("who").hidden = true;
  $("sign-in").hidden = false;
  $("token").focus();
}

async function signedIn({ tenant }) {
  set($("tenant"), tenant);
  $("sign-in").hidden = true;
  $("signed-in").hidden = $("who").hidden = false;
  await Promise.all([follow(), invoices()]);
}

const DAY = 86400e3, YEAR = 364 * DAY;

// A year from the first invoice on, so that the first export anybody asks for has something in it.
function propose(first) {
  if (!$("from").value) $("from").value = first.toISOString().slice(0, 10);
  if (!$("to").value) $("to").value = new Date(first.getTime() + YEAR).toISOString().slice(0, 10);
}

async function invoices() {
  try {
    const { data } = await call("GET", "/v1/invoices?limit=50");
    $("invoice").replaceChildren(...data.map((each) => new Option(`${each.number} (${each.status})`, each.id)));
    if (!data.length) $("tell").querySelector("button").disabled = true;
    propose(data.length ? new Date(data[0].issued_on) : new Date(Date.now() - YEAR));
  } catch (error) {
    ifSignedOut(error);
  }
}

function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button"), problem = form.querySelector(".problem");
    button.disabled = true;
    set(problem, "");
    try {
      await act(new FormData(form));
    } catch (error) {
      if (form.id === "sign-in" || !ifSignedOut(error)) set(problem, error.message);
    } finally {
      button.disabled = false;
    }
  });
}

async function accept(method, path, body) {
  const answer = await call(method, path, body, { "Idempotency-Key": `"${crypto.randomUUID()}"` });
  announce(`${KINDS[answer.job.kind]}: accepted`);
  ask("new");
}

onSubmit($("sign-in"), async (form) => {
  const session = await call("POST", "/session", { token: form.get("token").trim() });
  $("token").value = "";
  await signedIn(session);
});
onSubmit($("export"), (form) => accept("POST", "/v1/reports",
  { format: form.get("format"), from: form.get("from"), to: form.get("to") }));
onSubmit($("tell"), async (form) => {
  const invoice = `/v1/invoices/${form.get("invoice")}`, news = form.get("news");
  if (news === "remind") await accept("POST", `${invoice}/webhooks`, { type: "invoice.reminder" });
  else await accept("PUT", invoice, { status: news });
});
$("sign-out").addEventListener("click", async () => {
  try { await call("DELETE", "/session"); } catch { /* the cookie ends by itself in the end */ }
  signedOut();
});
$("filter").addEventListener("change", draw);
$("more").addEventListener("click", () => load(next).catch(ifSignedOut));

// A token in the fragment never reaches a server's log; it leaves the address bar and the history at once.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (location.hash) history.replaceState(null, "", location.pathname);
try {
  await signedIn(given ? await call("POST", "/session", { token: given }) : await call("GET", "/session"));
} catch (error) {
  signedOut();
  if (given || error.status !== 401) set($("sign-in").querySelector(".problem"), error.message);
}
