// A headless Chromium with the app's /docs, and what a person does there.

import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
// FastAPI's /docs loads Swagger UI from a CDN; here it comes from the installed npm package.
const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const LOCAL_FILES = {
  "/npm/swagger-ui-dist@5/swagger-ui-bundle.js": "swagger-ui-bundle.js",
  "/npm/swagger-ui-dist@5/swagger-ui.css": "swagger-ui.css",
  "/img/favicon.png": "favicon-32x32.png",
};

// Opens /docs of the server, hands the page over, and leaves nothing behind.
export async function withDocs(server, use) {
  const profile = await mkdtemp(join(tmpdir(), "simple-security-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
  });
  try {
    await browser.route("**/*", (route) => answer(route, server));
    const docs = new DocsPage(browser.pages()[0] ?? (await browser.newPage()));
    await docs.open(server);
    return await use(docs);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

// The server itself, the files above, and no other place.
function answer(route, server) {
  const url = new URL(route.request().url());
  if (url.origin === new URL(server).origin) return route.continue();
  const file = LOCAL_FILES[url.pathname];
  return file ? route.fulfill({ path: join(SWAGGER_UI, file) }) : route.abort();
}

class DocsPage {
  constructor(page) {
    this.page = page;
  }

  async open(server) {
    await this.page.goto(`${server}/docs`);
    await this.page.locator(".opblock").first().waitFor();
  }

  async openDialog() {
    await this.page.locator(".auth-wrapper .btn.authorize").click();
    await this.page.locator(".modal-ux").waitFor();
  }

  async closeDialog() {
    await this.page.locator(".modal-ux .btn-done").first().click();
    await this.page.locator(".modal-ux").waitFor({ state: "detached" });
  }

  // The names of the schemes in the open dialog, in its order.
  schemes() {
    return this.page.locator(".modal-ux .auth-container h4 code").allTextContents();
  }

  scheme(name) {
    return this.page
      .locator(".modal-ux .auth-container")
      .filter({ has: this.page.locator("h4 code", { hasText: name }) });
  }

  async authorize(name, value) {
    await this.openDialog();
    await this.scheme(name).locator("input").fill(value);
    await this.scheme(name).locator("button.authorize").click();
    await this.scheme(name).getByRole("button", { name: "Remove authorization" }).waitFor();
    await this.closeDialog();
  }

  async logout(name) {
    await this.openDialog();
    await this.scheme(name).getByRole("button", { name: "Remove authorization" }).click();
    await this.closeDialog();
  }

  operation(path) {
    return this.page
      .locator(".opblock")
      .filter({ has: this.page.locator(`.opblock-summary-path[data-path="${path}"]`) });
  }

  // Opens the operation where it is closed, fills in its parameters and executes it.
  async execute(path, parameters = {}) {
    const operation = this.operation(path);
    const run = operation.locator(".btn.execute");
    if (!(await run.isVisible())) {
      await operation.locator(".opblock-summary-control").click();
      await operation.locator(".try-out__btn").click();
    }
    for (const [name, value] of Object.entries(parameters)) {
      await operation.locator(`tr[data-param-name="${name}"] input`).fill(value);
    }
    const [response] = await Promise.all([
      this.page.waitForResponse((response) => new URL(response.url()).pathname === path),
      run.click(),
    ]);
    const status = String(response.status());
    const shown = operation.locator(".live-responses-table .response-col_status");
    await shown.filter({ hasText: status }).first().waitFor();
    return { path, status: response.status(), url: response.url(), body: await response.json() };
  }
}
