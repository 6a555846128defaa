// Every way a picture comes in: paste, drop, choice of files, address.

// Calls onFiles(files), onUrl(text) and onNothing(sentence).
export function takeIn({ onFiles, onUrl, onNothing }) {
  const form = document.getElementById("intake");
  const chooser = document.getElementById("file");
  const address = document.getElementById("url");

  const takeFiles = (files) => {
    const pictures = [...files].filter((file) => file.type.startsWith("image/") || /\.tiff?$/i.test(file.name));
    if (pictures.length) onFiles(pictures);
    const others = files.length - pictures.length;
    if (others) onNothing(others === 1 ? "One file is not a picture." : `${others} files are not pictures.`);
  };
  const takeText = (text) => {
    if (!isWebAddress(text)) return false;
    onUrl(text.trim());
    return true;
  };

  document.getElementById("choose").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    takeFiles(chooser.files);
    chooser.value = ""; // the same file may be chosen again
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (takeText(address.value)) address.value = "";
    else onNothing("Give the full address of a picture, beginning with http or https.");
  });
  document.addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    const isTyping = event.target.matches?.("input, textarea");
    if (isTyping && (!files.length || event.clipboardData.types.includes("text/plain"))) return;
    if (files.length) takeFiles(files);
    else if (!takeText(event.clipboardData.getData("text/plain"))) {
      onNothing("There is no picture in the clipboard.");
      return;
    }
    event.preventDefault();
  });
  takeDrops(form, takeFiles, takeText, onNothing);
}

function takeDrops(form, takeFiles, takeText, onNothing) {
  let depth = 0; // dragenter and dragleave come for every element passed
  const mark = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    form.classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", () => mark(1));
  document.addEventListener("dragleave", () => mark(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(0);
    const { files } = event.dataTransfer;
    if (files.length) takeFiles(files);
    else if (!takeText(event.dataTransfer.getData("text/uri-list"))) onNothing("What was dropped is not a picture.");
  });
}

function isWebAddress(text) {
  if (/\s/.test(text.trim()) || !URL.canParse(text.trim())) return false;
  return ["http:", "https:"].includes(new URL(text.trim()).protocol);
}
