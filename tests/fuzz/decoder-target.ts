import { decode, decodeText, limits } from "@landfall/protocol";
import { countReads, mostReads } from "@landfall/protocol/counted-reads.fixture";
import { decoders } from "@landfall/protocol/declared-decoders.fixture";
import { shapeOf } from "@landfall/protocol/declared-shape";
import { parseShape } from "@landfall/protocol/shape.fixture";
import { valueOf } from "@landfall/protocol/shaped-values.fixture";
import { mutateText, mutateValue, oddValue, textOf } from "./mutate.js";
import { type FuzzTarget, fault } from "./target.js";

/** Every decoder of the protocol, by values and by texts made from its own declaration. */
export const decoderTarget: FuzzTarget = {
  name: "decoders",
  share: 60,
  open() {
    const all = [...decoders].map(([name, decoder]) => ({
      name,
      decoder,
      shape: parseShape(shapeOf(decoder)),
    }));
    return Promise.resolve({
      feed(random) {
        const { name, decoder, shape } = random.pick(all);
        let value =
          random.below(50) === 0
            ? oddValue(random)
            : structuredClone(valueOf(shape, random, random.pick([0, 0, 0.02, 0.1])));
        for (let times = random.below(3); times > 0; times--) value = mutateValue(value, random);
        let text = textOf(value);
        if (random.below(3) === 0) text = mutateText(text, random);
        const counted = countReads(value);
        const result = random.below(2) === 0 ? decodeText(decoder, text) : decode(decoder, counted.value);
        if (counted.reads() > mostReads(value))
          throw fault(`${name} reads its input ${counted.reads()} times`, text);
        if (!result.ok) {
          if (result.message.length > limits.maxMessageChars || !result.message.isWellFormed())
            throw fault(`${name} refuses in words that cannot be sent: ${result.message}`, text);
          return "refused";
        }
        // What was taken can be written down and taken again.
        if (result.value !== undefined && !decodeText(decoder, JSON.stringify(result.value)).ok)
          throw fault(`${name} does not take what it gave`, text);
        if (({} as { polluted?: unknown }).polluted !== undefined)
          throw fault(`${name} reached a prototype`, text);
        return "taken";
      },
    });
  },
};
