// The formulas read before, in this browser's own storage: bounded, and the page works without it.

const KEY = "im2latex.history";
const MOST = 40;

let entries = load();

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return kept.filter(({ latex, answer }) => typeof latex === "string" && Array.isArray(answer.tokens)).slice(0, MOST);
  } catch {
    return []; // storage is forbidden, or holds what another program wrote
  }
}

// Newest first.
export const listEntries = () => entries;

// Adds an entry {id, ...}, or replaces the one with its id where it stands.
export function keepEntry(entry) {
  const place = entries.findIndex(({ id }) => id === entry.id);
  if (place >= 0) entries[place] = entry;
  else entries = [entry, ...entries].slice(0, MOST);
  store();
}

export function forgetEntry(id) {
  entries = entries.filter((entry) => entry.id !== id);
  store();
}

export function forgetAll() {
  entries = [];
  store();
}

// Drops the oldest until the rest fits; where nothing may be stored, the history lasts as long as the page.
function store() {
  for (let kept = entries; ; kept = kept.slice(0, Math.floor(kept.length / 2))) {
    try {
      if (kept.length) localStorage.setItem(KEY, JSON.stringify(kept));
      else localStorage.removeItem(KEY);
      return;
    } catch {
      if (!kept.length) return;
    }
  }
}
