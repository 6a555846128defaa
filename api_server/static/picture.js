// A small copy of a picture, for the history.

const SIDES = [480, 160]; // at most as wide and as high, in pixels

// Returns a data URL, or "" where the browser cannot show the picture.
export async function makeThumbnail(image) {
  try {
    await image.decode();
  } catch {
    return ""; // a TIFF in most browsers
  }
  const scale = Math.min(1, SIDES[0] / image.naturalWidth, SIDES[1] / image.naturalHeight);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/webp", 0.8);
}
