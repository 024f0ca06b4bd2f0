import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { storeShell } from "./app-update.js";
import { App } from "./views/app.js";

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
void storeShell();
