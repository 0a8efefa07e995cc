import assert from "node:assert/strict";
import test from "node:test";
import { isFromVault } from "./signature.mjs";

const signed = 1795435200;
const header = `t=${signed},v1=edcaf222d1b26207ff53f57c18d6b5ca61eecee819c23d996af9d7da2c88b9cc`;

test("a genuine signature", () => {
  assert.equal(isFromVault("a webhook secret", header, '{"number":1}', signed + 30), true);
});

test("another body, another secret, another time, another form", () => {
  assert.equal(isFromVault("a webhook secret", header, '{"number":2}', signed + 30), false);
  assert.equal(isFromVault("another secret", header, '{"number":1}', signed + 30), false);
  assert.equal(isFromVault("a webhook secret", header, '{"number":1}', signed + 301), false);
  assert.equal(isFromVault("a webhook secret", header.slice(0, -1), '{"number":1}', signed + 30), false);
});
