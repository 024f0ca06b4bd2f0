// Keeps what connections to IndexedDB a page has made, so that a test can cut them off as a browser may.

const connections = new Set<IDBDatabase>();
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (...of) {
  const request = open.apply(this, of);
  request.addEventListener("success", () => connections.add(request.result));
  return request;
};

/** Closes what connections to IndexedDB there are, without a word to those who use them. @returns how many */
export function cutOff(): number {
  const { size } = connections;
  for (const connection of connections) connection.close();
  connections.clear();
  return size;
}
