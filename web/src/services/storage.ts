/** Storage that never throws: a browser may forbid it, or have none left. */
export function readKept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Whether it was kept. */
export function keep(name: string, value: string): boolean {
  try {
    localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(name);
  } catch {
    // Nothing was kept, so there is nothing to forget.
  }
}

/** The same, as zustand's `persist` wants it. */
export const kept = {
  getItem: readKept,
  setItem: (name: string, value: string) => void keep(name, value),
  removeItem: forget,
};
