// Marks on the picture where the model looked for a token.

// attention: the server's {width, height, boxes} or nothing; index: of the token, or -1 for no mark.
export function markPlace(image, mark, attention, index) {
  const box = attention?.boxes[index];
  mark.hidden = !box || image.hidden || !image.naturalWidth;
  if (mark.hidden) return;
  const [left, top, width, height] = shownArea(image);
  const [across, down] = [width / attention.width, height / attention.height];
  const [x, y, right, bottom] = box;
  mark.style.left = `${left + x * across}px`;
  mark.style.top = `${top + y * down}px`;
  mark.style.width = `${(right - x) * across}px`;
  mark.style.height = `${(bottom - y) * down}px`;
}

// Left, top, width and height of the picture inside its element, as `object-fit: scale-down` lays it.
function shownArea(image) {
  const style = getComputedStyle(image);
  const pad = (side) => parseFloat(style[`padding${side}`]);
  const width = image.clientWidth - pad("Left") - pad("Right");
  const height = image.clientHeight - pad("Top") - pad("Bottom");
  const scale = Math.min(1, width / image.naturalWidth, height / image.naturalHeight);
  const shown = [image.naturalWidth * scale, image.naturalHeight * scale];
  return [
    image.offsetLeft + image.clientLeft + pad("Left") + (width - shown[0]) / 2,
    image.offsetTop + image.clientTop + pad("Top") + (height - shown[1]) / 2,
    ...shown,
  ];
}
