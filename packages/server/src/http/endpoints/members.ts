import { decode, setMemberRequest } from "@landfall/protocol";
import { isUserId, userIdKind } from "../../access/user-id.js";
import { LandfallError } from "../../landfall-error.js";
import { readJson } from "../body.js";
import { jsonReply } from "../call.js";
import { negotiate } from "../negotiate.js";
import { type Endpoint, member } from "../service.js";

/** `GET /v1/spaces/:space/members` */
export const listMembers: Endpoint = async (service, call, [space = ""]) => {
  const user = await member(service, call, space);
  negotiate(call.header("accept"));
  return jsonReply(200, JSON.stringify({ members: await service.engine.members(user, space) }));
};

/** `PUT /v1/spaces/:space/members/:user`: gives a role; owners only. */
export const setMember: Endpoint = async (service, call, [space = "", name = ""]) => {
  const user = await member(service, call, space);
  const decoded = decode(setMemberRequest, await readJson(call, service.body));
  if (!decoded.ok) throw new LandfallError("invalid_request", decoded.message);
  const { role } = decoded.value;
  await service.engine.setMember(user, space, checkedName(name), role);
  return jsonReply(200, JSON.stringify({ user: name, role }));
};

/** `DELETE /v1/spaces/:space/members/:user`: owners remove anyone, members themselves. */
export const removeMember: Endpoint = async (service, call, [space = "", name = ""]) => {
  const user = await member(service, call, space);
  await service.engine.removeMember(user, space, checkedName(name));
  return jsonReply(200, JSON.stringify({ user: name }));
};

function checkedName(name: string): string {
  if (isUserId(name)) return name;
  throw new LandfallError("invalid_request", `The user's id in the address is not ${userIdKind}.`);
}
