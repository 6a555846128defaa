// KaTeX: LaTeX onto the page, or as MathML; what it cannot parse is said in a sentence.

const OPTIONS = { displayMode: true, throwOnError: true, strict: "ignore", trust: false, maxSize: 50, maxExpand: 1000 };

// Draws LaTeX into an element; returns null, or, when it does not parse and the element is left as it was, a sentence.
export function drawFormula(element, latex) {
  const fresh = document.createElement("div");
  try {
    katex.render(latex, fresh, OPTIONS);
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return sentence(error);
  }
  element.replaceChildren(...fresh.childNodes);
  return null;
}

// Draws the visible part only, without the copy for screen readers: what an outline is taken from.
export function drawForOutline(element, latex) {
  katex.render(latex, element, { ...OPTIONS, output: "html" });
}

// What LaTeX looks like, spaces aside, as text to compare: two readings of one look are one to a person.
export function lookOf(latex) {
  try {
    return katex.renderToString(latex, { ...OPTIONS, output: "html" }).replace(/<span class="mspace[^>]*>[^<]*<\/span>/g, "");
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return latex.replace(/\s+/g, "");
  }
}

// LaTeX as a <math> element, in text; throws katex.ParseError.
export function toMathML(latex) {
  const wrapped = katex.renderToString(latex, { ...OPTIONS, output: "mathml" });
  return wrapped.slice(wrapped.indexOf("<math"), wrapped.lastIndexOf("</math>") + "</math>".length);
}

function sentence(error) {
  const reason = (error.rawMessage || error.message).replace(/^KaTeX parse error: /, "").replace(/[.\s]*$/, "");
  return `This does not parse: ${reason}.`;
}
