// Keys of this browser: objects in IndexedDB that sign and cannot be read out, one a person.

const KIND = "ssh-ed25519";

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

export async function ownKey(person) { return answered((await store("readonly")).get(person)); }

export async function makeKey(person) {
  const pair = await crypto.subtle.generateKey({name: "Ed25519"}, false, ["sign", "verify"]);
  await answered((await store("readwrite")).put(pair, person));
  return pair;
}

// An OpenSSH public key line: the kind and the 32 bytes, each after its length.
async function publicBlob(pair) {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const kind = new TextEncoder().encode(KIND);
  const blob = new Uint8Array(4 + kind.length + 4 + raw.length), view = new DataView(blob.buffer);
  view.setUint32(0, kind.length); blob.set(kind, 4);
  view.setUint32(4 + kind.length, raw.length); blob.set(raw, 8 + kind.length);
  return blob;
}

export async function publicLine(pair, person) { return `${KIND} ${base64(await publicBlob(pair))} ${person}`; }

export async function fingerprint(pair) {
  return "SHA256:" + base64(new Uint8Array(await crypto.subtle.digest("SHA-256", await publicBlob(pair)))).replace(/=+$/, "");
}

// DSSE: what is signed names its type and length first.
export async function sign(pair, type, payload) {
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head); whole.set(payload, head.length);
  return base64(new Uint8Array(await crypto.subtle.sign({name: "Ed25519"}, pair.privateKey, whole)));
}

function base64(bytes) { let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); }
export function bytesOf(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
