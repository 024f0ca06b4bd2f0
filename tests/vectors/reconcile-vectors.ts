import { portableSha256, toBase64Url } from "@landfall/protocol";
import { Reconciliation, answerFrame, fingerprint } from "@landfall/protocol/reconcile";
import { type FrameRange, decodeFrame, encodeFrame } from "@landfall/protocol/reconcile-frame";
import { type ReconcileItem, ReconcileItems } from "@landfall/protocol/reconcile-items";

const hex = (value: bigint): string => value.toString(16).padStart(32, "0");

/** An item of a version: its number is the hash of its place, as good as any. */
function item(version: number, key: string): ReconcileItem {
  const hash = Buffer.from(portableSha256(`${version} ${key}`)).toString("hex");
  return { order: version, id: key, digest: BigInt(`0x${hash.slice(0, 32)}`) };
}

const all: readonly ReconcileItem[] = Array.from({ length: 60 }, (_, i) =>
  item(1 + Math.floor(i / 3), `k${i % 3}-${i}`),
);
const [a, b] = [all[0], all[59]] as [ReconcileItem, ReconcileItem];

const frames: readonly { readonly about: string; readonly ranges: readonly FrameRange[] }[] = [
  { about: "nothing to say of anything", ranges: [{ say: "skip", to: undefined }] },
  { about: "what all comes to", ranges: [{ say: "fingerprint", value: a.digest, to: undefined }] },
  { about: "tell me yours", ranges: [{ say: "list", digests: [], to: undefined }] },
  {
    about: "a list, and a want, parted in a version",
    ranges: [
      { say: "list", digests: [a.digest, b.digest], to: { order: 7, id: "k" } },
      { say: "want", digests: [b.digest], to: undefined },
    ],
  },
  {
    about: "bounds far apart, and one that is not the end",
    ranges: [
      { say: "skip", to: { order: 1, id: "" } },
      { say: "skip", to: { order: 200, id: "abc" } },
      { say: "skip", to: { order: 2 ** 40, id: "" } },
    ],
  },
];

/** Frames that are none: cut off, an unknown mode, a longer number than need be, bytes after the end. */
const noFrames = ["00", "0004", "0001ff", "000205", "ff", "800000", "000000", "0202610000000000"];

const sides: readonly {
  readonly about: string;
  readonly lacks: readonly number[];
  readonly hasMore: readonly ReconcileItem[];
}[] = [
  { about: "equal sides", lacks: [], hasMore: [] },
  { about: "two items lacking, one at each end", lacks: [0, 59], hasMore: [] },
  {
    about: "an item that only the asking side has, and one that it lacks",
    lacks: [30],
    hasMore: [item(12, "own")],
  },
  { about: "an empty side", lacks: all.map((_item, at) => at), hasMore: [] },
];

/** Fingerprints, frames, and whole conversations: the reconciliation of docs/protocol.md. */
export function reconcileVectors(): object {
  const server = ReconcileItems.of(all);
  const said = (range: FrameRange): object => ({
    to: range.to === undefined ? null : [range.to.order, range.to.id],
    say: range.say,
    ...("value" in range ? { value: hex(range.value) } : {}),
    ...("digests" in range ? { numbers: range.digests.map(hex) } : {}),
  });
  return {
    items: all.map(({ order, id, digest }) => [order, id, hex(digest)]),
    fingerprints: [
      [0, 0],
      [0, 1],
      [0, 60],
      [7, 31],
    ].map(([from = 0, to = 0]) => ({ from, to, value: hex(fingerprint(portableSha256, server, from, to)) })),
    frames: frames.map(({ about, ranges }) => ({
      about,
      ranges: ranges.map(said),
      frame: toBase64Url(encodeFrame(ranges).bytes),
    })),
    noFrames: noFrames.map((bytes) => {
      const frame = Buffer.from(bytes, "hex");
      if (decodeFrame(frame).ok) throw new Error(`${bytes} is a frame`);
      return toBase64Url(frame);
    }),
    conversations: sides.map(({ about, lacks, hasMore }) => {
      const client = ReconcileItems.of([...all.filter((_item, at) => !lacks.includes(at)), ...hasMore]);
      const reconciliation = new Reconciliation(portableSha256, client);
      const rounds: object[] = [];
      for (let asked = reconciliation.next(); asked !== undefined; asked = reconciliation.next()) {
        const frame = decodeFrame(asked);
        if (!frame.ok) throw new Error(frame.message);
        const answer = answerFrame(portableSha256, server, server.size, frame.ranges).frame;
        rounds.push({ asked: toBase64Url(asked), answered: toBase64Url(answer) });
        const wrong = reconciliation.take(answer);
        if (wrong !== undefined) throw new Error(wrong);
      }
      return {
        about,
        lacks,
        hasMore: hasMore.map(({ order, id, digest }) => [order, id, hex(digest)]),
        rounds,
      };
    }),
  };
}
