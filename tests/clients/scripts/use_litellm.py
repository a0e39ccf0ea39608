"""litellm, as a client, against a paddock: over chat completions and over Messages, and an error's class."""

import json
import os

import litellm

URL = os.environ["PADDOCK_URL"]
ASK = [{"role": "user", "content": "What is the weather in Lisbon?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {"type": "object", "properties": {"is_blue": {"type": "boolean"}}, "required": ["is_blue"]}
SKY = [{"role": "user", "content": "Is the sky blue? Answer with is_blue true or false."}]
for model, base in (("openai/pocket-v0", f"{URL}/v1"), ("anthropic/pocket-v0", URL)):
    to = {"model": model, "api_base": base, "api_key": "any", "max_tokens": 200, "num_retries": 0}
    assert litellm.completion(messages=ASK, **to).choices[0].message.content, model
    pieces = list(litellm.completion(messages=ASK, stream=True, **to))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces), model
    answer = litellm.completion(messages=ASK, tools=[TOOL], tool_choice="required", **to)
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather", model
    turns = [*ASK, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}]
    litellm.completion(messages=turns, tools=[TOOL], **to)
    shape = {"type": "json_schema", "json_schema": {"name": "sky", "schema": SCHEMA}}
    shaped = litellm.completion(messages=SKY, response_format=shape, **to).choices[0].message.content
    assert isinstance(json.loads(shaped)["is_blue"], bool), model
    try:
        litellm.completion(messages=ASK, **{**to, "model": model.replace("pocket-v0", "nope")})
        raise AssertionError("no error")
    except litellm.NotFoundError:
        pass
print("done")
