// OpenAI's JavaScript library against a paddock: chat completions and Responses.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.PADDOCK_URL}/v1`, apiKey: "any", maxRetries: 0 });
const assert = (is, what) => {
  if (!is) throw new Error(what);
};
const model = "pocket-v0";
const ask = [{ role: "user", content: "What is the weather in Lisbon?" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];

const plain = await client.chat.completions.create({ model, messages: ask, max_tokens: 100 });
assert(plain.choices[0].message.content, "plain");
let text = "";
for await (const chunk of await client.chat.completions.create({ model, messages: ask, max_tokens: 100, stream: true }))
  text += chunk.choices[0]?.delta?.content ?? "";
assert(text, "stream");
const called = await client.chat.completions.create({ model, messages: ask, tools, tool_choice: "required" });
const call = called.choices[0].message.tool_calls[0];
assert(JSON.parse(call.function.arguments).city, "tool");
const turns = [...ask, called.choices[0].message, { role: "tool", tool_call_id: call.id, content: "Sunny" }];
await client.chat.completions.create({ model, messages: turns, tools, max_tokens: 100 });
const schema = { type: "object", properties: { is_blue: { type: "boolean" } }, required: ["is_blue"] };
const shaped = await client.chat.completions.create({
  model,
  messages: ask,
  max_tokens: 100,
  response_format: { type: "json_schema", json_schema: { name: "sky", schema } },
});
assert(typeof JSON.parse(shaped.choices[0].message.content).is_blue === "boolean", "schema");

const response = await client.responses.create({ model, input: "Hello", max_output_tokens: 100 });
assert(response.output_text, "response");
const seen = [];
const flat = [{ type: "function", name: "get_weather", parameters, strict: false }];
const stream = client.responses.stream({ model, input: ask[0].content, tools: flat, tool_choice: "required" });
for await (const event of stream) seen.push(event.type);
const final = await stream.finalResponse();
assert(seen[0] === "response.created" && seen.at(-1) === "response.completed", seen.join());
assert(final.output[0].type === "function_call", "response tool");
const { call_id } = final.output[0];
const next = { type: "function_call_output", call_id, output: "Sunny" };
await client.responses.create({ model, previous_response_id: final.id, input: [next], tools: flat, max_output_tokens: 100 });
try {
  await client.responses.create({ model: "nope", input: "x" });
  assert(false, "no error");
} catch (error) {
  assert(error instanceof OpenAI.NotFoundError, `${error}`);
}
console.log("done");
