// Takes the token out of the fragment, where no log has seen it, and sends it when the button is pressed.
const form = document.querySelector("form");
const button = form.querySelector("button");
const said = document.getElementById("said");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

if (token) {
  button.disabled = false;
} else {
  said.textContent = "The link is not complete. Open it from the message again, or copy all of it.";
}

async function send() {
  const body = { token };
  if (form.elements.password) {
    body.password = form.elements.password.value;
  }
  const answer = await fetch(form.dataset.call, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "omit",
    body: JSON.stringify(body),
  });
  if (answer.ok) {
    return true;
  }
  const problem = await answer.json();
  said.textContent = [problem.detail ?? problem.title, ...(problem.errors ?? []).map((error) => error.message)].join(" ");
  return false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "";
  try {
    if (await send()) {
      form.hidden = true;
      said.textContent = form.dataset.done;
      return;
    }
  } catch {
    said.textContent = "The service cannot be reached. Try again in a moment.";
  }
  button.disabled = false;
});
