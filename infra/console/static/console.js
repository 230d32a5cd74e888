// The reader's own time zone, and decisions signed by a key that stays in this browser.
"use strict";

const ZONE = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.getAttribute("datetime"));
    if (!isNaN(moment)) time.textContent = ZONE.format(moment);
  }
}
document.addEventListener("DOMContentLoaded", () => localTimes(document));
document.addEventListener("htmx:afterSettle", () => localTimes(document));

// Keys lie in IndexedDB as objects that sign and cannot be read out, one a person.
function keys(mode) {
  return new Promise((yes, no) => {
    const asked = indexedDB.open("hallmark", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("keys");
    asked.onerror = () => no(asked.error);
    asked.onsuccess = () => yes(asked.result.transaction("keys", mode).objectStore("keys"));
  });
}
function answered(request) {
  return new Promise((yes, no) => { request.onsuccess = () => yes(request.result); request.onerror = () => no(request.error); });
}
async function ownKey(person) { return answered((await keys("readonly")).get(person)); }
async function makeKey(person) {
  const pair = await crypto.subtle.generateKey({name: "Ed25519"}, false, ["sign", "verify"]);
  await answered((await keys("readwrite")).put(pair, person));
  return pair;
}

// An OpenSSH public key line: the kind and the 32 bytes, each after its length.
const KIND = "ssh-ed25519";
async function publicBlob(pair) {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const kind = new TextEncoder().encode(KIND);
  const blob = new Uint8Array(4 + kind.length + 4 + raw.length), view = new DataView(blob.buffer);
  view.setUint32(0, kind.length); blob.set(kind, 4);
  view.setUint32(4 + kind.length, raw.length); blob.set(raw, 8 + kind.length);
  return blob;
}
function base64(bytes) { let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); }
function bytesOf(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
async function publicLine(pair, person) { return `${KIND} ${base64(await publicBlob(pair))} ${person}`; }
async function fingerprint(pair) {
  return "SHA256:" + base64(new Uint8Array(await crypto.subtle.digest("SHA-256", await publicBlob(pair)))).replace(/=+$/, "");
}

// DSSE's pre-authentication encoding: what is signed names its type and length.
function encoded(type, payload) {
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head); whole.set(payload, head.length);
  return whole;
}

async function send(path, document_) {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", body: JSON.stringify(document_),
    headers: {"content-type": "application/json", "x-form-token": document.body.dataset.formToken},
  });
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Error("your session is over: sign in in another tab, then sign here again; nothing is lost");
  if (!answer.ok) throw new Error(said.error || `the console answers ${answer.status}`);
  return said;
}

// What the browser signs is what the page shows: another statement is not signed.
const TYPE = "application/vnd.in-toto+json";
function sameGate(said, wanted, page, digests) {
  const until = wanted.expires ? `${wanted.expires}T23:59:59Z` : null, withdraws = wanted.verb === "withdraw";
  const role = withdraws ? said.role === "" : page.roles.split(" ").includes(said.role);
  return role && digests.length === 2 && digests.includes(page.evidence) && said.verb === wanted.verb && said.run === page.run &&
    said.gate === page.gate && said.tier === page.tier && said.use_case === page.useCase && said.policy_sha256 === page.policy &&
    said.expires === until && (withdraws || said.withdraws.length === 0) &&
    JSON.stringify([...said.checks].sort()) === JSON.stringify([...wanted.checks].sort());
}
function requireOwn(drawn, payload, wanted, form) {
  const statement = JSON.parse(new TextDecoder().decode(payload)), said = statement.predicate, page = form.dataset;
  const digests = statement.subject.map(each => each.digest.sha256);
  const kind = page.incident ? "urn:hallmark:incident:v1" : "urn:hallmark:gate-decision:v1";
  const about = page.incident ? said.id === page.incident : sameGate(said, wanted, page, digests);
  const now = Math.abs(Date.parse(said.time) - Date.now()) < 24 * 3600 * 1000;
  if (drawn.payload_type !== TYPE || statement.predicateType !== kind || !about || !now || said.person !== page.person ||
      said.reason !== wanted.reason.trim())
    throw new Error("the console gave out something else to sign than this page shows; nothing was signed");
}

