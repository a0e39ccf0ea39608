/** Most come for the chat: it is on its way before the rest of what this file is loaded with has run. */
export const chatting = () => import("./routes/chat");

if (location.pathname === "/" || location.pathname.startsWith("/chat/"))
  void chatting().catch(() => undefined);
