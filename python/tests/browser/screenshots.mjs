// The pictures of the README, taken from the running example: node screenshots.mjs SERVER SECRET DIRECTORY

import { join } from "node:path";
import { withDocs } from "./docs_page.mjs";

const [server, secret, directory] = process.argv.slice(2);

await withDocs(server, async (docs) => {
  const { page } = docs;
  const path = (name) => join(directory, `${name}.png`);
  const asked = (route, headers) => fetch(`${server}${route}`, { headers });

  // A key that has been in use, for the usage log.
  const used = await (await asked("/auth/new?name=laptop", { "secret-key": secret })).json();
  for (let request = 0; request < 12; request++) await asked("/secure", { "api-key": used });

  await page.setViewportSize({ width: 960, height: 900 });
  const last = await place(page.locator(".opblock").last());
  const clip = { x: 0, y: 0, width: 960, height: last.y + last.height + 20 };
  await page.screenshot({ path: path("docs"), fullPage: true, clip });

  await page.addStyleTag({ content: ".modal-ux-content { max-height: none !important }" });
  await docs.openDialog();
  await docs.scheme("Secret header").locator("input").fill(secret);
  await page.locator(".modal-ux").screenshot({ path: path("authorize") });
  await docs.closeDialog();
  await docs.authorize("Secret header", secret);

  await docs.execute("/auth/new", { name: "phone" });
  await answerOf(docs.operation("/auth/new"), path("new-key"));

  await docs.execute("/auth/logs");
  await answerOf(docs.operation("/auth/logs"), path("usage"));
});

// A picture of the request and its answer, without the schema below them.
async function answerOf(operation, path) {
  const top = await place(operation.locator(".responses-wrapper"));
  const last = await place(operation.locator(".live-responses-table"));
  const clip = { ...top, height: last.y + last.height - top.y + 4 };
  await operation.page().screenshot({ path, fullPage: true, clip });
}

// Where an element is on the whole page, which may have been scrolled.
function place(locator) {
  return locator.evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return { x: x + scrollX, y: y + scrollY, width, height };
  });
}
