// The pictures of the README, taken from the running example: node screenshots.mjs SERVER SECRET DIRECTORY

import { join } from "node:path";
import { withDocs } from "./docs_page.mjs";

const [server, secret, directory] = process.argv.slice(2);

await withDocs(server, async (docs) => {
  const { page } = docs;
  const picture = (name, clip) =>
    page.screenshot({ path: join(directory, `${name}.png`), fullPage: true, clip });
  const asked = (path, headers) => fetch(`${server}${path}`, { headers });

  // A key that has been in use, for the usage log.
  const used = await (await asked("/auth/new?name=laptop", { "secret-key": secret })).json();
  for (let request = 0; request < 12; request++) await asked("/secure", { "api-key": used });

  await page.setViewportSize({ width: 960, height: 900 });
  const operations = await page.locator(".opblock").last().boundingBox();
  await picture("docs", { x: 0, y: 0, width: 960, height: operations.y + operations.height + 20 });

  await docs.openDialog();
  await docs.scheme("Secret header").locator("input").fill(secret);
  await page.addStyleTag({ content: ".swagger-ui .modal-ux-content { max-height: none }" });
  await picture("authorize", await page.locator(".modal-ux").boundingBox());
  await docs.closeDialog();
  await docs.authorize("Secret header", secret);

  await docs.execute("/auth/new", { name: "phone" });
  await picture("new-key", await answerOf(docs.operation("/auth/new")));

  await docs.execute("/auth/logs");
  await picture("usage", await answerOf(docs.operation("/auth/logs")));
});

// The request and its answer, without the schema below them.
async function answerOf(operation) {
  const top = await operation.locator(".responses-wrapper").boundingBox();
  const last = await operation.locator(".live-responses-table").boundingBox();
  return { ...top, height: last.y + last.height - top.y + 20 };
}
