// What a formula can be copied and saved as.

import { toMathML } from "/static/formula.js";
import { toSvg } from "/static/outline.js";

const PIXELS_PER_POINT = 6; // of a PNG: 72 pixels an em
const WRAPPED = {
  bare: (latex) => latex,
  dollars: (latex) => `$${latex}$`,
  brackets: (latex) => `\\[\n${latex}\n\\]`,
  equation: (latex) => `\\begin{equation}\n${latex}\n\\end{equation}`,
  mathml: toMathML,
};
const NAMES = {
  bare: "LaTeX", dollars: "LaTeX in $…$", brackets: "LaTeX in \\[…\\]", equation: "equation", mathml: "MathML",
  png: "PNG", svg: "SVG",
};

// Puts the formula into the clipboard; returns the sentence that says so.
export async function copyAs(kind, latex) {
  if (kind === "png") return copyPng(latex);
  await copyText(kind === "svg" ? await toSvg(latex) : WRAPPED[kind](latex));
  return `Copied as ${NAMES[kind]}.`;
}

async function copyPng(latex) {
  if (!window.isSecureContext || !window.ClipboardItem) {
    await saveAs("png", latex);
    return "This browser copies pictures over https or from localhost only; the PNG was saved instead.";
  }
  // The promise is handed over unresolved: some browsers forget the click while it is awaited.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": toPng(latex) })]);
  return "Copied as PNG.";
}

async function copyText(text) {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "stage";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy"); // the only way on a page served by plain http
  area.remove();
  focused?.focus();
  if (!isCopied) throw new DOMException("copying is forbidden", "NotAllowedError");
}

// Hands the formula to the browser as a download; returns the sentence that says so.
export async function saveAs(kind, latex) {
  const blob = kind === "png" ? await toPng(latex) : new Blob([await toSvg(latex)], { type: "image/svg+xml" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `formula.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return `Saved as formula.${kind}.`;
}

async function toPng(latex) {
  const svg = await toSvg(latex);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const [width, height] = ["width", "height"].map((side) => pointsOf(svg, side) * PIXELS_PER_POINT);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.ceil(width), Math.ceil(height)];
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // black ink on a transparent picture is lost on dark paper
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const pointsOf = (svg, side) => Number.parseFloat(svg.match(new RegExp(`^<svg[^>]* ${side}="([0-9.]+)pt"`))[1]);
