// Forms whose answer is signed. The browser signs a statement only if it says what the page shows.
import {bytesOf} from "./bytes.js";
import {keyThatCounts, sign} from "./keys.js";

const TYPE = "application/vnd.in-toto+json";

// Each predicate type, with the fields of its request, the fields that the statement must then have besides those of the
// page, and the roles that are allowed.
const KINDS = {
  "urn:hallmark:gate-decision:v1": {
    wish: fields => {
      const verb = fields.get("verb"), waives = verb === "waive";
      return {verb, checks: waives ? fields.getAll("checks") : [], expires: waives ? fields.get("expires") || "" : ""};
    },
    says: (wish, said) => ({
      verb: wish.verb, checks: wish.checks, expires: wish.expires ? `${wish.expires}T23:59:59Z` : null,
      withdraws: wish.verb === "withdraw" ? said.withdraws : [],
    }),
    roles: (wish, page) => wish.verb === "withdraw" ? [""] : page.roles,
  },
  "urn:hallmark:incident:v1": {wish: () => ({}), says: () => ({})},
  "urn:hallmark:schedule-switch:v1": {wish: () => ({}), says: () => ({})},
  "urn:hallmark:rollback:v1": {
    wish: fields => ({break_glass: fields.has("break_glass")}),
    says: (wish, said, page) => ({break_glass: wish.break_glass, joins: wish.break_glass ? [] : page.joins}),
    roles: (wish, page) => wish.break_glass ? page.breaking : page.roles,
  },
};

function spelled(value) {  // the same for every order of keys and of list items
  if (Array.isArray(value)) return JSON.stringify([...value].sort());
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return JSON.stringify(Object.keys(value).sort().map(key => [key, spelled(value[key])]));
}

function requireShown(drawn, payload, wanted, page) {
  const statement = JSON.parse(new TextDecoder().decode(payload)), said = statement.predicate, kind = KINDS[page.type];
  const expected = {...page.defaults, ...page.about, ...kind.says(wanted, said, page), person: page.person, reason: wanted.reason.trim(), time: said.time};
  const roles = kind.roles && kind.roles(wanted, page);
  if (roles) expected.role = roles.includes(said.role) ? said.role : null;
  const now = Math.abs(Date.parse(said.time) - Date.now()) < 24 * 3600 * 1000;
  const digests = spelled(statement.subject.map(each => each.digest.sha256)) === spelled(page.digests);
  if (drawn.payload_type !== TYPE || statement.predicateType !== page.type || !digests || !now || spelled(said) !== spelled(expected))
    throw new Error("the console gave out something else to sign than this page shows; nothing was signed");
}

async function send(path, body) {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", body: JSON.stringify(body),
    headers: {"content-type": "application/json", "x-form-token": document.body.dataset.formToken},
  });
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Error("your session is over: sign in in another tab, then load this page anew; your text is kept");
  if (!answer.ok) throw new Error(said.error || `the console answers ${answer.status}`);
  return said;
}

async function signed(form, page, tell) {
  const own = await keyThatCounts(page.person, page.keys);
  if (!own) throw new Error("this browser has no key of yours that counts here: make one on the page Your key");
  const fields = new FormData(form);
  const wanted = {...page.wish, ...KINDS[page.type].wish(fields), reason: fields.get("reason"), public_key: own.line};
  tell("drawing up what you sign …");
  const drawn = await send(`${page.path}/draw`, wanted);
  if (drawn.entry) return drawn;
  const payload = bytesOf(drawn.payload);
  requireShown(drawn, payload, wanted, page);
  tell("recording it …");
  return send(`${page.path}/decide`, {...wanted, payload: drawn.payload, signature: await sign(own, TYPE, payload)});
}

// Shows that no key here counts before the person writes a reason that they cannot sign.
async function requireKey(form, page) {
  const counts = await keyThatCounts(page.person, page.keys);
  form.querySelector(".no-key").hidden = Boolean(counts);
  form.querySelector("button").disabled = !counts;
}

// Result of the recording, which the reloaded page shows.
const RECORDED = "recorded";
export function tellRecorded() {
  const said = JSON.parse(sessionStorage.getItem(RECORDED) || "null"), place = document.getElementById("recorded");
  if (!said || !place) return;
  sessionStorage.removeItem(RECORDED);
  const link = Object.assign(document.createElement("a"), {href: `/ledger/${said.entry}`, textContent: `entry ${said.entry} of the ledger`});
  place.append(said.said ? `Recorded: ${said.said}, ` : "It is on record already: ", link);
  place.hidden = false;
}

export function watch(form) {
  const page = JSON.parse(form.dataset.asked), told = form.querySelector(".told"), button = form.querySelector("button");
  const draft = `draft ${page.path} ${page.digests.join(" ")}`, reason = form.elements.reason, waive = form.querySelector(".for-waive");
  const tell = text => { told.textContent = text; };
  requireKey(form, page).catch(error => { told.className = "told wrong"; tell(error.message); });
  reason.value = sessionStorage.getItem(draft) || "";
  reason.addEventListener("input", () => sessionStorage.setItem(draft, reason.value));
  form.addEventListener("change", () => { if (waive) waive.hidden = form.elements.verb.value !== "waive"; });
  form.addEventListener("submit", async event => {
    event.preventDefault();
    button.disabled = true; told.className = "told";
    try {
      const done = await signed(form, JSON.parse(form.dataset.asked), tell);
      sessionStorage.removeItem(draft);
      sessionStorage.setItem(RECORDED, JSON.stringify(done));
      location.reload();
    } catch (error) {
      told.className = "told wrong"; tell(error.message); button.disabled = false;
    }
  });
}
