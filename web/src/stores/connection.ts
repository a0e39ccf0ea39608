import { create } from "zustand";
import { entered, onAnswer } from "@/services/api";

interface Connection {
  /** Whether the server answered the last request. */
  isReached: boolean;
  /** Whether it asks for a key that this tab does not have. */
  isKeyAsked: boolean;
  /** Whether it was ended from this tab. */
  isEnded: boolean;
  askKey: (isAsked: boolean) => void;
  /** Somebody came in. */
  enter: () => void;
}

/** Whether the server is there, and lets this tab in. */
export const useConnection = create<Connection>()((set) => ({
  isReached: true,
  isKeyAsked: false,
  isEnded: false,
  askKey: (isKeyAsked) => set({ isKeyAsked }),
  enter: () => {
    entered();
    set({ isKeyAsked: false });
  },
}));

onAnswer((isReached, status) => {
  const { isReached: was, isKeyAsked } = useConnection.getState();
  if (was !== isReached) useConnection.setState({ isReached });
  if (status === 401 && !isKeyAsked) useConnection.setState({ isKeyAsked: true });
});
