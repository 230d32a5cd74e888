// Conversions between bytes, base64 and text.

export function base64(bytes) { let letters = ""; for (const byte of bytes) letters += String.fromCharCode(byte); return btoa(letters); }
export function bytesOf(letters) { return Uint8Array.from(atob(letters), letter => letter.charCodeAt(0)); }
export function text(said) { return new TextEncoder().encode(said); }
export async function digest(bytes) { return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)); }

// Byte strings, each preceded by its length, as OpenSSH encodes them.
export function packed(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0)), view = new DataView(whole.buffer);
  let at = 0;
  for (const part of parts) { view.setUint32(at, part.length); whole.set(part, at + 4); at += 4 + part.length; }
  return whole;
}
