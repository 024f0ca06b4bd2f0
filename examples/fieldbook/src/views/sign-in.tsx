import { type FormEvent, type ReactNode, useState } from "react";
import { TextField } from "../parts/field.js";
import { nameOf, signIn, userOf } from "../session.js";

/** People of the sample site, for a first look. */
const suggested = ["ann", "bob"];

export function SignIn(): ReactNode {
  const [name, setName] = useState("");
  const [error, setError] = useState<string>();
  const user = userOf(name);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (user === "") setError("Enter a name with at least one letter or digit.");
    else signIn(user);
  };
  return (
    <main className="welcome">
      <div className="welcome-card">
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>Fieldbook</h1>
        <p className="lead">Site inspections that work where the network does not.</p>
        <form onSubmit={submit} noValidate>
          <TextField
            label="Your name"
            name="name"
            autoComplete="username"
            autoCapitalize="words"
            value={name}
            error={error}
            hint={
              user !== "" && user !== name.trim().toLowerCase() ? `You will be known as ${user}.` : undefined
            }
            onChange={(event) => {
              setName(event.target.value);
              setError(undefined);
            }}
          />
          <button type="submit" className="primary wide">
            Sign in
          </button>
        </form>
        <p className="or">or look around as a member of the sample site</p>
        <div className="suggested">
          {suggested.map((sample) => (
            <button key={sample} type="button" onClick={() => signIn(sample)}>
              <span className="avatar" aria-hidden="true">
                {nameOf(sample).slice(0, 1)}
              </span>
              {nameOf(sample)}
            </button>
          ))}
        </div>
        <p className="small">
          This is a demo: a name is all it takes, and there is no password. Use a second browser to be two
          people at once.
        </p>
      </div>
    </main>
  );
}
