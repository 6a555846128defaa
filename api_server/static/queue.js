// Runs promised work in order, a few at a time.

export function makeQueue(atOnce) {
  const waiting = [];
  let running = 0;

  async function startNext() {
    if (running >= atOnce || !waiting.length) return;
    running++;
    try {
      await waiting.shift()();
    } finally {
      running--;
      startNext();
    }
  }

  return (work) => {
    waiting.push(work);
    startNext();
  };
}
