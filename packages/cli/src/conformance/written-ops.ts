import { domain as standard } from "./bench.js";

// Ops as a client writes them; a check that wants something wrong writes it out itself.

type Fields = { readonly [field: string]: unknown };

export const create = (key: string, set: Fields = {}, domain = standard): object => ({
  op: "create",
  domain,
  key,
  set,
});
export const put = (key: string, set: Fields): object => ({ op: "put", domain: standard, key, set });
export const update = (key: string, set: Fields, unset: readonly string[] = []): object => ({
  op: "update",
  domain: standard,
  key,
  set,
  ...(unset.length === 0 ? {} : { unset }),
});
export const increment = (key: string, by: Fields): object => ({
  op: "increment",
  domain: standard,
  key,
  by,
});
export const add = (key: string, values: Fields): object => ({ op: "add", domain: standard, key, values });
export const remove = (key: string, values: Fields): object => ({
  op: "remove",
  domain: standard,
  key,
  values,
});
export const drop = (key: string): object => ({ op: "delete", domain: standard, key });
export const restore = (key: string, set: Fields): object => ({ op: "restore", domain: standard, key, set });
