// Anthropic's JavaScript library against a paddock.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.PADDOCK_URL, apiKey: "any", maxRetries: 0 });
const assert = (is, what) => {
  if (!is) throw new Error(what);
};
const base = { model: "pocket-v0", max_tokens: 100 };
const ask = { role: "user", content: "What is the weather in Lisbon?" };
const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "get_weather", input_schema }];

const plain = await client.messages.create({ ...base, messages: [ask] });
assert(plain.content[0].text && plain.usage.output_tokens > 0, "plain");
const streamed = await client.messages.stream({ ...base, messages: [ask] }).finalMessage();
assert(streamed.content[0].text, "stream");
const called = await client.messages
  .stream({ ...base, messages: [ask], tools, tool_choice: { type: "any" } })
  .finalMessage();
assert(called.stop_reason === "tool_use" && called.content[0].input.city, JSON.stringify(called));
const result = { type: "tool_result", tool_use_id: called.content[0].id, content: "Sunny" };
const turns = [ask, { role: "assistant", content: called.content }, { role: "user", content: [result] }];
await client.messages.create({ ...base, messages: turns, tools });
const schema = { type: "object", properties: { is_blue: { type: "boolean" } }, required: ["is_blue"] };
const shaped = await client.messages.create({
  ...base,
  messages: [{ role: "user", content: "Is the sky blue? Answer with is_blue true or false." }],
  output_config: { format: { type: "json_schema", schema } },
});
assert(typeof JSON.parse(shaped.content[0].text).is_blue === "boolean", JSON.stringify(shaped));
const counted = await client.messages.countTokens({ model: base.model, messages: [ask], tools });
assert(counted.input_tokens > 10, "count");
try {
  await client.messages.create({ ...base, model: "nope", messages: [ask] });
  assert(false, "no error");
} catch (error) {
  assert(error instanceof Anthropic.NotFoundError, `${error}`);
}
console.log("done");
