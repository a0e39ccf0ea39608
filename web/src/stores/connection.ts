import { create } from "zustand";
import { onAnswer } from "@/services/api";

interface Connection {
  /** Whether the server answered the last request. */
  isReached: boolean;
  /** Whether it asks for a key that this tab does not have. */
  isKeyAsked: boolean;
  /** Whether it was ended from this tab. */
  isEnded: boolean;
  askKey: (isAsked: boolean) => void;
}

/** Whether the server is there, and lets this tab in. */
export const useConnection = create<Connection>()((set) => ({
  isReached: true,
  isKeyAsked: false,
  isEnded: false,
  askKey: (isKeyAsked) => set({ isKeyAsked }),
}));

onAnswer((isReached, status) => {
  const { isReached: was, isKeyAsked } = useConnection.getState();
  if (was !== isReached) useConnection.setState({ isReached });
  if (status === 401 && !isKeyAsked) useConnection.setState({ isKeyAsked: true });
});
