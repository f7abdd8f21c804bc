// A stranger's page: does with the cookie what a page can do without being asked, and tells what it could read.
const read = [];
const bodies = ["", '{"scope":"all"}', '{"refresh_token":null}'];

async function attempt(what, options = {}) {
  try {
    const reply = await fetch(told.api + what, { credentials: "include", ...options });
    const text = await reply.text();
    if (reply.type !== "opaque" || text) read.push(`${what} ${reply.status} ${text}`);
  } catch {
    // refused by the browser, as it should be
  }
}

function loaded(element) {
  return new Promise((resolve) => {
    element.onload = element.onerror = () => resolve();
    setTimeout(resolve, 2000);
    document.body.append(element);
  });
}

let frames = 0;
async function submit(path, enctype, body) {
  const frame = document.createElement("iframe");
  frame.name = `frame${frames++}`;
  document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: told.api + path, enctype, target: frame.name });
  if (body) {
    const input = document.createElement("input");
    const at = body.indexOf(":");
    Object.assign(input, { type: "hidden", name: body.slice(0, at + 1), value: body.slice(at + 1) });
    form.append(input);
  }
  document.body.append(form);
  const done = new Promise((resolve) => {
    frame.onload = () => resolve();
    setTimeout(resolve, 2000);
  });
  form.submit();
  await done;
}

async function main() {
  const json = { "Content-Type": "application/json" };
  await attempt("/csrf");
  await attempt("/csrf", { mode: "no-cors" });
  for (const path of ["/refresh", "/logout"]) {
    for (const body of bodies) {
      await attempt(path, { method: "POST", mode: "no-cors", body });
      await attempt(path, { method: "POST", mode: "no-cors", body: new URLSearchParams({ body }) });
      await attempt(path, { method: "POST", headers: { ...json, "X-CSRF-Token": "x" }, body: body || undefined });
      navigator.sendBeacon(told.api + path, body);
    }
    await attempt(path, { method: "POST", mode: "no-cors" });
    await attempt(path, { method: "POST" });
    for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
      await Promise.all(["", ...bodies].map((body) => submit(path, enctype, body)));
    }
  }
  const headers = { ...json, "X-Auth-Mode": "cookie" };
  await attempt("/login", { method: "POST", headers, body: told.person });
  await attempt("/signup", { method: "POST", headers, body: told.stranger_person });
  await submit("/login", "text/plain", told.person);
  for (const path of ["/refresh", "/logout", "/csrf", "/session"]) {
    await loaded(Object.assign(new Image(), { src: told.api + path }));
    const frame = Object.assign(document.createElement("iframe"), { src: told.api + path });
    await loaded(frame);
    if (frame.contentDocument?.body?.textContent) read.push(`frame ${path}`);
    await loaded(Object.assign(document.createElement("script"), { src: told.api + path }));
  }
  await fetch("/report", { method: "POST", body: JSON.stringify({ read, cookie: document.cookie }) });
  location.href = told.next;
}

main();
