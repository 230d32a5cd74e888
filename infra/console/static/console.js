// Behaviour of pages: times in the reader's time zone, buttons that copy commands, forms to sign, and the reader's keys.
import {makeKey, ownKey} from "./keys.js";
import {tellRecorded, watch} from "./signing.js";

const ZONE = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
function localTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.getAttribute("datetime"));
    if (!isNaN(moment)) time.textContent = ZONE.format(moment);
  }
}

function copyButtons() {
  for (const command of document.querySelectorAll("pre.copy:not(.ready)")) {
    const button = Object.assign(document.createElement("button"), {type: "button", className: "plain copy", textContent: "Copy"});
    button.addEventListener("click", async () => { await navigator.clipboard.writeText(command.innerText); button.textContent = "Copied"; });
    command.classList.add("ready");
    command.after(button);
  }
}

// Shows the person's key of one kind in this browser, or a button that makes one.
async function showKey(section) {
  const {kind, person, counting} = section.dataset, state = section.querySelector(".state"), make = section.querySelector(".make");
  const enrol = section.querySelector(".enrol"), name = section.dataset.name;
  function tell(own) {
    const counts = counting.split(" ").includes(own.fingerprint);
    state.textContent = counts ? `There is a ${name} of yours here that counts: ${own.fingerprint}` : `There is a ${name} of yours here that does not count yet: ${own.fingerprint}`;
    enrol.querySelector(".line").textContent = own.line;
    enrol.hidden = counts;
    make.hidden = kind === "key";  // a passkey can get lost with its authenticator; the browser's own key is never replaced
    make.textContent = "Make another"; make.disabled = false;
  }
  try {
    const own = await ownKey(kind, person);
    if (own) tell(own);
    else { state.textContent = `There is no ${name} of yours here.`; make.hidden = false; }
    make.addEventListener("click", async () => {
      make.disabled = true;
      try { tell(await makeKey(kind, person)); } catch (error) { state.textContent = `No ${name} was made: ${error.message}`; make.disabled = false; }
    });
  } catch (error) {
    state.textContent = `This browser cannot keep a key (${error.message}): use a current one, at https or 127.0.0.1, or the command line.`;
  }
}

// Pages on other ports of this host can set cookies for this one, and so plant another person's session. They cannot
// write to the local storage of this origin: form tokens begin with the digest of a mark that this browser made at sign-in
// and stored there.
const MARK = "hallmark-mark", TRIED = "hallmark-mark-tried";
async function digestOf(mark) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(mark)));
  return Array.from(digest.slice(0, 16), byte => byte.toString(16).padStart(2, "0")).join("");
}

async function requireOwnSession() {
  const token = document.body.dataset.formToken;
  if (!token) return;
  for (const name of [MARK, TRIED]) {
    const mark = localStorage.getItem(name);
    if (mark && token.startsWith(`${await digestOf(mark)}.`)) { localStorage.setItem(MARK, mark); return; }
  }
  const main = document.createElement("main"), told = document.createElement("p");
  main.id = "main"; told.className = "wrong"; told.setAttribute("role", "alert");
  told.textContent = "This browser did not begin this session here. Another page of this host may have: sign out, and sign in again.";
  main.append(told);
  document.getElementById("main").replaceWith(main);
}

function markSignIn() {
  const form = document.querySelector("form[action='/sign-in']"), way = document.querySelector("a.elsewhere");
  function marked() {
    const mark = crypto.randomUUID();
    localStorage.setItem(TRIED, mark);
    return mark;
  }
  if (form) form.addEventListener("submit", () => { form.elements.mark.value = marked(); });
  if (way) way.addEventListener("click", () => { const to = new URL(way.href); to.searchParams.set("mark", marked()); way.href = to.href; });
}

document.addEventListener("htmx:afterSettle", () => { localTimes(); copyButtons(); });
localTimes();
copyButtons();
markSignIn();
try { await requireOwnSession(); } catch (error) { console.warn(`this browser keeps nothing for this console: ${error.message}`); }
tellRecorded();
document.querySelectorAll("form.signed").forEach(watch);
document.querySelectorAll(".own-key").forEach(showKey);
