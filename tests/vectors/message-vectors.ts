import {
  type Decoder,
  createSpaceAnswer,
  createSpaceRequest,
  decodeText,
  eventDecoder,
  exchangeAnswer,
  exchangeRequest,
  infoAnswer,
  membersAnswer,
  opDecoder,
  outcomeDecoder,
  problemDecoder,
  rowDecoder,
  rowsAnswer,
  serverMessage,
  setMemberRequest,
  socketAuth,
  socketHello,
  socketWatch,
  spacesAnswer,
  streamLine,
} from "@landfall/protocol";

/** The decoders by the names that docs/protocol.md gives to examples. */
export const messageDecoders: { readonly [message: string]: Decoder<unknown> } = {
  "exchange-request": exchangeRequest,
  "exchange-answer": exchangeAnswer,
  "stream-line": streamLine,
  "create-space-request": createSpaceRequest,
  "create-space-answer": createSpaceAnswer,
  "set-member-request": setMemberRequest,
  "members-answer": membersAnswer,
  "spaces-answer": spacesAnswer,
  "info-answer": infoAnswer,
  "rows-answer": rowsAnswer,
  "server-message": serverMessage,
  "socket-hello": socketHello,
  "socket-auth": socketAuth,
  "socket-watch": socketWatch,
  event: eventDecoder,
  op: opDecoder,
  outcome: outcomeDecoder,
  problem: problemDecoder,
  row: rowDecoder,
};

type Case = readonly [text: string, at?: string];

const id = '"019a3b9e-5c11-7000-9a3f-00c0ffee0001"';
const rowHead = '"domain":"d","key":"k","version":1,"modifiedAt":1';
const spaceHead = '"space":"s","generation":"g","head":0,"lastSeq":0,"outcomes":[]';
const infoHead =
  '"time":1,"protocol":1,"server":"s","user":"u","limits":{"maxEventsPerRequest":1,"maxBodyBytes":1,"maxBatchBytes":1,"maxPageRows":1}';

