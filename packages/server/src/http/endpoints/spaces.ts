import { createSpaceRequest, decode } from "@landfall/protocol";
import { LandfallError } from "../../landfall-error.js";
import { readJson } from "../body.js";
import { jsonReply } from "../call.js";
import { negotiate } from "../negotiate.js";
import { type Endpoint, member } from "../service.js";

/** `GET /v1/info`: the server's time and limits, and the heads of my spaces. */
export const info: Endpoint = async (service, call) => {
  const user = await service.authenticate(call);
  negotiate(call.header("accept"));
  return jsonReply(200, JSON.stringify(await service.engine.info(user)));
};

/** `GET /v1/spaces`: the spaces that I am a member of. */
export const listSpaces: Endpoint = async (service, call) => {
  const user = await service.authenticate(call);
  negotiate(call.header("accept"));
  return jsonReply(200, JSON.stringify({ spaces: await service.engine.spaces(user) }));
};

/** `POST /v1/spaces`: makes a space that the caller owns. */
export const createSpace: Endpoint = async (service, call) => {
  const user = await service.authenticate(call);
  const decoded = decode(createSpaceRequest, await readJson(call, service.body));
  if (!decoded.ok) throw new LandfallError("invalid_request", decoded.message);
  const made = await service.engine.createSpace(user, decoded.value.space);
  return jsonReply(201, JSON.stringify(made), { location: `/v1/spaces/${made.space}` });
};

/** `DELETE /v1/spaces/:space`: wipes it; the id lives on in a new generation (DESIGN rule 12). */
export const wipeSpace: Endpoint = async (service, call, [space = ""]) => {
  const user = await member(service, call, space);
  return jsonReply(200, JSON.stringify({ space, ...(await service.engine.wipeSpace(user, space)) }));
};
