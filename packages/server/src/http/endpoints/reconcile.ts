import { reconcileRequest } from "@landfall/protocol";
import { LandfallError } from "../../landfall-error.js";
import { readJson } from "../body.js";
import { jsonReply } from "../call.js";
import { negotiate } from "../negotiate.js";
import { readRequest } from "../read-request.js";
import type { Endpoint } from "../service.js";

/** `POST /v1/reconcile`: one round of finding out in which rows two replicas of a domain differ (DESIGN §10). */
export const reconcile: Endpoint = async (service, call) => {
  try {
    const user = await service.authenticate(call);
    negotiate(call.header("accept"));
    const request = readRequest(reconcileRequest, await readJson(call, service.body));
    const text = await service.engine.reconcile(user, request);
    service.metrics.reconciles.add(1, { result: "ok" });
    return jsonReply(200, text);
  } catch (error) {
    service.metrics.reconciles.add(1, { result: error instanceof LandfallError ? error.code : "internal" });
    throw error;
  }
};
