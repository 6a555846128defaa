// The list of formulas read before.

import { drawFormula } from "/static/formula.js";
import { forgetAll, forgetEntry, listEntries } from "/static/history.js";

const WHEN = { dateStyle: "medium", timeStyle: "short" };

// Draws the list; onOpen(entry) is called for the one that is chosen.
export function showEarlier(onOpen, say) {
  const refresh = () => showEarlier(onOpen, say);
  const list = document.getElementById("earlier-list");
  list.replaceChildren(...listEntries().map((entry) => makeItem(entry, onOpen, refresh)));
  document.getElementById("earlier").hidden = !listEntries().length;
  document.getElementById("clear").onclick = () => {
    forgetAll();
    refresh();
    say("The history is empty.");
    document.getElementById("choose").focus();
  };
}

function makeItem(entry, onOpen, refresh) {
  const item = document.getElementById("earlier-template").content.cloneNode(true).firstElementChild;
  const formula = item.querySelector(".formula");
  const image = item.querySelector("img");
  const again = item.querySelector(".again");
  if (drawFormula(formula, entry.latex)) formula.textContent = entry.latex;
  formula.setAttribute("aria-hidden", "true");
  if (entry.thumb) image.src = entry.thumb;
  else image.remove();
  item.querySelector(".when").textContent = new Date(entry.when).toLocaleString([], WHEN);
  again.setAttribute("aria-label", `Open ${entry.name} again`);
  again.addEventListener("click", () => onOpen(entry));
  const forget = item.querySelector(".forget");
  forget.setAttribute("aria-label", `Forget ${entry.name}`);
  forget.addEventListener("click", () => {
    forgetEntry(entry.id);
    refresh();
    (document.querySelector("#earlier-list .forget") ?? document.getElementById("choose")).focus();
  });
  return item;
}
