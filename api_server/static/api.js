// Asks the server to read a picture; whatever goes wrong becomes a Refusal with a sentence for a person.

const TRIES = 4;
const LONGEST_WAIT = 30; // seconds
const OPTIONS = { beam: "4", alternatives: "3", attention: "true" }; // the last is dropped where the model cannot tell it

let key = ""; // as long as the page: a secret is not left in a browser that others use

export const useKey = (text) => (key = text);

export class Refusal extends Error {
  constructor(sentence, canRetry, wantsKey = false) {
    super(sentence);
    Object.assign(this, { canRetry, wantsKey });
  }
}

// source: {file} or {url}. onWait(seconds) is told when the server asks for patience. Returns the server's answer.
export async function readPicture(source, signal, onWait) {
  for (let attempt = 1; ; attempt++) {
    const response = await send(source, signal);
    const body = await response.json().catch(() => ({}));
    if (response.ok && typeof body.pred === "string") return body;
    if (body.code === "no_attention") {
      delete OPTIONS.attention;
      continue;
    }
    const isBusy = response.status === 503 || response.status === 429;
    if (!isBusy || attempt === TRIES) throw refusal(response.status, body);
    const seconds = secondsToWait(response.headers.get("Retry-After"));
    onWait(seconds);
    await pause(seconds, signal);
  }
}

async function send(source, signal) {
  const headers = key ? { "X-API-Key": key } : {};
  try {
    if (source.url) {
      const query = new URLSearchParams({ image_url: source.url, ...OPTIONS });
      return await fetch(`/v1/predict?${query}`, { headers, signal });
    }
    const form = new FormData();
    for (const [name, value] of Object.entries(OPTIONS)) form.append(name, value);
    form.append("file", source.file);
    return await fetch("/v1/predict", { method: "POST", body: form, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(unreachable(source), true);
  }
}

// A server that refuses a body before it has come closes the connection, and the browser tells no more than that.
function unreachable(source) {
  const megabytes = source.file ? source.file.size / 1e6 : 0;
  const guess = megabytes > 10 ? ` Or it hung up because the picture is large (${Math.round(megabytes)} MB).` : "";
  return `The server cannot be reached. Is it running, and are you connected?${guess}`;
}

function refusal(status, body) {
  const detail = asSentence(typeof body.detail === "string" ? body.detail : "");
  if (status === 401) return new Refusal(`This server asks for ${key ? "another key" : "a key"}.`, true, true);
  if (status === 413) return new Refusal(detail || "The picture is too large for this server.", false);
  if (status === 415) return new Refusal("The server takes no files of this kind. PNG or JPEG always works.", false);
  if (status === 429) return new Refusal("Too many pictures in too short a time. Try again in a minute.", true);
  if (status === 503) return new Refusal("The server is busy, even after several tries. Try again in a moment.", true);
  if (status === 504) return new Refusal("The server could not read it in time. Try again in a moment.", true);
  if (status >= 500) return new Refusal(`The server failed (${status}). Its log says why.`, true);
  if (status >= 400) return new Refusal(`Not read. ${detail || `The server refused it (${status}).`}`, true);
  return new Refusal("What answered is not an im2latex server.", true);
}

function asSentence(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  const upper = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

// Retry-After may be absent, in seconds, or a date; a date is rare enough to be taken as 2 seconds.
function secondsToWait(header) {
  const seconds = Number.parseInt(header ?? "2", 10);
  return Number.isNaN(seconds) ? 2 : Math.min(Math.max(seconds, 1), LONGEST_WAIT);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
