// The tokens of a reading, marked by the model's confidence, and where each stands in the LaTeX.

const LEVELS = [0.5, 0.8, 0.95]; // level 0 below the first, level 3 from the last on
const UNSURE = 0.8; // below it a token counts as doubtful

// As the server splits LaTeX
const PIECES = /\\(?:begin|end)\{[^}]*\}|\\(?:left|right)(?:\\[a-zA-Z]+|\\.|\S)|\\[a-zA-Z]+|\\.|---?|\S/g;

const level = (confidence) => LEVELS.filter((least) => confidence >= least).length;
const percent = (confidence) => `${Math.floor(100 * confidence)} %`;

// Fills the toolbar; onPick(index) is called for a marked token that is chosen. Where it is known what the model looked
// at, all tokens are marked, and onLook(index) is called for the one pointed at, onLook(-1) after. Returns how many
// are doubtful.
export function showTokens(toolbar, tokens, onPick, onLook) {
  const pieces = tokens.map((token, index) => {
    const look = onLook && ((isLooking) => onLook(isLooking ? index : -1));
    return makePiece(token, () => onPick(index), look);
  });
  if (onLook) toolbar.setAttribute("aria-label", "Tokens; each is a button");
  toolbar.replaceChildren(...pieces.flatMap((piece) => [piece, " "]));
  const marked = pieces.filter((piece) => piece.tagName === "BUTTON");
  walkByArrows(toolbar, marked);
  return tokens.filter(({ confidence }) => confidence < UNSURE).length;
}

function makePiece({ token, confidence }, pick, look) {
  const isMarked = look || level(confidence) < LEVELS.length;
  const piece = document.createElement(isMarked ? "button" : "span");
  piece.className = `token level-${level(confidence)}`;
  piece.textContent = token;
  piece.title = percent(confidence);
  if (isMarked) {
    piece.type = "button";
    piece.setAttribute("aria-label", `${token}, ${percent(confidence)}`);
    piece.addEventListener("click", pick);
  }
  if (look) {
    for (const kind of ["mouseenter", "focus", "click"]) piece.addEventListener(kind, () => look(true));
    for (const kind of ["mouseleave", "blur"]) piece.addEventListener(kind, () => look(false));
  }
  return piece;
}

// One stop for the Tab key, the arrow keys inside, as toolbars have it.
function walkByArrows(toolbar, marked) {
  const stop = (chosen) => marked.forEach((piece) => (piece.tabIndex = piece === chosen ? 0 : -1));
  stop(marked[0]);
  toolbar.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const here = marked.indexOf(document.activeElement);
    if (!step || here < 0) return;
    event.preventDefault();
    const next = marked[(here + step + marked.length) % marked.length];
    stop(next);
    next.focus();
  };
}

// For every token [start, end] in the LaTeX, or null where it is not written (braces that a person leaves out):
// the longest common subsequence of the tokens and the pieces of the text.
export function locateTokens(tokens, latex) {
  const pieces = [...latex.matchAll(PIECES)];
  const [rows, columns] = [tokens.length, pieces.length];
  const isSame = (row, column) => tokens[row].token === pieces[column][0];
  const common = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      common[row][column] = isSame(row, column)
        ? common[row + 1][column + 1] + 1
        : Math.max(common[row + 1][column], common[row][column + 1]);
    }
  }
  const places = Array(rows).fill(null);
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (isSame(row, column)) {
      const start = pieces[column].index;
      places[row++] = [start, start + pieces[column++][0].length];
    } else if (common[row + 1][column] >= common[row][column + 1]) row++;
    else column++;
  }
  return places;
}
