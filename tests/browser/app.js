// The app's own page: signs up in cookie mode, or, when it is loaded again, goes on with the cookie alone.
async function call(path, { headers = {}, ...rest } = {}) {
  const reply = await fetch(told.api + path, { credentials: "include", headers, ...rest });
  return { status: reply.status, body: reply.status === 204 ? null : await reply.json() };
}

async function signUp() {
  const headers = { "Content-Type": "application/json", "X-Auth-Mode": "cookie" };
  return call("/signup", { method: "POST", headers, body: told.person });
}

async function main() {
  const isAgain = location.search === "?again";
  const first = isAgain ? await call("/csrf") : await signUp();
  const headers = { "X-CSRF-Token": first.body.csrf_token ?? "" };
  const refreshed = await call("/refresh", { method: "POST", headers });
  const loggedOut = isAgain ? await call("/logout", { method: "POST", headers }) : null;
  const report = { first, refreshed, loggedOut, after: loggedOut && (await call("/csrf")), cookie: document.cookie };
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
  if (!isAgain) location.href = told.stranger;
}

main();
