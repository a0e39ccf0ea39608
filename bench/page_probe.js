// Counts what a page does, from its first moment on: when its composer can be used, its frames, its long tasks, how
// much it shifts, how long what its user does takes to be shown, and when something that is looked for is painted.
(() => {
  const probe = { usable_ms: null, frames: null, tasks: [], shift: 0, slowest_ms: 0 };
  window.probe = probe;
  const observe = (type, see, more = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type, buffered: true, ...more });
  observe("longtask", (entry) => probe.tasks.push([entry.startTime, entry.duration]));
  observe("layout-shift", (entry) => { if (!entry.hadRecentInput) probe.shift += entry.value; });
  observe("event", (entry) => {
    if (entry.interactionId) probe.slowest_ms = Math.max(probe.slowest_ms, entry.duration);
  }, { durationThreshold: 16 });
  let last = 0;
  const frame = (now) => {
    if (probe.usable_ms === null && document.querySelector("[data-composer]:not(:disabled)"))
      probe.usable_ms = performance.now();
    if (probe.frames && last) probe.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  // After the frame in which something was changed, its pixels are there.
  probe.painted = () =>
    new Promise((tell) => requestAnimationFrame(() => setTimeout(() => tell(performance.timeOrigin + performance.now()))));
  // Wall-clock time in ms at which a condition first held on the painted page.
  probe.seen = (holds) =>
    new Promise((tell) => {
      const look = () => { if (holds()) { watching.disconnect(); probe.painted().then(tell); } };
      const watching = new MutationObserver(look);
      const begin = () => {
        watching.observe(document.documentElement, { childList: true, subtree: true, characterData: true, attributes: true });
        look();
      };
      document.documentElement ? begin() : addEventListener("DOMContentLoaded", begin);
    });
  // Waits without the driver's own way, which evaluates texts: the page forbids that.
  probe.until = (holds) =>
    new Promise((tell) => {
      const look = () => { const told = holds(); told ? tell(told) : setTimeout(look, 20); };
      look();
    });
  probe.answer = () => [...document.querySelectorAll("[data-role=assistant]")].at(-1);
  probe.text = () => probe.answer()?.querySelector("[data-content]")?.textContent ?? "";
  // Of each key of a word: from its being pressed to its letter's being painted.
  probe.keys = [];
  addEventListener("keydown", (event) => {
    if (!event.target.matches?.("[data-composer]") || event.key.length > 1) return;
    const pressed = performance.timeOrigin + event.timeStamp;
    probe.painted().then((at) => probe.keys.push(at - pressed));
  }, true);
  addEventListener("keydown", (event) => {
    if (event.key === "Enter") probe.entered = performance.timeOrigin + event.timeStamp;
  }, true);
})();
