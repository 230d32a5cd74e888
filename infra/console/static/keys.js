// Keys with which a person signs in this browser: the browser's own key, which is stored in IndexedDB and cannot be
// exported, and a passkey, which an authenticator stores.
import {makePasskey, passkeySigns} from "./passkey.js";
import {base64, digest, packed, text} from "./bytes.js";

const KIND = "ssh-ed25519";
const PLACES = {key: person => person, passkey: person => `${person} passkey`};

function store(mode) {
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

// Form of a key of either kind: public key line in OpenSSH's format, fingerprint, and a function that signs bytes.
async function shown(kind, blob, person, signs) {
  return {
    line: `${kind} ${base64(blob)} ${person}`, signs,
    fingerprint: "SHA256:" + base64(await digest(blob)).replace(/=+$/, ""),
  };
}
const KINDS = {
  key: {
    make: () => crypto.subtle.generateKey({name: "Ed25519"}, false, ["sign", "verify"]),
    show: async (pair, person) => {
      const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
      const signs = async data => new Uint8Array(await crypto.subtle.sign({name: "Ed25519"}, pair.privateKey, data));
      return shown(KIND, packed(text(KIND), raw), person, signs);
    },
  },
  passkey: {
    make: makePasskey,
    show: (held, person) => shown(held.kind, held.blob, person, data => passkeySigns(held, data)),
  },
};

export async function ownKey(which, person) {
  const held = await answered((await store("readonly")).get(PLACES[which](person)));
  return held && KINDS[which].show(held, person);
}

export async function makeKey(which, person) {
  const made = await KINDS[which].make(person);
  // `add` fails if another tab has made a browser key meanwhile, since an overwritten key could not be restored.
  await answered((await store("readwrite"))[which === "key" ? "add" : "put"](made, PLACES[which](person)));
  return KINDS[which].show(made, person);
}

// Returns a key of the person that counts for the statement: the browser's own key, or else a passkey.
export async function keyThatCounts(person, counting) {
  for (const which of ["key", "passkey"]) {
    const own = await ownKey(which, person);
    if (own && counting.includes(own.fingerprint)) return own;
  }
  return null;
}

// DSSE: the signed bytes begin with the type and the length of the payload.
export async function sign(own, type, payload) {
  const head = text(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head); whole.set(payload, head.length);
  return base64(await own.signs(whole));
}
