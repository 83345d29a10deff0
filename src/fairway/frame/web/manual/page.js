"use strict";

const METHODS = ["get", "head", "post", "put", "patch", "delete"];
const DEEPEST = 6;

/** An element with text and children; text is never markup. */
function made(name, text = "", ...children) {
  const element = document.createElement(name);
  element.textContent = text;
  element.append(...children);
  return element;
}

function code(text) {
  return made("pre", "", made("code", text));
}

/** A value such as the schema describes, to be shown as JSON. */
function example(schema, all, depth = 0) {
  if (!schema || depth > DEEPEST) return null;
  if (schema.$ref) return example(all[schema.$ref.split("/").pop()], all, depth + 1);
  const one = schema.anyOf || schema.oneOf;
  if (one) return example(one.find((each) => each.type !== "null") || one[0], all, depth + 1);
  if ("default" in schema && schema.default !== null) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.type === "array") return [example(schema.items, all, depth + 1)];
  if (schema.type === "object" || schema.properties) {
    const fields = Object.entries(schema.properties || {});
    return Object.fromEntries(fields.map(([name, field]) => [name, example(field, all, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false }[schema.type] ?? null;
}

function body(content, all) {
  const [type, media] = Object.entries(content || {})[0] || [];
  return type ? { type, value: JSON.stringify(example(media.schema, all), null, 2) } : null;
}

function parameters(listed) {
  const rows = listed.map((each) =>
    made(
      "tr",
      "",
      made("td", "", made("code", each.name)),
      made("td", each.in + (each.required ? ", required" : "")),
      made("td", each.description || ""),
    ),
  );
  return made("table", "", made("tbody", "", ...rows));
}

function curl(method, path, asked) {
  const lines = [`curl -u NAME:PASSWORD -X ${method.toUpperCase()} '${location.origin}${path}'`];
  if (asked) lines.push(`-H 'Content-Type: ${asked.type}'`, `-d '${asked.value.replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n     ");
}

/** What is under an operation's line; made when somebody opens it. */
function inside(method, path, operation, all) {
  const box = made("div");
  if (operation.description) box.append(made("p", operation.description));
  if (operation.parameters?.length) box.append(made("h3", "Parameters"), parameters(operation.parameters));
  const asked = body(operation.requestBody?.content, all);
  box.append(made("h3", "Request"), code(curl(method, path, asked)));
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    box.append(made("h3", `${status} ${answer.description || ""}`));
    const shown = Number(status) < 400 ? body(answer.content, all) : null;
    if (shown) box.append(code(shown.value));
  }
  return box;
}

function line(method, path, operation, all) {
  const title = made("summary", "", made("code", method.toUpperCase()), made("code", path));
  title.firstChild.className = "method";
  const details = made("details", "", title);
  details.dataset.text = `${method} ${path} ${operation.operationId || ""} ${(operation.tags || []).join(" ")}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (details.childElementCount === 1) details.append(inside(method, path, operation, all));
  });
  return details;
}

function show(documented) {
  const groups = new Map();
  const all = documented.components?.schemas || {};
  for (const [path, operations] of Object.entries(documented.paths)) {
    for (const method of METHODS.filter((each) => operations[each])) {
      const tag = operations[method].tags?.[0] || "registry";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(line(method, path, operations[method], all));
    }
  }
  const sections = [...groups].sort().map(([tag, lines]) => made("section", "", made("h2", tag), ...lines));
  document.getElementById("operations").replaceChildren(...sections);
}

function search() {
  const words = document.getElementById("wanted").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const section of document.querySelectorAll("section")) {
    let some = false;
    for (const details of section.querySelectorAll("details")) {
      details.hidden = !words.every((word) => details.dataset.text.includes(word));
      some ||= !details.hidden;
      count += details.hidden ? 0 : 1;
    }
    section.hidden = !some;
  }
  document.getElementById("count").textContent = `${count} operations`;
}

async function start() {
  const place = document.getElementById("operations");
  try {
    const answer = await fetch("/api/v2.0/openapi.json");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    place.replaceChildren(made("p", `The description cannot be read: ${error.message}. Load the page again.`));
    return;
  }
  document.getElementById("wanted").addEventListener("input", search);
  search();
}

start();
