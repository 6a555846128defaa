// The web page: takes a picture by paste, drop or choice, sends it to this server, shows the LaTeX.
"use strict";

const byId = (id) => document.getElementById(id);
let newest = 0;

async function read(file) {
  const turn = ++newest; // an answer that comes after a newer picture is not shown
  URL.revokeObjectURL(byId("picture").src);
  byId("picture").src = URL.createObjectURL(file);
  byId("picture").hidden = false;
  byId("answer").hidden = true;
  byId("status").textContent = "Reading …";
  const form = new FormData();
  form.append("file", file);
  let message;
  try {
    const response = await fetch("/v1/predict", { method: "POST", body: form });
    const answer = await response.json();
    if (turn !== newest) return;
    if (response.ok) {
      byId("latex").value = answer.pred;
      byId("answer").hidden = false;
      message = `Confidence ${Math.round(100 * answer.confidence)} %, ${answer.seconds.toFixed(2)} s`;
    } else {
      message = `Not read: ${answer.detail}`;
    }
  } catch {
    message = "The server cannot be reached.";
  }
  if (turn === newest) byId("status").textContent = message;
}

function readFirst(files) {
  const picture = [...files].find((file) => file.type.startsWith("image/"));
  if (picture) read(picture);
  else if (files.length) byId("status").textContent = "That is not a picture.";
}

byId("file").addEventListener("change", (event) => readFirst(event.target.files));
document.addEventListener("paste", (event) => readFirst(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", () => document.body.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  readFirst(event.dataTransfer.files);
});
byId("copy").addEventListener("click", async () => {
  byId("latex").select();
  await navigator.clipboard.writeText(byId("latex").value);
  byId("status").textContent = "Copied.";
});
