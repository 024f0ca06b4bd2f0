import type { SqliteStorage } from "../storage/sqlite.js";

/** The same object, whose methods answer later: as a storage on another machine would. */
function slowly<T extends object>(target: T): T {
  return new Proxy(target, {
    get(object, name) {
      const member = Reflect.get(object, name) as unknown;
      if (typeof member !== "function" || name === "publish")
        return typeof member === "function" ? member.bind(object) : member;
      return async (...parameters: unknown[]) => {
        await Promise.resolve();
        return (member as (...all: unknown[]) => unknown).apply(object, parameters);
      };
    },
  });
}

/** A storage that gives promises where SQLite gives values, so that both ways through the engine are walked. */
export function slowStorage(storage: SqliteStorage): SqliteStorage {
  return {
    ...storage,
    write: (space, batch) => storage.write(space, (transaction) => batch(slowly(transaction))),
    read: (view) => storage.read((snapshot) => view(slowly(snapshot))),
  };
}
