import type { Client } from "@landfall/client";
import type { Schema } from "@landfall/schema";
import { type ReactNode, createContext, createElement, useContext } from "react";

const ClientContext = createContext<Client | undefined>(undefined);

/** Gives a client to the hooks below it. */
export function LandfallProvider<S extends Schema>({ client, children }: { readonly client: Client<S>; readonly children?: ReactNode }): ReactNode {
  // Hooks are typed by the handles that they are given, not by the context.
  return createElement(ClientContext.Provider, { value: client as unknown as Client }, children);
}

/** The client of the nearest provider. @throws Error outside of one. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("There is no LandfallProvider above this component. Wrap the app in <LandfallProvider client={client}>.");
  return client;
}
