/** What a decoder's `shape` says, parsed: what it says of itself is what its inputs are made from. */
export type Shape =
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "list"; readonly item: Shape; readonly max: number }
  | { readonly kind: "tuple"; readonly items: readonly Shape[] }
  | {
      readonly kind: "map";
      readonly name: Shape;
      readonly item: Shape;
      readonly max: number;
      readonly required?: string;
    }
  | {
      readonly kind: "object";
      readonly members: readonly {
        readonly name: string;
        readonly required: boolean;
        readonly shape: Shape;
      }[];
      readonly open: boolean;
    }
  | { readonly kind: "either"; readonly of: readonly Shape[] };

export function parseShape(text: string): Shape {
  const reader = new ShapeReader(text);
  const shape = reader.either();
  reader.end();
  return shape;
}

class ShapeReader {
  #at = 0;
  constructor(readonly text: string) {}

  #take(token: string): boolean {
    if (!this.text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #must(token: string): void {
    if (!this.#take(token)) throw new Error(`expected ${token} ${this.#place()}`);
  }

  #place(): string {
    return `at ${this.#at} of ${this.text.slice(Math.max(0, this.#at - 40), this.#at + 40)}`;
  }

  #word(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) throw new Error(`nothing ${this.#place()}`);
    this.#at += found.length;
    return found;
  }

  end(): void {
    if (this.#at !== this.text.length) throw new Error(`left over ${this.#place()}`);
  }

  either(): Shape {
    const of = [this.#one()];
    while (this.#take("|")) of.push(this.#one());
    return of.length === 1 ? (of[0] as Shape) : { kind: "either", of };
  }

  #one(): Shape {
    if (this.#take("{")) return this.#braces();
    if (this.#take("[")) {
      const item = this.either();
      this.#must(";");
      const max = Number(this.#word(/\d+/y));
      this.#must("]");
      return { kind: "list", item, max };
    }
    if (this.#take("(")) {
      const items = [this.either()];
      while (this.#take(",")) items.push(this.either());
      this.#must(")");
      return { kind: "tuple", items };
    }
    if (this.text[this.#at] === '"') return { kind: "literal", value: JSON.parse(this.#word(/"[^"]*"/y)) };
    const name = this.#word(/[A-Za-z0-9+*]+/y);
    return /^(true|false|\d+)$/.test(name)
      ? { kind: "literal", value: JSON.parse(name) }
      : { kind: "word", word: name };
  }

  /** An object with members, or one that is used as a map. */
  #braces(): Shape {
    const members: { name: string; required: boolean; shape: Shape }[] = [];
    let open = false;
    while (!this.#take("}")) {
      if (members.length > 0) this.#must(",");
      if (this.#take("…")) {
        open = true;
        continue;
      }
      const name = this.#word(/[^:?]+/y);
      const required = !this.#take("?");
      this.#must(":");
      const shape = this.either();
      if (this.#take(";")) return this.#map(name, shape);
      members.push({ name, required, shape });
    }
    return { kind: "object", members, open };
  }

  #map(name: string, item: Shape): Shape {
    const max = Number(this.#word(/\d+/y));
    const required = this.#take(";") ? this.#word(/[^}]+/y) : undefined;
    this.#must("}");
    return {
      kind: "map",
      name: parseShape(name),
      item,
      max,
      ...(required === undefined ? {} : { required }),
    };
  }
}
