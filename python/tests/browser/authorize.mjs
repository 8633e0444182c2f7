// Authorize in /docs, as a person uses it: node authorize.mjs SERVER SECRET
// Prints what happened as JSON; test_browser.py judges it.

import { withDocs } from "./docs_page.mjs";

const [server, secret] = process.argv.slice(2);

const story = await withDocs(server, async (docs) => {
  const steps = [];
  const execute = async (path, parameters) => {
    const answer = await docs.execute(path, parameters);
    steps.push([path, answer.status]);
    return answer;
  };

  await docs.openDialog();
  const schemes = await docs.schemes();
  await docs.closeDialog();

  await execute("/auth/new");
  await docs.authorize("Secret header", secret);
  const key = (await execute("/auth/new")).body;
  const other = (await execute("/auth/new")).body;

  await execute("/secure");
  await docs.authorize("API key header", key);
  await execute("/secure");
  await execute("/auth/revoke", { "api-key": key });
  await execute("/secure");
  await docs.logout("API key header");

  await docs.authorize("API key query", other);
  const { url } = await execute("/secure");
  await execute("/auth/revoke", { "api-key": other });
  await execute("/secure");

  return { schemes, steps, keys: [key, other], url };
});

console.log(JSON.stringify(story));
