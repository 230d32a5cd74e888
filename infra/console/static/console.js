// What pages do in the browser: times in the reader's zone, commands to copy, forms that are signed, the reader's key.
import {fingerprint, makeKey, ownKey, publicLine} from "./keys.js";
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

document.addEventListener("htmx:afterSettle", () => { localTimes(); copyButtons(); });
localTimes();
copyButtons();
tellRecorded();
document.querySelectorAll("form.signed").forEach(watch);
const section = document.getElementById("own-key");
if (section) showKey(section);
