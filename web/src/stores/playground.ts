import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import { DIALECTS, type DialectName } from "@/services/dialects";
import { type Arrived, type Exchange, exchange } from "@/services/exchange";
import { joinedPieces, type Piece, saidBy } from "@/services/said";
import { kept } from "@/services/storage";

export interface Answer {
  head: Exchange | null;
  arrived: Arrived[];
  /** What it says, as far as it is understood. */
  said: Piece[];
  /** Why it broke off; null where it did not. */
  failure: unknown;
  state: "open" | "ended" | "stopped" | "failed";
}

interface Playground {
  dialect: DialectName;
  /** The body of each dialect, as it is typed; null before its first. */
  bodies: Record<DialectName, string | null>;
  isRecorded: boolean;
  answer: Answer | null;
  choose: (dialect: DialectName) => void;
  write: (body: string) => void;
  record: (isRecorded: boolean) => void;
  send: () => Promise<void>;
  stop: () => void;
}

const EMPTY: Answer = { head: null, arrived: [], said: [], failure: null, state: "open" };
let running: AbortController | null = null;

/** The headers that the request of a dialect is sent with. */
export function headersOf(dialect: DialectName, isRecorded: boolean): Record<string, string> {
  return { ...DIALECTS[dialect].headers, ...(isRecorded ? { "x-paddock-record": "1" } : {}) };
}

function understood(arrived: Arrived[]): Piece[] {
  return arrived.flatMap(({ data }) => {
    try {
      return saidBy(JSON.parse(data));
    } catch {
      return [];
    }
  });
}

/** A request by hand, and its answer. What is typed is kept in this browser. */
export const usePlayground = create<Playground>()(
  persist(
    (set, get) => ({
      dialect: "chat",
      bodies: { chat: null, messages: null, responses: null },
      isRecorded: false,
      answer: null,
      choose: (dialect) => set({ dialect }),
      write: (body) => set(({ bodies, dialect }) => ({ bodies: { ...bodies, [dialect]: body } })),
      record: (isRecorded) => set({ isRecorded }),
      stop: () => running?.abort(),
      send: async () => {
        running?.abort();
        const own = new AbortController();
        running = own;
        const { dialect, bodies, isRecorded } = get();
        set({ answer: EMPTY });
        const change = (values: Partial<Answer>) => {
          // A later request has the answer's place.
          if (running === own) set(({ answer }) => ({ answer: { ...(answer ?? EMPTY), ...values } }));
        };
        let waiting: Arrived[] = [];
        const flush = () => {
          const fresh = waiting;
          const { answer } = get();
          if (fresh.length === 0 || !answer) return;
          waiting = [];
          change({
            arrived: [...answer.arrived, ...fresh],
            said: joinedPieces([...answer.said, ...understood(fresh)]),
          });
        };
        let timer = 0;
        const onEvents = (arrived: Arrived[]) => {
          waiting.push(...arrived);
          if (timer) return;
          timer = window.setTimeout(
            () => {
              timer = 0;
              flush();
            },
            document.hidden ? 250 : 16,
          );
        };
        const headers = headersOf(dialect, isRecorded);
        let end: Partial<Answer> = { state: "ended" };
        try {
          const onHead = (head: Exchange) => change({ head });
          await exchange(DIALECTS[dialect].path, bodies[dialect] ?? "{}", headers, own.signal, {
            onHead,
            onEvents,
          });
        } catch (failure) {
          end = own.signal.aborted ? { state: "stopped" } : { state: "failed", failure };
        }
        window.clearTimeout(timer);
        flush();
        change(end);
      },
    }),
    {
      name: "paddock.playground",
      storage: createJSONStorage(() => kept),
      partialize: ({ dialect, bodies, isRecorded }) => ({ dialect, bodies, isRecorded }),
    },
  ),
);
