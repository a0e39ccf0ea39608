/** A random id of 128 bits. `crypto.randomUUID` is missing on addresses without TLS; `getRandomValues` is not. */
export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
