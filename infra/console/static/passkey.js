// Passkeys (WebAuthn), in the format that tasks/trust/passkey.py reads.
import {digest, packed, text} from "./bytes.js";

const KIND = "sk-ecdsa-sha2-nistp256@openssh.com";
const ES256 = -7, POINT = 65, HALF = 32, RP_HASH = 32, AFTER = 5, COPYABLE = 0x08;
const ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551n;

export async function makePasskey(person) {
  if (!window.PublicKeyCredential) throw new Error("this browser has no passkeys here; they need https or localhost");
  if (/^[0-9.]+$|:/.test(location.hostname))
    throw new Error("passkeys belong to a name, not to an address: open the console at one (HALLMARK_CONSOLE_ORIGIN)");
  const made = await told(navigator.credentials.create({publicKey: {
    rp: {id: location.hostname, name: "Hallmark"}, user: {id: random(16), name: person, displayName: person},
    challenge: random(32), pubKeyCredParams: [{type: "public-key", alg: ES256}],
    authenticatorSelection: {userVerification: "required", residentKey: "discouraged"}, attestation: "none",
  }}));
  if (new Uint8Array(made.response.getAuthenticatorData())[RP_HASH] & COPYABLE)
    throw new Error("this passkey can be copied to other devices, so it does not count: delete it, and take a security key, or this device's own");
  const point = new Uint8Array(made.response.getPublicKey()).slice(-POINT);
  return {kind: KIND, id: made.rawId, blob: packed(text(KIND), text("nistp256"), point, text(location.hostname))};
}

// Browsers report all of these causes with the same error.
async function told(asked) {
  try { return await asked; } catch (error) {
    if (error.name !== "NotAllowedError") throw error;
    throw new Error("no passkey answered: you called it off or waited too long, its security key is not plugged in, or it knows neither a PIN nor a finger of yours");
  }
}

function random(size) { return crypto.getRandomValues(new Uint8Array(size)); }

export async function passkeySigns(held, data) {
  const {response} = await told(navigator.credentials.get({publicKey: {
    challenge: await digest(data), rpId: location.hostname, userVerification: "required",
    allowCredentials: [{type: "public-key", id: held.id}],
  }}));
  const after = new Uint8Array(response.authenticatorData).slice(RP_HASH), said = new Uint8Array(response.clientDataJSON);
  if (after.length !== AFTER) throw new Error("the authenticator signed more than it was asked to; nothing was recorded");
  const signature = new Uint8Array(2 * HALF + AFTER + said.length);
  signature.set(halves(new Uint8Array(response.signature))); signature.set(after, 2 * HALF); signature.set(said, 2 * HALF + AFTER);
  return signature;
}

// r and s of a DER signature, 32 bytes each; s is the smaller of its two valid values.
function halves(der) {
  const rSize = der[3], r = number(der.slice(4, 4 + rSize)), s = number(der.slice(6 + rSize));
  const both = new Uint8Array(2 * HALF);
  both.set(bytes(r)); both.set(bytes(s > ORDER / 2n ? ORDER - s : s), HALF);
  return both;
}
function number(big) { return big.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n); }
function bytes(value) { return Uint8Array.from(value.toString(16).padStart(2 * HALF, "0").match(/../g), pair => parseInt(pair, 16)); }
