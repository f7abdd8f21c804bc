// Shows what /dev/inbox/messages has. Texts are put in as text, and the HTML of a message into a frame without scripts.
const list = document.getElementById("messages");
const empty = document.getElementById("empty");
const to = document.getElementById("to");
let shown = "";

function made(name, values, ...children) {
  const element = Object.assign(document.createElement(name), values);
  element.append(...children);
  return element;
}

function linked(text) {
  return text.split(/(https?:\/\/\S+)/).map((part, index) =>
    index % 2 ? made("a", { href: part, target: "_blank", rel: "noopener", textContent: part }) : part,
  );
}

function letter(message) {
  const frame = made("iframe", { title: `${message.subject}, as HTML`, srcdoc: message.html });
  frame.sandbox = "allow-popups allow-popups-to-escape-sandbox";
  return made(
    "li",
    {},
    made("h2", { textContent: message.subject }),
    made("p", { className: "about", textContent: `To ${message.to}, ${new Date(message.at).toLocaleString()}` }),
    made("pre", {}, ...linked(message.text)),
    made("details", {}, made("summary", { textContent: "As HTML" }), frame),
  );
}

async function look() {
  const query = to.value.trim() ? `?to=${encodeURIComponent(to.value.trim())}` : "";
  const messages = await (await fetch(`/dev/inbox/messages${query}`)).json();
  const ids = messages.map((message) => message.id).join();
  empty.hidden = messages.length > 0;
  if (ids !== shown) {
    shown = ids;
    list.replaceChildren(...messages.map(letter));
  }
}

async function keepLooking() {
  await look().catch(() => {}); // the service is being restarted; it is asked again
  setTimeout(keepLooking, 2000);
}

to.addEventListener("input", () => look().catch(() => {}));
keepLooking();
