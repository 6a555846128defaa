// The web page: pictures come in, each gets a card, the server reads two at a time, what was read is remembered.

import { Refusal, readPicture, useKey } from "/static/api.js";
import { Card } from "/static/card.js";
import { showEarlier } from "/static/earlier.js";
import { keepEntry } from "/static/history.js";
import { takeIn } from "/static/intake.js";
import { makeThumbnail } from "/static/picture.js";
import { makeQueue } from "/static/queue.js";

const cards = document.getElementById("cards");
const status = document.getElementById("status");
const enqueue = makeQueue(2);
let count = 0;
let fading;

function say(sentence) {
  status.textContent = sentence;
  clearTimeout(fading);
  fading = setTimeout(() => (status.textContent = ""), 6000);
}

// For those who hear the page: what the others see in the card.
const tell = (sentence) => (document.getElementById("news").textContent = sentence);

// Makes a card above another, or as the last; with its place in the history, and what both do together.
function openCard(name, next, entry) {
  const state = { entry };
  const abort = new AbortController();
  const card = new Card(name, {
    say,
    change: (latex) => remember(state, { latex }),
    retry: () => state.retry(),
    remove: () => {
      abort.abort();
      const neighbour = card.root.nextElementSibling ?? card.root.previousElementSibling;
      card.root.remove();
      if (card.blob) URL.revokeObjectURL(card.blob);
      (neighbour ?? document.getElementById("choose")).focus();
    },
  });
  cards.insertBefore(card.root, next);
  return { card, state, signal: abort.signal };
}

function remember(state, change) {
  state.entry = { ...state.entry, ...change };
  keepEntry(state.entry);
  refreshEarlier();
}

function readSource(name, source, next, showPicture) {
  const { card, state, signal } = openCard(name, next);
  showPicture(card);
  const read = async () => {
    if (signal.aborted) return;
    card.showState("Reading …", true);
    try {
      const wait = (seconds) => card.showState(`The server is busy; next try in ${seconds} s`, true);
      const answer = await readPicture(source, signal, wait);
      if (signal.aborted) return;
      card.showAnswer(answer);
      tell(`${name} is read, confidence ${Math.floor(100 * answer.confidence)} %.`);
      const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
      remember(state, { id, when: Date.now(), name, thumb: "", latex: answer.pred, answer: slim(answer) });
      remember(state, { thumb: await makeThumbnail(card.find("img")) }); // the LaTeX may be edited meanwhile
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      card.showTrouble(error.message, error.canRetry);
      if (error.wantsKey) document.getElementById("key-form").hidden = false;
    }
  };
  state.retry = () => {
    card.showState("Waiting …", true);
    enqueue(read);
  };
  state.retry();
}

// What of an answer is worth remembering.
const slim = ({ pred, confidence, tokens = [], likeness = null, alternatives = [], attention = null }) =>
  ({ pred, confidence, tokens, likeness, alternatives, attention });

function readFiles(files) {
  const next = cards.firstElementChild; // the newest are above, and among themselves in their order
  for (const file of files) {
    const isNamed = file.name && !/^image\.\w+$/.test(file.name); // pasted pictures are all called image.png
    readSource(isNamed ? file.name : `Picture ${++count}`, { file }, next, (card) => {
      card.blob = URL.createObjectURL(file);
      card.showPicture(card.blob);
    });
  }
}

function readUrl(url) {
  const { host, pathname } = new URL(url);
  const name = pathname.split("/").pop() || host;
  const sentence = `From ${host}. The server fetches the picture; this page asks nobody else, and so cannot show it.`;
  readSource(name, { url }, cards.firstElementChild, (card) => card.showPicture("", sentence));
}

function reopen(entry) {
  const { card } = openCard(entry.name, cards.firstElementChild, entry);
  card.showPicture(entry.thumb, "This picture was not kept.");
  card.showAnswer(entry.answer, entry.latex);
  card.root.focus();
  card.root.scrollIntoView({ block: "nearest" });
}

function takeKey(event) {
  event.preventDefault();
  useKey(document.getElementById("key").value);
  event.target.hidden = true;
  for (const button of document.querySelectorAll(".trouble:not([hidden]) .retry:not([hidden])")) button.click();
}

const refreshEarlier = () => showEarlier(reopen, say);

document.getElementById("key-form").addEventListener("submit", takeKey);
takeIn({ onFiles: readFiles, onUrl: readUrl, onNothing: say });
refreshEarlier();
