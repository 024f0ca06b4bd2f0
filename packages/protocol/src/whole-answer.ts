import {
  type Decoder,
  type Infer,
  array,
  boolean,
  choose,
  hasMember,
  identifier,
  openObject,
  uint,
} from "./decode.js";
import { answerParts, rowDecoder } from "./exchange-answer.js";
import * as limits from "./limits.js";

// Answers as one JSON text, for those who read no stream.

const { spaceError, settledSpace, rowsSchema, pageEnd, lastPage } = answerParts;

const spaceSuccess = openObject({
  ...settledSpace,
  rows: array(rowDecoder, limits.maxAnswerRows),
  ...pageEnd,
  more: boolean,
  ...lastPage,
});
const spaceFailure = openObject({ space: identifier, error: spaceError });
export type SpaceSuccess = Infer<typeof spaceSuccess>;
export type SpaceFailure = Infer<typeof spaceFailure>;
export type SpaceAnswer = SpaceSuccess | SpaceFailure;
const spaceAnswer: Decoder<SpaceAnswer> = choose<SpaceAnswer>([spaceFailure, spaceSuccess], (value) =>
  hasMember(value, "error") ? spaceFailure : spaceSuccess,
);

/** The answer of an exchange as one JSON text. */
export const exchangeAnswer = openObject({
  time: uint,
  spaces: array(spaceAnswer, limits.maxSpacesPerRequest),
});
export type ExchangeAnswer = Infer<typeof exchangeAnswer>;

/** `GET /v1/spaces/:space/rows` */
export const rowsAnswer = openObject({
  space: identifier,
  domain: identifier,
  generation: identifier,
  ...rowsSchema,
  head: uint,
  cursor: uint,
  lastUpdateTime: uint,
  more: boolean,
  rows: array(rowDecoder, limits.maxAnswerRows),
});
export type RowsAnswer = Infer<typeof rowsAnswer>;
