// What pages do in the browser: times in the reader's zone, commands to copy, forms that are signed, the reader's key.
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

// One kind of key that a person may have here, or make.
async function showKey(section) {
  const {kind, person, counting} = section.dataset, state = section.querySelector(".state"), make = section.querySelector(".make");
  const enrol = section.querySelector(".enrol"), name = section.dataset.name;
  function tell(own) {
    const counts = counting.split(" ").includes(own.fingerprint);
    state.textContent = counts ? `There is a ${name} of yours here that counts: ${own.fingerprint}` : `There is a ${name} of yours here that does not count yet: ${own.fingerprint}`;
    enrol.querySelector(".line").textContent = own.line;
    enrol.hidden = counts;
    make.hidden = kind === "key";  // a passkey may be lost with what kept it, and the browser's own is never
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

document.addEventListener("htmx:afterSettle", () => { localTimes(); copyButtons(); });
localTimes();
copyButtons();
tellRecorded();
document.querySelectorAll("form.signed").forEach(watch);
document.querySelectorAll(".own-key").forEach(showKey);
