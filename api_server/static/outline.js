// A formula as a free-standing SVG of outlines: no fonts and no HTML in it, so that every program draws it alike.
// KaTeX lays the formula out; each glyph is replaced by its outline, each rule by a rectangle.

import { drawForOutline } from "/static/formula.js";

const SVG = "http://www.w3.org/2000/svg";
const EM = 100; // pixels of an em while measuring, units of an em in the SVG
const POINTS = 12; // of an em in the SVG
const SIDES = ["x", "y", "width", "height"];
const MARGIN = 5; // units around the ink
const FACES = {
  KaTeX_AMS: ["Regular"], KaTeX_Caligraphic: ["Regular", "Bold"], KaTeX_Fraktur: ["Regular", "Bold"],
  KaTeX_Main: ["Regular", "Bold", "Italic", "BoldItalic"], KaTeX_Math: ["Italic", "BoldItalic"],
  KaTeX_SansSerif: ["Regular", "Bold", "Italic"], KaTeX_Script: ["Regular"], KaTeX_Typewriter: ["Regular"],
  KaTeX_Size1: ["Regular"], KaTeX_Size2: ["Regular"], KaTeX_Size3: ["Regular"], KaTeX_Size4: ["Regular"],
};
const fonts = new Map(); // name -> promise of {character: path}

// Returns the SVG as text; throws katex.ParseError.
export async function toSvg(latex) {
  const stage = document.createElement("div");
  stage.className = "stage";
  stage.style.fontSize = `${EM}px`;
  stage.setAttribute("aria-hidden", "true");
  document.body.append(stage);
  try {
    drawForOutline(stage, latex);
    stage.getBoundingClientRect(); // lays out, which makes the browser ask for the fonts
    await document.fonts.ready;
    const svg = element("svg", {});
    stage.append(svg);
    await copyInk(stage, svg);
    return finish(svg);
  } finally {
    stage.remove();
  }
}

async function copyInk(stage, svg) {
  const formula = stage.querySelector(".katex-html");
  const texts = textsOf(formula);
  const baselines = texts.map(addBaseline);
  const origin = stage.getBoundingClientRect();
  const boxes = [...formula.querySelectorAll("*")].flatMap((box) => rulesOf(box, origin));
  const drawings = [...formula.querySelectorAll("svg")].map((drawing) => copyDrawing(drawing, origin));
  const glyphs = texts.flatMap((text, index) => lettersOf(text, baselines[index], origin));
  svg.append(...boxes, ...drawings, ...(await Promise.all(glyphs.map(outlineOf))));
}

function finish(svg) {
  const inks = [...svg.children].map(inkOf);
  const left = Math.floor(Math.min(...inks.map(({ x }) => x)) - MARGIN);
  const top = Math.floor(Math.min(...inks.map(({ y }) => y)) - MARGIN);
  const wide = Math.ceil(Math.max(...inks.map(({ x, width }) => x + width)) + MARGIN) - left;
  const high = Math.ceil(Math.max(...inks.map(({ y, height }) => y + height)) + MARGIN) - top;
  svg.setAttribute("viewBox", `${left} ${top} ${wide} ${high}`);
  svg.setAttribute("width", `${round((wide * POINTS) / EM)}pt`);
  svg.setAttribute("height", `${round((high * POINTS) / EM)}pt`);
  return new XMLSerializer().serializeToString(svg);
}

// Where a part of the SVG has ink, in its units. What a frame cuts off does not count, though getBBox counts it.
function inkOf(part) {
  if (part.tagName === "svg") return Object.fromEntries(SIDES.map((side) => [side, Number(part.getAttribute(side))]));
  if (part.tagName !== "path") return part.getBBox();
  const { a: scale, e, f } = part.transform.baseVal.consolidate().matrix;
  const { x, y, width, height } = part.getBBox(); // in the glyph's own units, y upward
  return { x: e + scale * x, y: f - scale * (y + height), width: scale * width, height: scale * height };
}

// ---- glyphs

