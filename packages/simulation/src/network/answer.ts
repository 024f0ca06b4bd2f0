/**
 * What the client uses of a `Response`, without the platform's own class, which costs more than a whole small
 * exchange. Pieces come as they arrive; `fail` ends the body as a lost connection does.
 */
export class Answer {
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }> } };
  readonly #pieces: Uint8Array[] = [];
  #over = false;
  #error: Error | undefined;
  #waiting:
    | { resolve(result: { done: boolean; value?: Uint8Array }): void; reject(error: Error): void }
    | undefined;

  constructor(
    readonly status: number,
    headers: { readonly [name: string]: string },
  ) {
    this.headers = { get: (name) => headers[name.toLowerCase()] ?? null };
    const reader = { read: () => this.#read() };
    this.body = { getReader: () => reader };
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  #read(): Promise<{ done: boolean; value?: Uint8Array }> {
    const value = this.#pieces.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (this.#error) return Promise.reject(this.#error);
    if (this.#over) return Promise.resolve({ done: true });
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.#read().then(waiting.resolve, waiting.reject);
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  fail(error: Error): void {
    if (!this.#over) this.#error ??= error;
    this.#wake();
  }
}
