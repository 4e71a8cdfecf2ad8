// GET /v1/ventures/:venture/items/:item with the platform's own statements: who asks, their role, the item in full.
// One process a core by cluster, as Express is deployed. Statements come from the platform (STATEMENTS, a JSON file), so that
// both servers ask PostgreSQL for the same; named parameters become $1, $2, … in the order given there.
"use strict";
const cluster = require("node:cluster");
const crypto = require("node:crypto");
const fs = require("node:fs");

if (cluster.isPrimary) {
  for (let n = 0; n < Number(process.env.PROCESSES); n++) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  const express = require("express");
  const { Pool } = require("pg");
  const statements = JSON.parse(fs.readFileSync(process.env.STATEMENTS, "utf8"));
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.CONNECTIONS), options: "-c search_path=regional" });
  const app = express();
  app.disable("x-powered-by");

  const run = (client, name, values) => {
    const { text, parameters } = statements[name];
    return client.query({ name, text, values: parameters.map((parameter) => values[parameter]) });
  };
  const account = (token) => {
    let number = 0n;
    for (const digit of token.slice(0, 25)) number = number * 36n + BigInt(parseInt(digit, 36));
    const hex = number.toString(16).padStart(32, "0");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };

  app.get("/v1/ventures/:venture/items/:item", async (request, response) => {
    const token = /(?:^|; )ventures_session=([0-9a-z.]+)/.exec(request.headers.cookie ?? "")?.[1];
    if (!token) return response.status(401).json({ title: "Not signed in" });
    const values = {
      venture: request.params.venture,
      item: request.params.item,
      account: account(token),
      digest: crypto.createHash("sha256").update(token).digest(),
    };
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await run(client, "venture", values);
      const session = (await run(client, "session", values)).rows[0];
      if (!session || session.expires_at <= new Date()) return response.status(401).json({ title: "Not signed in" });
      const role = (await run(client, "role", values)).rows[0];
      if (!role || !role.role) return response.status(404).json({ title: "Not found" });
      const item = (await run(client, "item", values)).rows[0];
      if (!item) return response.status(404).json({ title: "Not found" });
      response.set("ETag", `"${item.version}"`).json(item);
    } finally {
      await client.query("COMMIT");
      client.release();
    }
  });
  app.listen(Number(process.env.PORT), "127.0.0.1");
}