function textsOf(formula) {
  const walker = document.createTreeWalker(formula, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.push(walker.currentNode);
  return texts;
}

// An empty inline block stands on the baseline: the only exact way to learn where it is.
function addBaseline(text) {
  const probe = document.createElement("span");
  probe.className = "baseline";
  text.before(probe);
  return probe;
}

function lettersOf(text, probe, origin) {
  const style = getComputedStyle(text.parentElement);
  if (style.visibility === "hidden" || isClear(style.color)) return [];
  const look = { font: fontOf(style), size: Number.parseFloat(style.fontSize), color: style.color };
  const y = probe.getBoundingClientRect().bottom - origin.top;
  const range = document.createRange();
  let end = 0;
  return [...text.data].flatMap((letter) => {
    range.setStart(text, end);
    range.setEnd(text, (end += letter.length));
    const x = range.getBoundingClientRect().left - origin.left;
    return /[\s\u200b]/.test(letter) ? [] : [{ ...look, letter, x, y }];
  });
}

function fontOf(style) {
  const family = style.fontFamily.split(",")[0].replaceAll('"', "");
  const face = (Number(style.fontWeight) >= 600 ? "Bold" : "") + (style.fontStyle === "normal" ? "" : "Italic");
  const faces = FACES[family];
  if (!faces) return null;
  return `${family}-${faces.includes(face) ? face : (faces.find((known) => face && known.includes(face)) ?? faces[0])}`;
}

async function outlineOf({ font, size, color, letter, x, y }) {
  const path = font && (await loadFont(font))[letter];
  if (path === undefined || path === null) return foreignLetter(size, color, letter, x, y);
  const scale = round(size / 1000, 5);
  const transform = `matrix(${scale} 0 0 ${-scale} ${round(x)} ${round(y)})`;
  return element("path", { d: path, transform, ...fill(color) });
}

// A letter of another script, for which KaTeX has no glyph: the only text in the SVG.
function foreignLetter(size, color, letter, x, y) {
  const start = { x: round(x), y: round(y) };
  const text = element("text", { ...start, "font-size": size, "font-family": "serif", ...fill(color) });
  text.textContent = letter;
  return text;
}

function loadFont(name) {
  if (!fonts.has(name)) {
    const outlines = fetch(`/static/katex/outlines/${name}.json`).then((response) => response.json());
    outlines.catch(() => fonts.delete(name)); // the next try asks again
    fonts.set(name, outlines);
  }
  return fonts.get(name);
}

// ---- rules and drawings

// Fraction lines, table lines and frames are borders, coloured boxes are backgrounds.
function rulesOf(box, origin) {
  const style = getComputedStyle(box);
  const { left, top, right, bottom, width, height } = box.getBoundingClientRect();
  const thick = (side) => (style[`border${side}Style`] === "none" ? 0 : Number.parseFloat(style[`border${side}Width`]));
  const paint = (x, y, wide, high, color) => {
    if (!wide || !high || isClear(color)) return [];
    return [element("rect", {
      x: round(x - origin.left), y: round(y - origin.top), width: round(wide), height: round(high), ...fill(color) })];
  };
  if (box.namespaceURI === SVG || style.visibility === "hidden") return [];
  return [
    ...paint(left, top, width, height, style.backgroundColor),
    ...paint(left, top, width, thick("Top"), style.borderTopColor),
    ...paint(left, bottom - thick("Bottom"), width, thick("Bottom"), style.borderBottomColor),
    ...paint(left, top, thick("Left"), height, style.borderLeftColor),
    ...paint(right - thick("Right"), top, thick("Right"), height, style.borderRightColor),
  ];
}

// Roots, braces and arrows are drawings of KaTeX's own, often cut off by the box around them.
function copyDrawing(drawing, origin) {
  const style = getComputedStyle(drawing);
  const inner = drawing.getBoundingClientRect();
  const outer = (cuttingBox(drawing) ?? drawing).getBoundingClientRect();
  const copy = drawing.cloneNode(true);
  for (const [name, value] of Object.entries(place(inner, outer))) copy.setAttribute(name, value);
  const color = isClear(style.color) ? "none" : style.color;
  copy.removeAttribute("style");
  copy.setAttribute("fill", color);
  copy.setAttribute("font-size", style.fontSize); // thickness of strokes is in em
  for (const line of copy.querySelectorAll("line")) line.setAttribute("stroke", color);
  const frame = element("svg", place(outer, origin));
  frame.append(copy);
  return frame;
}

function cuttingBox(drawing) {
  for (let box = drawing.parentElement; !box.matches(".katex-html"); box = box.parentElement) {
    if (getComputedStyle(box).overflowX === "hidden") return box;
  }
  return null;
}

const place = (box, origin) => ({
  x: round(box.left - origin.left),
  y: round(box.top - origin.top),
  width: round(box.width),
  height: round(box.height),
});

// ---- small things

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const round = (value, digits = 2) => Number(value.toFixed(digits));
const isClear = (color) => /^rgba\(.*, 0\)$/.test(color);
const fill = (color) => (color === "rgb(0, 0, 0)" ? {} : { fill: color });
