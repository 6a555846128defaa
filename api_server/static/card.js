// One formula: its picture, the LaTeX drawn and written, what else it may be, and ways to take it along.

import { copyAs, saveAs } from "/static/export.js";
import { drawFormula, lookOf } from "/static/formula.js";
import { markPlace } from "/static/look.js";
import { locateTokens, showTokens } from "/static/tokens.js";

const NEED_DRAWING = '[data-copy="mathml"], [data-copy="png"], [data-copy="svg"], [data-save]';
const percent = (confidence) => `${Math.floor(100 * confidence)} %`;

export class Card {
  // on: {change(latex), remove(), retry(), say(sentence)}
  constructor(name, on) {
    this.on = on;
    this.root = document.getElementById("card-template").content.cloneNode(true).firstElementChild;
    this.name = name;
    this.editor = this.find("textarea");
    this.tokens = [];
    this.find(".name").textContent = name;
    this.root.setAttribute("aria-label", name);
    this.find(".remove").setAttribute("aria-label", `Remove ${name}`);
    this.find(".remove").addEventListener("click", () => on.remove());
    this.find(".retry").addEventListener("click", () => on.retry());
    this.editor.addEventListener("input", () => this.redraw(true));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    for (const button of this.root.querySelectorAll("[data-copy], [data-save]")) {
      button.addEventListener("click", () => this.take(button.dataset.copy, button.dataset.save));
    }
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  // source: a blob or data URL, or "" where there is nothing to show but a sentence.
  showPicture(source, sentence) {
    const image = this.find("img");
    const instead = this.find(".no-picture");
    const say = (text) => {
      image.hidden = true;
      instead.hidden = false;
      instead.textContent = text;
    };
    if (!source) return say(sentence);
    image.addEventListener("error", () => say("This browser cannot show this kind of picture."), { once: true });
    image.alt = `Picture of ${this.name}`;
    image.src = source;
    image.hidden = false;
    return undefined;
  }

  showState(sentence, isBusy) {
    this.find(".state").textContent = sentence;
    this.root.setAttribute("aria-busy", String(isBusy));
    if (isBusy) this.find(".trouble").hidden = true;
  }

  showTrouble(sentence, canRetry) {
    this.showState("Not read", false);
    this.find(".trouble p").textContent = sentence;
    this.find(".trouble").hidden = false;
    this.find(".retry").hidden = !canRetry;
  }

  // answer: the server's {pred, confidence, tokens, likeness?, alternatives?, attention?}; latex: the text as edited, if it was.
  showAnswer(answer, latex) {
    const likeness = answer.likeness == null ? "" : `, looks ${percent(answer.likeness)} like the picture`;
    this.showState(`Confidence ${percent(answer.confidence)}${likeness}`, false);
    this.find(".answer").hidden = false;
    this.tokens = answer.tokens ?? [];
    this.attention = answer.attention ?? null;
    this.showReadings([answer, ...(answer.alternatives ?? [])]);
    this.showDoubts();
    this.write(latex ?? answer.pred, false);
  }

  showReadings(readings) {
    const looks = readings.map(({ pred }) => lookOf(pred));
    const different = readings.filter((_, place) => looks.indexOf(looks[place]) === place);
    const group = this.find(".others");
    group.hidden = different.length < 2;
    group.replaceChildren(...different.map((reading, place) => this.makeReading(reading, place)));
  }

  makeReading({ pred, confidence }, place) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "reading";
    button.dataset.latex = pred;
    button.setAttribute("aria-label", `Reading ${place + 1}, confidence ${percent(confidence)}: ${pred}`);
    const drawn = document.createElement("span");
    drawn.setAttribute("aria-hidden", "true");
    if (drawFormula(drawn, pred)) drawn.textContent = pred;
    const share = document.createElement("small");
    share.textContent = percent(confidence);
    button.append(drawn, share);
    button.addEventListener("click", () => this.write(pred, true));
    return button;
  }

  showDoubts() {
    const look = (index) => markPlace(this.find("img"), this.find(".mark"), this.attention, index);
    look(-1);
    const select = (index) => this.select(index);
    const count = showTokens(this.find(".tokens"), this.tokens, select, this.attention && look);
    const amount = { 0: "no doubtful token", 1: "1 doubtful token" }[count] ?? `${count} doubtful tokens`;
    this.find(".doubts summary").textContent = `Token by token: ${amount}`;
    this.find(".doubts").open = count > 0;
    this.find(".doubts").hidden = !this.tokens.length;
  }

  // Selects in the editor what the token stands for, as far as it is still written there.
  select(index) {
    const place = locateTokens(this.tokens, this.editor.value)[index];
    if (!place) return this.on.say("This token is not written in the LaTeX as it is now.");
    this.editor.focus();
    return this.editor.setSelectionRange(...place);
  }

  write(latex, isChange) {
    this.editor.value = latex;
    this.redraw(isChange);
  }

  redraw(isChange) {
    const latex = this.editor.value;
    const problem = drawFormula(this.find(".drawn .formula"), latex);
    this.root.classList.toggle("broken", problem !== null);
    this.find(".parse").hidden = problem === null;
    this.find(".parse").textContent = problem ?? "";
    this.editor.setAttribute("aria-invalid", String(problem !== null));
    for (const button of this.root.querySelectorAll(NEED_DRAWING)) button.disabled = problem !== null;
    for (const button of this.root.querySelectorAll(".reading")) {
      button.setAttribute("aria-pressed", String(button.dataset.latex === latex));
    }
    this.fit();
    if (isChange) this.on.change(latex);
  }

  // Gives the editor the lines it needs, and a wide formula a smaller size before it must be scrolled.
  fit() {
    this.editor.style.height = "auto";
    this.editor.style.height = `${this.editor.scrollHeight + 2}px`;
    const formula = this.find(".drawn .formula");
    formula.style.fontSize = "";
    const fits = formula.clientWidth / formula.scrollWidth;
    if (fits < 1) formula.style.fontSize = `${Math.max(0.6, fits * 0.98)}em`;
    const isCut = formula.scrollWidth > formula.clientWidth;
    formula.tabIndex = isCut ? 0 : -1; // what scrolls must be reached by the keyboard
  }

  onKey(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.take("bare");
  }

  async take(copy, save) {
    try {
      this.on.say(await (copy ? copyAs(copy, this.editor.value) : saveAs(save, this.editor.value)));
    } catch (error) {
      if (error.name === "NotAllowedError") this.on.say("The browser does not allow this page to copy.");
      else if (error instanceof TypeError) this.on.say("The server, which holds the fonts, cannot be reached.");
      else throw error;
    }
  }
}
