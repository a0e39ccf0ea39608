const BROWSERS = [
  ["Edg/", "Edge"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
] as const;
const SYSTEMS = ["Android", "iPhone", "iPad", "Windows", "Mac OS X", "CrOS", "Linux"];

/** A browser by what it says of itself, in a few words; what is none as it is. */
export function programOf(agent: string): string {
  const browser = agent.startsWith("Mozilla/") && BROWSERS.find(([mark]) => agent.includes(mark));
  if (!browser) return agent;
  const system = SYSTEMS.find((name) => agent.includes(name));
  return system ? `${browser[1]}, ${system}` : browser[1];
}
