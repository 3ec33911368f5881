// What this browser remembers for its user. What always holds: one entry per key, so that tabs
// never overwrite each other; and where a browser forbids storage the page still works, until
// it is closed. Knows nothing of what is kept.

const memory = new Map();

export function read(key) {
  try {
    return localStorage.getItem(key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

export function write(key, value) {
  memory.set(key, value);
  try {
    localStorage.setItem(key, value);
  } catch {
    // Kept in memory above.
  }
}

export function erase(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing was stored.
  }
}

/** Every value whose key begins so, from JSON. */
export function all(prefix) {
  const keys = new Set([...memory.keys()]);
  try {
    for (let n = 0; n < localStorage.length; n += 1) keys.add(localStorage.key(n));
  } catch {
    // Memory only.
  }
  return [...keys]
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      try {
        return JSON.parse(read(key));
      } catch {
        return null;
      }
    })
    .filter((value) => value !== null);
}

/** What tells an attempt from every other, to be sent as its `Idempotency-Key`. */
export function newKey() {
  // `randomUUID` exists on secure origins only, and a shop on a local network is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
