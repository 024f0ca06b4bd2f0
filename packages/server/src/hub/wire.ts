/** The port to one socket's far end; a `WebSocket` of the ws package is one as it stands. */
export interface Wire {
  /** Bytes that were sent and that the far end has not taken yet. */
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  /** Says why, and ends. @param reason at most 123 bytes (RFC 6455 §5.5). */
  close(code: number, reason: string): void;
  /** Ends without a word. */
  terminate(): void;
}