// What the form says, as the console takes it.
function wish(form, publicKey) {
  const fields = new FormData(form), reason = fields.get("reason");
  if (form.dataset.incident) return {reason, public_key: publicKey};
  const verb = fields.get("verb"), waives = verb === "waive";
  return {
    verb, reason, checks: waives ? fields.getAll("checks") : [], expires: waives ? fields.get("expires") || "" : "",
    evidence: form.dataset.evidence, public_key: publicKey,
  };
}

async function decide(form, tell) {
  const person = form.dataset.person, pair = await ownKey(person), path = form.dataset.path;
  if (!pair) throw new Error("this browser has no key of yours: make one on the page Your key");
  const wanted = wish(form, await publicLine(pair, person));
  tell("drawing up what you sign …");
  const drawn = await send(`${path}/draw`, wanted);
  if (drawn.entry) return drawn.entry;
  const payload = bytesOf(drawn.payload);
  requireOwn(drawn, payload, wanted, form);
  const signature = new Uint8Array(await crypto.subtle.sign({name: "Ed25519"}, pair.privateKey, encoded(TYPE, payload)));
  tell("recording it …");
  return (await send(`${path}/decide`, {...wanted, payload: drawn.payload, signature: base64(signature)})).entry;
}

// Says so before somebody writes a reason that they cannot sign here.
async function requireKey(form) {
  const pair = await ownKey(form.dataset.person);
  const counts = pair && form.dataset.counting.split(" ").includes(await fingerprint(pair));
  document.getElementById("no-key").hidden = Boolean(counts);
  form.querySelector("button").disabled = !counts;
}

function watchDecision(form) {
  const told = document.getElementById("told"), button = form.querySelector("button"), draft = `draft ${form.dataset.evidence || form.dataset.incident}`;
  const waive = form.querySelector(".for-waive"), reason = form.elements.reason;
  requireKey(form).catch(error => { told.className = "wrong"; told.textContent = error.message; });
  reason.value = sessionStorage.getItem(draft) || "";
  reason.addEventListener("input", () => sessionStorage.setItem(draft, reason.value));
  form.addEventListener("change", () => { if (waive) waive.hidden = form.elements.verb.value !== "waive"; });
  form.addEventListener("submit", async event => {
    event.preventDefault();
    button.disabled = true; told.className = "";
    try {
      const entry = await decide(form, text => { told.textContent = text; });
      sessionStorage.removeItem(draft);
      told.textContent = `recorded: entry ${entry} of the ledger`;
      location.reload();
    } catch (error) {
      told.className = "wrong"; told.textContent = error.message; button.disabled = false;
    }
  });
}

async function showKey(section) {
  const state = document.getElementById("key-state"), make = document.getElementById("make-key"), person = section.dataset.person;
  async function tell(pair) {
    const mark = await fingerprint(pair), counts = section.dataset.counting.split(" ").includes(mark);
    state.textContent = counts ? `This browser has a key of yours that counts: ${mark}` : `This browser has a key of yours that does not count yet: ${mark}`;
    document.getElementById("public-line").textContent = await publicLine(pair, person);
    document.getElementById("enrol").hidden = counts;
    make.hidden = true;
  }
  try {
    const pair = await ownKey(person);
    if (pair) return await tell(pair);
    state.textContent = "This browser has no key of yours.";
    make.hidden = false;
    make.addEventListener("click", async () => { make.disabled = true; await tell(await makeKey(person)); });
  } catch (error) {
    state.textContent = `This browser cannot keep a key (${error.message}): use a current one, at https or 127.0.0.1, or the command line.`;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("decision"), section = document.getElementById("own-key");
  if (form) watchDecision(form);
  if (section) showKey(section);
});
