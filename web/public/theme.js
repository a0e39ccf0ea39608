// Runs before the first paint, so that no page flashes in the other theme. A file of its own, as the CSP forbids inline.
(() => {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem("paddock.preferences") || "{}").state || {};
  } catch {
    // A page without storage follows the system.
  }
  const isDark =
    kept.theme === "dark" || (kept.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", isDark);
  document.documentElement.lang = kept.language || (navigator.language || "en").slice(0, 2);
})();
