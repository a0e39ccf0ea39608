/** A translation of one area of the page: every key of the English one, and no other. */
export type Area<T extends Record<string, string>> = { [K in keyof T]: string };