/** What is accepted, and what is refused with the place that the refusal names; said by hand. */
const said: {
  readonly [message: string]: { readonly accepted: readonly string[]; readonly refused: readonly Case[] };
} = {
  "exchange-request": {
    accepted: [
      '{"protocol":1,"device":"d","spaces":[]}',
      '{"protocol":1,"device":"d","limit":1,"spaces":[{"space":"s","cursors":{"a":0}}]}',
      '{"protocol":1,"device":"d","spaces":[{"space":"s","generation":"g","acked":0,"cursors":{},"scan":{"a":9007199254740991},"events":[null,7,{}],"known":[["a","k",1]]}]}',
    ],
    refused: [
      ['{"protocol":2,"device":"d","spaces":[]}', "protocol"],
      ['{"protocol":1,"device":"a/b","spaces":[]}', "device"],
      ['{"protocol":1,"device":"d","spaces":[],"limit":0}', "limit"],
      ['{"protocol":1,"device":"d","spaces":[],"surprise":1}', "the message"],
      ['{"protocol":1,"device":"d","spaces":[{"space":"s"}]}', "spaces[0]"],
      ['{"protocol":1,"device":"d","spaces":[{"space":"s","cursors":{"a":-1}}]}', "spaces[0].cursors.a"],
      ['{"protocol":1,"device":"d","spaces":[{"space":"s","cursors":{"a":1.5}}]}', "spaces[0].cursors.a"],
      [
        '{"protocol":1,"device":"d","spaces":[{"space":"s","cursors":{"a":9007199254740992}}]}',
        "spaces[0].cursors.a",
      ],
      [
        '{"protocol":1,"device":"d","spaces":[{"space":"s","cursors":{"__proto__":1}}]}',
        "spaces[0].cursors.__proto__",
      ],
      ['{"protocol":1,"device":"d","spaces":[{"space":"..","cursors":{}}]}', "spaces[0].space"],
      [
        '{"protocol":1,"device":"d","spaces":[{"space":"s","cursors":{},"known":[["a","k"]]}]}',
        "spaces[0].known[0]",
      ],
      ["[]", "the message"],
      ["null", "the message"],
    ],
  },
  event: {
    accepted: [
      `{"id":${id},"seq":1,"ops":[]}`,
      `{"id":${id},"seq":1,"void":true}`,
      `{"id":${id},"seq":1,"action":"a","args":null,"schema":3}`,
      `{"id":${id},"seq":2,"ops":[],"expect":[["d","k",0],["d","l",{"seq":1}]],"was":{"device":"d","seq":1}}`,
    ],
    refused: [
      [`{"id":${id},"seq":0,"ops":[]}`, "seq"],
      [`{"id":"x","seq":1,"ops":[]}`, "id"],
      [`{"id":${id},"seq":1}`, "the message"],
      [`{"id":${id},"seq":1,"void":false}`, "void"],
      [`{"id":${id},"seq":1,"ops":[],"void":true}`, "the message"],
      [`{"id":${id},"seq":1,"action":"a"}`, "the message"],
      [`{"id":${id},"seq":1,"ops":[],"expect":[["d","k",-1]]}`, "expect[0][2]"],
      [`{"id":${id},"seq":1,"ops":[],"schema":0}`, "schema"],
    ],
  },
  op: {
    accepted: [
      '{"op":"create","domain":"d","key":"k","set":{}}',
      '{"op":"update","domain":"d","key":"k"}',
      '{"op":"increment","domain":"d","key":"k","by":{"n":-0.5}}',
      '{"op":"add","domain":"d","key":"k","values":{"s":["a",1,true]}}',
      '{"op":"deleteMany","domain":"d","upTo":0}',
      '{"op":"put","domain":"d","key":"k","set":{"toString":[{"":1}]}}',
    ],
    refused: [
      ['{"op":"explode","domain":"d","key":"k"}', "op"],
      ['{"domain":"d","key":"k"}', "the message"],
      ['{"op":"create","domain":"d","key":"k"}', "the message"],
      ['{"op":"create","domain":"d","key":"k","set":{"*":1}}', "set.*"],
      ['{"op":"create","domain":"d","key":"k","set":{"a":{"__proto__":1}}}', "set.a"],
      ['{"op":"create","domain":"d","key":"k","set":{"a":1e400}}', "set.a"],
      ['{"op":"create","domain":"d","key":"k","set":{"a":"\\ud800"}}', "set.a"],
      ['{"op":"create","domain":"d","key":"constructor","set":{}}', "key"],
      ['{"op":"increment","domain":"d","key":"k","by":{"n":"1"}}', "by.n"],
      ['{"op":"add","domain":"d","key":"k","values":{"s":[null]}}', "values.s[0]"],
      ['{"op":"delete","domain":"d","key":"k","set":{}}', "the message"],
    ],
  },
  row: {
    accepted: [
      `{${rowHead},"fields":{},"stamps":{"*":${id}}}`,
      `{${rowHead},"deleted":true}`,
      `{${rowHead},"deleted":true,"later":{"a":[1]}}`,
    ],
    refused: [
      [`{${rowHead},"fields":{},"stamps":{}}`, "stamps"],
      [`{${rowHead},"deleted":false}`, "deleted"],
      [`{${rowHead.replace('"version":1', '"version":0')},"deleted":true}`, "version"],
      [`{${rowHead},"deleted":true,"constructor":1}`, "the message"],
      [`{${rowHead},"fields":{"a b":1},"stamps":{"*":${id}}}`, "fields.a b"],
    ],
  },
  outcome: {
    accepted: [
      `{"id":${id},"seq":1,"status":"applied","index":1,"modifiedAt":1}`,
      `{"id":${id},"seq":1,"status":"rejected","code":"later-code","message":""}`,
      `{"id":${id},"seq":1,"status":"duplicate","of":"expired"}`,
    ],
    refused: [
      [`{"id":${id},"seq":1,"status":"applied","modifiedAt":1}`, "the message"],
      [`{"id":${id},"seq":1,"status":"done"}`, "status"],
      [`{"id":${id},"seq":1,"status":"duplicate","of":"deferred"}`, "of"],
    ],
  },
  "stream-line": {
    accepted: [
      '{"type":"done"}',
      '{"type":"time","time":0}',
      `{${rowHead},"deleted":true}`,
      `{"type":"space",${spaceHead},"schema":3,"readableFrom":1}`,
    ],
    refused: [
      [`{"type":"space",${spaceHead},"schema":0}`, "schema"],
      [`{"type":"space",${spaceHead},"schema":2,"readableFrom":"1"}`, "readableFrom"],
      ['{"type":"checkpoint"}', "the message"],
      ['{"type":"space","space":"s"}', "the message"],
      ["{}", "the message"],
      [`{${rowHead},"deleted":true,"type":"later"}`, "type"],
      [`{${rowHead},"deleted":true,"type":null}`, "type"],
    ],
  },
  "server-message": {
    accepted: [
      '{"type":"welcome","time":0}',
      '{"type":"of-a-newer-server","anything":[1]}',
      '{"type":"heads","time":0,"spaces":{"s":{"d":0}}}',
    ],
    refused: [
      ['{"type":"welcome"}', "the message"],
      ['{"type":"poke","space":"s","domains":[],"index":0}', "index"],
      ["{}", "the message"],
      ["7", "the message"],
    ],
  },
  "socket-hello": {
    accepted: ['{"type":"hello","token":"","device":"d"}'],
    refused: [
      ['{"type":"hello","token":"t"}', "the message"],
      ['{"type":"hello","token":"t","device":"d","extra":1}', "the message"],
      ['{"type":"hello","token":"\\udc00","device":"d"}', "token"],
    ],
  },
  "socket-watch": {
    accepted: ['{"type":"watch","spaces":{"s":["d"]}}'],
    refused: [['{"type":"watch","spaces":{"s":"d"}}', "spaces.s"]],
  },
  "socket-auth": { accepted: ['{"type":"auth","token":"t"}'], refused: [['{"type":"auth"}', "the message"]] },
  problem: {
    accepted: [
      '{"code":"not_found","title":"t","status":404}',
      '{"code":"x","title":"t","status":500,"detail":"d","retryAfterMs":1,"extension":true}',
    ],
    refused: [
      ['{"title":"t","status":404}', "the message"],
      ['{"code":"not_found","title":"t","status":"404"}', "status"],
    ],
  },
  "info-answer": {
    accepted: [
      `{${infoHead},"spaces":{}}`,
      `{${infoHead},"schema":3,"spaces":{"s":{"role":"owner","generation":"g","head":0,"members":1}}}`,
    ],
    refused: [
      [`{${infoHead},"spaces":{"s":{"role":"god","generation":"g","head":0,"members":1}}}`, "spaces.s.role"],
      [`{${infoHead}}`, "the message"],
    ],
  },
  "exchange-answer": {
    accepted: [
      '{"time":0,"spaces":[]}',
      '{"time":0,"spaces":[{"space":"s","generation":"g","head":0,"lastSeq":0,"outcomes":[],"rows":[],"cursors":{},"more":false}]}',
      '{"time":0,"spaces":[{"space":"s","generation":"g","head":3,"lastSeq":2,"outcomes":[],"runs":[{"seq":1,"count":2,"index":2,"modifiedAt":0}],"rows":[],"cursors":{},"more":false}]}',
      '{"time":0,"spaces":[{"space":"s","error":{"code":"of-a-newer-server","message":"m"}}]}',
    ],
    refused: [
      [
        '{"time":0,"spaces":[{"space":"s","generation":"g","head":3,"lastSeq":2,"outcomes":[],"runs":[{"seq":1,"count":2,"index":2}],"rows":[],"cursors":{},"more":false}]}',
        "spaces[0].runs[0]",
      ],
      [
        '{"time":0,"spaces":[{"space":"s","generation":"g","head":3,"lastSeq":2,"outcomes":[],"runs":[{"seq":1,"count":0,"index":2,"modifiedAt":0}],"rows":[],"cursors":{},"more":false}]}',
        "spaces[0].runs[0].count",
      ],
      [
        '{"time":0,"spaces":[{"space":"s","generation":"g","head":0,"lastSeq":0,"outcomes":[],"rows":[],"cursors":{}}]}',
        "spaces[0]",
      ],
      ['{"time":-1,"spaces":[]}', "time"],
      ['{"time":0,"spaces":[{"space":"s","error":{"message":"m"}}]}', "spaces[0].error"],
      [
        `{"time":0,"spaces":[{"space":"s","generation":"g","head":0,"lastSeq":0,"outcomes":[],"rows":[{${rowHead}}],"cursors":{},"more":false}]}`,
        "spaces[0].rows[0]",
      ],
    ],
  },
};

/** Texts that decoders accept and refuse. @throws Error where a decoder does otherwise than is said here. */
export function messageVectors(): object {
  const cases = Object.entries(said).flatMap(([message, { accepted, refused }]) => [
    ...accepted.map((text) => ({ message, text, accepted: true })),
    ...refused.map(([text, at]) => ({ message, text, accepted: false, at })),
  ]);
  for (const { message, text, accepted, at } of cases as readonly {
    message: string;
    text: string;
    accepted: boolean;
    at?: string;
  }[]) {
    const result = decodeText(messageDecoders[message] as Decoder<unknown>, text);
    const isRight = accepted ? result.ok : !result.ok && result.message.startsWith(`${at}: `);
    if (!isRight) throw new Error(`${message} ${text}: ${JSON.stringify(result)}`);
  }
  return { cases };
}
